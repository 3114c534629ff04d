from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import TrainingDataError
from model.evaluated_part import choose_calibration, choose_part
from model.training_data import SPLIT_SEED, digest_of_split, read_index, split_by_group
from tests.builders import make_card

HEADER = "path,source,label,tumor_type,patient_id,group_id,width,height,mask,plane\n"


def _row(number: int) -> str:
    label, tumor_type = ("tumor", "glioma") if number % 2 else ("no_tumor", "none")
    plane = "coronal" if number == 1 else ""
    return f"{number}.png,s,{label},{tumor_type},,g{number},1,1,,{plane}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(40):
        (tmp_path / f"{number}.png").write_bytes(b"x")
    (tmp_path / "index.csv").write_text(HEADER + "".join(map(_row, range(40))), "utf-8")
    return tmp_path


def _digest(folder: Path) -> str:
    return digest_of_split(split_by_group(read_index(folder), SPLIT_SEED), folder)


def test_of_the_training_folder_the_test_part_is_measured(folder: Path) -> None:
    part = choose_part(folder, make_card(data_digest=_digest(folder)), None)

    assert part.name == "test"
    assert part.is_training_folder
    assert 4 <= len(part.images) <= 8
    assert part.warning is None
    assert "test part" in part.reason


def test_of_another_folder_all_images_are_measured(folder: Path) -> None:
    part = choose_part(folder, make_card(data_digest="another"), None)

    assert part.name == "all"
    assert len(part.images) == 40
    assert part.warning is not None
    assert "copies" in part.warning


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ("fit", "trained on these images"),
        ("all", "trained on these images"),
        ("calibration", "threshold, temperature and scope gate were chosen on these images"),
    ],
)
def test_a_part_that_the_bundle_has_seen_is_warned_about(
    folder: Path,
    asked: str,
    said: str,
) -> None:
    part = choose_part(folder, make_card(data_digest=_digest(folder)), asked)  # type: ignore[arg-type]

    assert part.name == asked
    assert part.warning is not None
    assert said in part.warning


def test_a_folder_of_one_class_can_be_measured(folder: Path) -> None:
    (folder / "index.csv").write_text(HEADER + _row(0) + _row(2), "utf-8")

    assert len(choose_part(folder, make_card(), None).images) == 2


def test_a_part_without_images_is_refused(folder: Path) -> None:
    (folder / "index.csv").write_text(HEADER + _row(0), "utf-8")

    with pytest.raises(TrainingDataError, match=r"the test part of .* holds no image"):
        choose_part(folder, make_card(), "test")


def test_an_index_without_rows_is_refused(folder: Path) -> None:
    (folder / "index.csv").write_text(HEADER, "utf-8")

    with pytest.raises(TrainingDataError, match="lists no image"):
        choose_part(folder, make_card(), None)


def test_the_plane_comes_from_the_index_and_is_unknown_without(folder: Path) -> None:
    planes = [image.plane for image in choose_part(folder, make_card(), None).images]

    assert planes[:3] == ["unknown", "coronal", "unknown"]


def test_a_threshold_is_chosen_on_the_calibration_part_of_the_training_folder(folder: Path) -> None:
    part = choose_calibration(folder, make_card(data_digest=_digest(folder)))

    expected = split_by_group(read_index(folder), SPLIT_SEED)["calibration"]
    assert part.name == "calibration"
    assert {image.path for image in part.images} == {image.path for image in expected}


def test_a_threshold_is_chosen_on_all_images_of_another_folder(folder: Path) -> None:
    part = choose_calibration(folder, make_card(data_digest="another"))

    assert (part.name, len(part.images)) == ("all", 40)


def test_without_a_tumour_no_threshold_can_be_chosen(folder: Path) -> None:
    (folder / "index.csv").write_text(HEADER + _row(0) + _row(2), "utf-8")

    with pytest.raises(TrainingDataError, match="holds no tumour"):
        choose_calibration(folder, make_card())
