from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import TrainingDataError
from model.training_data import (
    LabelledImage,
    digest_of_split,
    read_index,
    refuse_shared_groups,
    split_by_group,
)

HEADER = "path,source,label,tumor_type,patient_id,group_id,width,height,mask\n"


def _folder(tmp_path: Path, rows: list[str]) -> Path:
    for name in ("a.png", "b.png", "m.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "index.csv").write_text(HEADER + "".join(f"{row}\n" for row in rows), "utf-8")
    return tmp_path


def _image(number: int, group: str, label: int, source: str = "here") -> LabelledImage:
    return LabelledImage(Path(f"/data/{number}.png"), source, label, "unknown", group, None)


def test_an_index_is_read_as_it_stands(tmp_path: Path) -> None:
    folder = _folder(
        tmp_path, ["a.png,s,tumor,glioma,,g1,1,1,m.png", "b.png,s,no_tumor,none,,g2,1,1,"]
    )

    images = read_index(folder)

    assert [image.label for image in images] == [1, 0]
    assert images[0].mask == folder / "m.png"
    assert images[1].mask is None


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a.png,s,tumour,glioma,,g1,1,1,"], "1 images have an unknown label"),
        (["a.png,s,tumor,x,,g1,1,1,", "a.png,s,tumor,x,,g1,1,1,"], "1 images stand twice"),
        (["a.png,s,tumor,x,,,1,1,"], "1 images have no group_id"),
        (["c.png,s,tumor,x,,g1,1,1,"], "1 images are missing"),
        (["a.png,s,tumor,x,,g1,1,1,n.png"], "1 images have a missing mask"),
        (["a.png,s,tumor,x,,g1,1,1,"], "one class only"),
    ],
)
def test_bad_rows_are_counted_and_named(tmp_path: Path, rows: list[str], said: str) -> None:
    folder = _folder(tmp_path, rows)

    with pytest.raises(TrainingDataError, match=said):
        read_index(folder)


def test_a_folder_without_index_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"no index\.csv"):
        read_index(tmp_path)


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    (tmp_path / "index.csv").write_text("path,label\n", "utf-8")

    with pytest.raises(TrainingDataError, match="source, tumor_type, group_id, mask"):
        read_index(tmp_path)


def test_no_group_is_on_two_sides_and_the_shares_are_kept() -> None:
    images = [_image(number, f"g{number // 4}", number // 4 % 2) for number in range(800)]

    parts = split_by_group(images, seed=1)

    refuse_shared_groups(parts)
    assert sum(len(part) for part in parts.values()) == 800
    assert len(parts["fit"]) == pytest.approx(560, abs=8)
    assert len(parts["test"]) == pytest.approx(120, abs=8)


def test_the_same_seed_gives_the_same_split_and_another_one_another() -> None:
    images = [_image(number, f"g{number}", number % 2) for number in range(60)]

    first = digest_of_split(split_by_group(images, seed=1), Path("/data"))
    again = digest_of_split(split_by_group(images[::-1], seed=1), Path("/data"))
    other = digest_of_split(split_by_group(images, seed=2), Path("/data"))

    assert first == again
    assert first != other


def test_the_healthy_volunteers_are_all_in_the_test_part() -> None:
    images = [_image(number, f"g{number}", number % 2) for number in range(40)]
    volunteers = [_image(100 + number, f"v{number}", 0, "nichart") for number in range(10)]

    parts = split_by_group(images + volunteers, seed=1)

    assert sum(image.source == "nichart" for image in parts["test"]) == 10


def test_a_group_on_two_sides_is_refused() -> None:
    parts = {"fit": [_image(1, "g1", 1)], "calibration": [], "test": [_image(2, "g1", 1)]}

    with pytest.raises(TrainingDataError, match="group g1 is in fit and in test"):
        refuse_shared_groups(parts)  # type: ignore[arg-type]


@pytest.mark.data
def test_the_real_images_split_without_a_shared_group(training_images: Path) -> None:
    parts = split_by_group(read_index(training_images), seed=2026)

    refuse_shared_groups(parts)
    assert sum(len(images) for images in parts.values()) == 4649
