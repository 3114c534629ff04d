"""What a data report counts: pictures by source, class, type, plane and size; groups; scanners."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.data_report_pictures import MeasuredPicture
from model.images import Acquisition
from model.training_data import UNKNOWN

SCANNER_FIELDS: Final = {
    "manufacturer": "manufacturer",
    "scanner_model": "model",
    "field_strength_tesla": "field (tesla)",
    "sequence": "sequence",
    "plane": "plane",
    "pixel_spacing_mm": "pixel spacing (mm)",
}


@dataclass(frozen=True)
class ClassCounts:
    """Pictures of one kind.

    Attributes:
        name: of the kind.
        tumors: pictures with a tumour.
        normals: pictures without.
        groups: that they belong to.
    """

    name: str
    tumors: int
    normals: int
    groups: int

    @property
    def pictures(self) -> int:
        """Of both classes."""
        return self.tumors + self.normals


@dataclass(frozen=True)
class DuplicateCounts:
    """Near-duplicates, as `model.near_duplicates.find_clusters` finds them.

    Attributes:
        sizes: pictures of each cluster of two or more, the largest first.
        copies: pictures whose file is, byte for byte, that of an earlier one.
        crossing: clusters that are in more than one given group.
        both_labels: clusters that hold tumours and normals.
    """

    sizes: list[int]
    copies: int
    crossing: int
    both_labels: int


def count_classes(
    pictures: Sequence[MeasuredPicture],
    name_of: Callable[[MeasuredPicture], str],
) -> list[ClassCounts]:
    """Count pictures and groups by what `name_of` says, the largest kind first."""
    kinds: dict[str, list[MeasuredPicture]] = defaultdict(list)
    for picture in pictures:
        kinds[name_of(picture)].append(picture)
    counts = [
        ClassCounts(
            name=name,
            tumors=sum(one.image.label == 1 for one in members),
            normals=sum(one.image.label == 0 for one in members),
            groups=len({one.image.group_id for one in members}),
        )
        for name, members in kinds.items()
    ]
    return sorted(counts, key=lambda kind: (-kind.pictures, kind.name))


def source_of(picture: MeasuredPicture) -> str:
    """Name the source."""
    return picture.image.source or UNKNOWN


def type_of(picture: MeasuredPicture) -> str:
    """Name the tumour type."""
    return picture.image.tumor_type or UNKNOWN


def plane_of(picture: MeasuredPicture) -> str:
    """Name the plane."""
    return picture.image.plane


def size_of(picture: MeasuredPicture) -> str:
    """Name the size."""
    return f"{picture.measures.width} x {picture.measures.height}"


def count_group_sizes(pictures: Sequence[MeasuredPicture]) -> list[int]:
    """Return how many pictures each group has, the largest first."""
    return sorted(Counter(one.image.group_id for one in pictures).values(), reverse=True)


def count_duplicates(
    pictures: Sequence[MeasuredPicture],
    clusters: npt.NDArray[np.int64],
) -> DuplicateCounts:
    """Count near-duplicates.

    Args:
        pictures: with their groups.
        clusters: (n,) cluster of each.
    """
    numbers = clusters.tolist()
    groups = _values_of(numbers, (one.image.group_id for one in pictures))
    labels = _values_of(numbers, (one.image.label for one in pictures))
    return DuplicateCounts(
        sizes=sorted((n for n in Counter(numbers).values() if n > 1), reverse=True),
        copies=len(pictures) - len({one.digest for one in pictures}),
        crossing=sum(len(found) > 1 for found in groups.values()),
        both_labels=sum(len(found) > 1 for found in labels.values()),
    )


def count_scanners(acquisitions: Iterable[Acquisition]) -> list[tuple[tuple[str, ...], int]]:
    """Count DICOM files by their scanner fields, in the order of `SCANNER_FIELDS`."""
    rows = Counter(
        tuple(_text(getattr(acquisition, name)) for name in SCANNER_FIELDS)
        for acquisition in acquisitions
    )
    return sorted(rows.items(), key=lambda row: (-row[1], row[0]))


def _values_of(
    numbers: Sequence[int],
    values: Iterable[Hashable],
) -> dict[int, set[Hashable]]:
    found: dict[int, set[Hashable]] = defaultdict(set)
    for number, value in zip(numbers, values, strict=True):
        found[number].add(value)
    return found


def _text(value: object) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:.3g}" if isinstance(value, float) else str(value)
