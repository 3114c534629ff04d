from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import TrainingDataError
from model.training_folders import list_labelled

HEADER = "path,source,label,tumor_type,group_id,mask,part\n"


def _touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def _index(folder: Path, *rows: str, header: str = HEADER) -> Path:
    (folder / "index.csv").write_text(header + "".join(f"{row}\n" for row in rows), "utf-8")
    return folder


@pytest.mark.parametrize(
    ("name", "label", "tumor_type"),
    [
        ("glioma", 1, "glioma"),
        ("glioma_tumor", 1, "glioma"),
        ("Meningioma Tumour", 1, "meningioma"),
        ("pituitary-tumors", 1, "pituitary"),
        ("no_tumor", 0, "none"),
        ("notumor", 0, "none"),
        ("No Tumour", 0, "none"),
        ("normal", 0, "none"),
    ],
)
def test_the_usual_spellings_of_class_folders_are_known(
    tmp_path: Path, name: str, label: int, tumor_type: str
) -> None:
    listed = list_labelled(_touch(tmp_path, f"{name}/1.jpg"))

    assert [(image.label, image.tumor_type) for image in listed.images] == [(label, tumor_type)]


def test_training_and_testing_are_merged_and_remembered(tmp_path: Path) -> None:
    _touch(tmp_path, "Training/glioma_tumor/a.jpg", "Testing/glioma_tumor/a.jpg", "no_tumor/b.jpg")

    listed = list_labelled(tmp_path)

    assert {listed.name_of(path): part for path, part in listed.given_parts.items()} == {
        "Testing/glioma_tumor/a.jpg": "test",
        "Training/glioma_tumor/a.jpg": "fit",
    }
    assert [listed.name_of(image.path) for image in listed.images] == [
        "Testing/glioma_tumor/a.jpg",
        "Training/glioma_tumor/a.jpg",
        "no_tumor/b.jpg",
    ]
    assert not listed.has_groups


def test_files_beside_the_class_folders_are_listed_as_unlabelled(tmp_path: Path) -> None:
    _touch(tmp_path, "glioma/1.jpg", "loose.jpg", "Training/also.jpg")

    listed = list_labelled(tmp_path)

    assert sorted(map(listed.name_of, listed.unlabelled)) == ["Training/also.jpg", "loose.jpg"]


@pytest.mark.parametrize("name", ["metastasis", "Training/metastasis", "Training/Testing/glioma"])
def test_a_folder_that_names_no_class_is_refused(tmp_path: Path, name: str) -> None:
    _touch(tmp_path, "glioma/1.jpg", f"{name}/2.jpg")

    with pytest.raises(TrainingDataError, match=r"1 folders below .* name no class"):
        list_labelled(tmp_path)


def test_an_empty_folder_lists_no_image(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="lists no image"):
        list_labelled(tmp_path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no folder"):
        list_labelled(tmp_path / "absent")


def test_an_index_comes_before_class_folders_and_is_sorted(tmp_path: Path) -> None:
    _touch(tmp_path, "glioma/1.jpg")
    _index(tmp_path, "b.png,s,tumor,glioma,g2,m.png,fit", "a.png,s,no_tumor,none,g1,,test")

    listed = list_labelled(tmp_path)

    assert [image.path.name for image in listed.images] == ["a.png", "b.png"]
    assert [image.mask for image in listed.images] == [None, tmp_path / "m.png"]
    assert listed.given_parts == {tmp_path / "a.png": "test", tmp_path / "b.png": "fit"}
    assert listed.has_groups


def test_an_index_saved_by_a_spreadsheet_is_read(tmp_path: Path) -> None:
    _index(tmp_path, "a.png,s,tumor,glioma,,,", header=f"\N{ZERO WIDTH NO-BREAK SPACE}{HEADER}")

    assert len(list_labelled(tmp_path).images) == 1


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (["a.png,s,tumour,x,g,,"], "1 rows of index.csv have an unknown label"),
        (["a.png,s,tumor,x,g,,", "./a.png,s,tumor,x,g,,"], "a path that stands more than once"),
        (["../a.png,s,tumor,x,g,,"], "a path outside the folder"),
        (["/a.png,s,tumor,x,g,,"], "a path outside the folder"),
        (["a.png,s,tumor,x,g,../m.png,"], "a mask outside the folder"),
        (["a.png,s,tumor,x,g,,", "b.png,s,tumor,x,,,"], "no group_id while others have one"),
        (["a.png,s,tumor,x,g,,fit", "b.png,s,tumor,x,g,,"], "no part while others have one"),
        (["a.png,s,tumor,x,g,,validation"], "an unknown part"),
        ([",s,tumor,x,g,,"], "an empty path; the first is row 2"),
        (["a.png"], "an unknown label"),
    ],
)
def test_an_index_that_cannot_be_meant_is_refused(
    tmp_path: Path, rows: list[str], said: str
) -> None:
    with pytest.raises(TrainingDataError, match=said):
        list_labelled(_index(tmp_path, *rows))


def test_the_columns_that_are_missing_are_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="lacks the columns source, tumor_type, mask"):
        list_labelled(_index(tmp_path, header="path,label\n"))
