"""Healthy slices of scanners that sent only tumours: the healthy half, mirrored over the midline.

Most series of tumours hold no healthy slice, so that a network could take the scanner's look for
the tumour. Where the tumour lies in one half of a roughly symmetric slice, the other half and its
mirror picture make a slice of the same scanner without a tumour. A mirror leaves no seam.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.augmentation import Sample

WORKING_SIZE: Final = 64
"""Pixels of the picture that the midline is searched in."""

ANGLES: Final = tuple(range(-16, 17, 2))
"""Degrees by which the head may be tilted."""

LARGEST_OFFSET: Final = 6
"""Pixels of the working picture by which the midline may lie off the middle."""

HALF: Final = 127

LEAST_LIKENESS: Final = 0.75
"""Correlation of the two halves' levels from which a slice counts as symmetric: axial and coronal
slices reach it, sagittal ones do not."""

LEAST_GAP: Final = 0.02
"""Room between tumour and midline, as a share of the picture: oedema around it goes too."""

LARGEST_TUMOR: Final = 0.12
"""Share of the head beyond which a tumour has pushed the other half aside as well."""


Pixel = TypeVar("Pixel", np.uint8, np.bool_)


@dataclass(frozen=True)
class Midline:
    """Where a picture is most symmetric.

    Attributes:
        angle_degrees: by which the picture is turned to make the midline upright.
        offset: of the midline from the middle, to the right, in pixels of the picture.
        likeness: correlation of the levels of both halves inside the head, -1..1.
    """

    angle_degrees: float
    offset: float
    likeness: float


def find_midline(sample: Sample) -> Midline:
    """Search the midline of a head; the tumour and its mirror place are left out of the comparison.

    Args:
        sample: a slice of any plane.

    Returns:
        The best of all angles and offsets tried.
    """
    levels = _shrink(np.where(sample.hull, sample.levels, np.uint8(0)))
    head = _shrink(_as_levels(sample.hull))
    tumor = _shrink(_as_levels(sample.tumor)) if sample.tumor is not None else None
    best = Midline(0.0, 0.0, -1.0)
    for angle in ANGLES:
        turned = np.asarray(levels.rotate(angle, Image.Resampling.BILINEAR), dtype=np.float32)
        compared = np.asarray(head.rotate(angle, Image.Resampling.BILINEAR)) > HALF
        left_out = np.zeros(compared.shape, dtype=bool)
        if tumor is not None:
            left_out = np.asarray(tumor.rotate(angle, Image.Resampling.BILINEAR)) > 0
        for shift in range(-2 * LARGEST_OFFSET, 2 * LARGEST_OFFSET + 1):
            other = np.roll(turned[:, ::-1], shift, axis=1)
            pixels = compared | np.roll(compared[:, ::-1], shift, axis=1)
            pixels &= ~(left_out | np.roll(left_out[:, ::-1], shift, axis=1))
            likeness = _correlation(turned[pixels], other[pixels])
            if likeness > best.likeness:
                offset = shift / 2 * sample.levels.shape[0] / WORKING_SIZE
                best = Midline(float(angle), offset, likeness)
    return best


def remove_tumor(sample: Sample) -> Sample | None:
    """Return a slice without the tumour: the other half of the head and its mirror picture.

    Args:
        sample: with a tumour whose outline is known.

    Returns:
        A sample of label 0 with an empty outline; None if the slice is not symmetric, the tumour
        reaches the midline, or it is so large that it has pushed the other half aside.
    """
    if sample.tumor is None or not sample.tumor.any():
        return None
    if sample.tumor.sum() > LARGEST_TUMOR * sample.hull.sum():
        return None
    midline = find_midline(sample)
    if midline.likeness < LEAST_LIKENESS:
        return None
    tumor = _turn(_as_levels(sample.tumor), midline) > HALF
    middle = tumor.shape[1] // 2
    columns = np.flatnonzero(tumor.any(axis=0))
    gap = int(LEAST_GAP * tumor.shape[1])
    on_right = columns.size > 0 and columns[0] >= middle + gap
    on_left = columns.size > 0 and columns[-1] < middle - gap
    if not on_right and not on_left:
        return None
    levels = _turn(sample.levels, midline)
    hull = _turn(_as_levels(sample.hull), midline) > HALF
    return replace(
        sample,
        levels=_mirror(levels, keep_left=on_right),
        hull=_mirror(hull, keep_left=on_right),
        tumor=np.zeros(tumor.shape, dtype=bool),
        label=0,
    )


def _as_levels(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.where(mask, np.uint8(255), np.uint8(0))


def _shrink(levels: npt.NDArray[np.uint8]) -> Image.Image:
    size = (WORKING_SIZE, WORKING_SIZE)
    return Image.fromarray(levels).resize(size, Image.Resampling.BOX)


def _turn(
    levels: npt.NDArray[np.uint8],
    midline: Midline,
) -> npt.NDArray[np.uint8]:
    """Turn and shift a picture so that the midline stands upright in the middle."""
    turned = Image.fromarray(levels).rotate(midline.angle_degrees, Image.Resampling.BILINEAR)
    return np.asarray(
        turned.transform(
            turned.size,
            Image.Transform.AFFINE,
            (1.0, 0.0, midline.offset, 0.0, 1.0, 0.0),
            Image.Resampling.BILINEAR,
        ),
        dtype=np.uint8,
    )


def _mirror(picture: npt.NDArray[Pixel], *, keep_left: bool) -> npt.NDArray[Pixel]:
    half = picture.shape[1] // 2
    if keep_left:
        return np.concatenate([picture[:, :half], picture[:, half - 1 :: -1]], axis=1)
    return np.concatenate([picture[:, : half - 1 : -1], picture[:, half:]], axis=1)


def _correlation(one: npt.NDArray[np.float32], other: npt.NDArray[np.float32]) -> float:
    if one.size == 0:
        return -1.0
    first, second = one - one.mean(), other - other.mean()
    scale = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / scale if scale > 0.0 else -1.0
