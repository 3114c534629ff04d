"""The labelled images of a folder: as its ``index.csv`` lists them, or as Kaggle lays them out."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, get_args

from model.errors import TrainingDataError
from model.training_data import LABELS, UNKNOWN, LabelledImage, Part

INDEX_NAME: Final = "index.csv"
INDEX_COLUMNS: Final = ("path", "source", "label", "tumor_type", "mask")
"""``group_id``, ``part`` and ``plane`` may be there as well."""

KAGGLE_SOURCE: Final = "kaggle"

TUMOR_TYPE_OF_FOLDER: Final[Mapping[str, str]] = {
    "glioma": "glioma",
    "meningioma": "meningioma",
    "pituitary": "pituitary",
    "no": "none",
    "normal": "none",
}
"""By the letters of a folder's name in small, without a "tumor" at their end."""

PART_OF_FOLDER: Final[Mapping[str, Part]] = {
    "training": "fit",
    "train": "fit",
    "testing": "test",
    "test": "test",
}


@dataclass(frozen=True)
class LabelledFolder:
    """What a folder says of its images. Whether the files can be used is not known yet.

    Attributes:
        folder: that the images lie in.
        images: in the order of their paths; ``group_id`` is empty where none is given.
        given_parts: the folder's own split, by path; empty if it has none.
        unlabelled: files beside the class folders, of which nothing tells the label.
    """

    folder: Path
    images: list[LabelledImage]
    given_parts: dict[Path, Part]
    unlabelled: tuple[Path, ...] = ()

    @property
    def has_groups(self) -> bool:
        """Whether the groups are given."""
        return all(image.group_id for image in self.images)

    def name_of(self, path: Path) -> str:
        """Return the path of a file below the folder, with slashes."""
        return path.relative_to(self.folder).as_posix()


def list_labelled(folder: Path) -> LabelledFolder:
    """List the labelled images of a folder, by its index if it has one.

    Raises:
        TrainingDataError: if the folder has neither an index nor class folders, or if what it says
            cannot be meant: unknown labels, parts or class folders, a path twice, paths that lead
            out of the folder, groups or parts for some images only, no image at all. All problems
            of one kind are counted and the first is named.
    """
    if not folder.is_dir():
        message = f"no folder {folder}: expected labelled images there"
        raise TrainingDataError(message)
    root = folder.absolute()
    listed = _list_index(root) if (root / INDEX_NAME).is_file() else _list_kaggle(root)
    if not listed.images:
        message = f"{folder} lists no image"
        raise TrainingDataError(message)
    return listed


def _list_index(folder: Path) -> LabelledFolder:
    rows = _read_rows(folder / INDEX_NAME)
    _refuse_bad_rows(rows)
    rows.sort(key=lambda row: row["path"])
    return LabelledFolder(
        folder,
        [_image_of_row(folder, row) for row in rows],
        {folder / row["path"]: _part(row["part"]) for row in rows if row.get("part")},
    )


def _read_rows(index: Path) -> list[dict[str, str]]:
    # Excel begins a file of UTF-8 with a mark that would become part of the first column's name.
    with index.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines, restval="")
        missing = [name for name in INDEX_COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            message = f"{index} lacks the columns {', '.join(missing)}"
            raise TrainingDataError(message)
        return list(reader)


def _refuse_bad_rows(rows: list[dict[str, str]]) -> None:
    _refuse("an empty path", [f"row {n}" for n, row in enumerate(rows, 2) if not row["path"]])
    _refuse("an unknown label", [row["path"] for row in rows if row["label"] not in LABELS])
    times = Counter(str(PurePosixPath(row["path"])) for row in rows)
    _refuse("a path that stands more than once", [path for path, n in times.items() if n > 1])
    for column in ("path", "mask"):
        _refuse(f"a {column} outside the folder", [r[column] for r in rows if _leaves(r[column])])
    for column in ("group_id", "part"):
        empty = [row["path"] for row in rows if not row.get(column)]
        if len(empty) < len(rows):
            _refuse(f"no {column} while others have one", empty)
    parts = ("", *get_args(Part))
    _refuse("an unknown part", [row["path"] for row in rows if row.get("part", "") not in parts])


def _image_of_row(folder: Path, row: dict[str, str]) -> LabelledImage:
    return LabelledImage(
        path=folder / row["path"],
        source=row["source"],
        label=LABELS[row["label"]],
        tumor_type=row["tumor_type"],
        group_id=row.get("group_id", ""),
        mask=folder / row["mask"] if row["mask"] else None,
        plane=row.get("plane") or UNKNOWN,
    )


def _list_kaggle(folder: Path) -> LabelledFolder:
    images: list[LabelledImage] = []
    given_parts: dict[Path, Part] = {}
    class_folders, unlabelled = _find_class_folders(folder)
    for class_folder, part in class_folders:
        tumor_type = TUMOR_TYPE_OF_FOLDER[_class_letters(class_folder.name)]
        label = LABELS["no_tumor" if tumor_type == "none" else "tumor"]
        for path in sorted(path for path in class_folder.rglob("*") if not path.is_dir()):
            images.append(LabelledImage(path, KAGGLE_SOURCE, label, tumor_type, "", None))
            if part is not None:
                given_parts[path] = part
    images.sort(key=lambda image: image.path)
    return LabelledFolder(folder, images, given_parts, tuple(unlabelled))


def _find_class_folders(folder: Path) -> tuple[list[tuple[Path, Part | None]], list[Path]]:
    """Find the class folders with their parts, and the files beside them."""
    found: list[tuple[Path, Part | None]] = []
    beside: list[Path] = []
    strange: list[str] = []
    waiting: list[tuple[Path, Part | None]] = [(path, None) for path in sorted(folder.iterdir())]
    while waiting:
        path, part = waiting.pop(0)
        if not path.is_dir():
            beside.append(path)
        elif _class_letters(path.name) in TUMOR_TYPE_OF_FOLDER:
            found.append((path, part))
        elif part is None and _letters(path.name) in PART_OF_FOLDER:
            below = PART_OF_FOLDER[_letters(path.name)]
            waiting += [(child, below) for child in sorted(path.iterdir())]
        else:
            strange.append(path.relative_to(folder).as_posix())
    if strange:
        message = (
            f"{len(strange)} folders below {folder} name no class; the first is {strange[0]}: "
            f"expected glioma, meningioma, pituitary and no_tumor, or an {INDEX_NAME}"
        )
        raise TrainingDataError(message)
    return found, beside


def _letters(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _class_letters(name: str) -> str:
    return re.sub(r"tumou?rs?$", "", _letters(name))


def _part(text: str) -> Part:
    return next(part for part in get_args(Part) if part == text)


def _leaves(path: str) -> bool:
    return path.startswith("/") or ".." in PurePosixPath(path).parts


def _refuse(problem: str, found: Iterable[str]) -> None:
    listed = list(found)
    if listed:
        message = f"{len(listed)} rows of {INDEX_NAME} have {problem}; the first is {listed[0]}"
        raise TrainingDataError(message)
