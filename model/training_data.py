"""The labelled images: read from a folder with ``index.csv``, checked, and split by group."""

from __future__ import annotations

import csv
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from model.errors import TrainingDataError

LABELS: Final = {"no_tumor": 0, "tumor": 1}
REQUIRED_COLUMNS: Final = ("path", "source", "label", "tumor_type", "group_id", "mask")

UNKNOWN: Final = "unknown"

Part = Literal["fit", "calibration", "test"]
SPLIT_SEED: Final = 2026
"""Of the project's own split; another seed would be another test part."""

PART_SHARES: Final[dict[Part, float]] = {"fit": 0.70, "calibration": 0.15, "test": 0.15}

HELD_OUT_SOURCES: Final = frozenset({"nichart"})
"""Healthy volunteers of a hospital that training never sees: all of them are test images."""


@dataclass(frozen=True)
class LabelledImage:
    """One row of ``index.csv``.

    Attributes:
        path: image file, absolute.
        source: where the image came from.
        label: 1 for a slice that shows a tumour, else 0.
        tumor_type: glioma, meningioma, pituitary, unknown or none.
        group_id: the only safe unit of a split.
        mask: 1-bit outline of the tumour, of the image's size, or None.
        plane: axial, coronal, sagittal ..., from the column ``plane``, which need not be there.
    """

    path: Path
    source: str
    label: int
    tumor_type: str
    group_id: str
    mask: Path | None
    plane: str = UNKNOWN


def read_index(folder: Path, *, both_classes: bool = True) -> list[LabelledImage]:
    """Read ``index.csv`` of a folder.

    Args:
        folder: holds ``index.csv`` and the files that it names.
        both_classes: refuse a folder of one class, which nothing can be trained on.

    Returns:
        One entry a row, in the order of the file.

    Raises:
        TrainingDataError: if the file, a column, an image or a mask is missing, a label is
            unknown, a path stands twice, no image is listed, or only one class is. All problems
            of one kind are counted and the first is named.
    """
    index = folder / "index.csv"
    if not index.is_file():
        message = f"no index.csv in {folder}: expected the folder of the labelled images"
        raise TrainingDataError(message)
    with index.open(encoding="utf-8", newline="") as lines:
        reader = csv.DictReader(lines)
        missing = [name for name in REQUIRED_COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            message = f"{index} lacks the columns {', '.join(missing)}"
            raise TrainingDataError(message)
        rows = list(reader)
    _refuse("have an unknown label", [r["path"] for r in rows if r["label"] not in LABELS])
    _refuse("stand twice in the index", _repeated(r["path"] for r in rows))
    _refuse("have no group_id", [r["path"] for r in rows if not r["group_id"]])
    images = [_labelled_image(folder, row) for row in rows]
    _refuse("are missing", [str(i.path) for i in images if not i.path.is_file()])
    _refuse("have a missing mask", [str(i.path) for i in images if i.mask and not i.mask.is_file()])
    if not images:
        message = f"{index} lists no image"
        raise TrainingDataError(message)
    if both_classes and len({image.label for image in images}) < len(LABELS):
        message = f"{index} holds one class only; training needs tumor and no_tumor"
        raise TrainingDataError(message)
    return images


def split_by_group(images: Sequence[LabelledImage], seed: int) -> dict[Part, list[LabelledImage]]:
    """Split images into fit, calibration and test so that no group is on two sides.

    Groups are dealt out stratum by stratum (sources and labels of the group) in the order of a
    keyed hash: the same seed gives the same split, and a new group does not move many others.

    Args:
        images: all labelled images.
        seed: chooses the order.

    Returns:
        The three parts; the sources of `HELD_OUT_SOURCES` are all in ``test``.
    """
    groups: dict[str, list[LabelledImage]] = defaultdict(list)
    for image in images:
        groups[image.group_id].append(image)
    strata: dict[str, list[str]] = defaultdict(list)
    parts: dict[Part, list[LabelledImage]] = {part: [] for part in PART_SHARES}
    for group_id, members in groups.items():
        if {member.source for member in members} & HELD_OUT_SOURCES:
            parts["test"].extend(members)
        else:
            strata[_stratum(members)].append(group_id)
    for _, group_ids in sorted(strata.items()):
        ordered = sorted(group_ids, key=lambda group_id: _hashed(group_id, seed))
        for part, members in _deal(ordered, groups):
            parts[part].extend(members)
    refuse_shared_groups(parts)
    return parts


def refuse_shared_groups(parts: dict[Part, list[LabelledImage]]) -> None:
    """Refuse a split that has one group on two sides.

    Raises:
        TrainingDataError: if there is such a group.
    """
    seen: dict[str, Part] = {}
    for part, images in parts.items():
        for group_id in {image.group_id for image in images}:
            if group_id in seen:
                message = f"group {group_id} is in {seen[group_id]} and in {part}: split by group"
                raise TrainingDataError(message)
            seen[group_id] = part


def digest_of_split(parts: dict[Part, list[LabelledImage]], folder: Path) -> str:
    """Return a SHA-256 over which file is in which part, for the bundle's card."""
    lines = sorted(
        f"{part} {image.path.relative_to(folder)} {image.label} {image.group_id}"
        for part, images in parts.items()
        for image in images
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _labelled_image(folder: Path, row: dict[str, str]) -> LabelledImage:
    return LabelledImage(
        path=folder / row["path"],
        source=row["source"],
        label=LABELS[row["label"]],
        tumor_type=row["tumor_type"],
        group_id=row["group_id"],
        mask=folder / row["mask"] if row["mask"] else None,
        plane=row.get("plane") or UNKNOWN,
    )


def _refuse(problem: str, paths: list[str]) -> None:
    if paths:
        message = f"{len(paths)} images {problem}; the first is {paths[0]}"
        raise TrainingDataError(message)


def _repeated(paths: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [path for path in paths if path in seen or seen.add(path)]  # type: ignore[func-returns-value]


def _stratum(members: Sequence[LabelledImage]) -> str:
    return " ".join(sorted({f"{member.source}:{member.label}" for member in members}))


def _hashed(group_id: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{group_id}".encode()).hexdigest()


def _deal(
    ordered: Sequence[str],
    groups: dict[str, list[LabelledImage]],
) -> Iterable[tuple[Part, list[LabelledImage]]]:
    """Give each group to the part that is furthest below its share of the images."""
    held: dict[Part, int] = dict.fromkeys(PART_SHARES, 0)
    for group_id in ordered:
        members = groups[group_id]
        part = min(PART_SHARES, key=lambda name: held[name] / PART_SHARES[name])
        held[part] += len(members)
        yield part, members
