"""Cutting a picture into the pieces that an explanation hides and shows.

The default, Felzenszwalb's graph cut inside the head's outline, was chosen on a few images of the
calibration part: its pieces follow a lesion's border, so that one of them can be the lesion. The
others are kept for that comparison (`mri-triage explain-bench`). The outline keeps weight from
leaking out of the head over pieces that straddle it. What lies outside it is cut into pieces too:
an explanation that could not blame the background would prove nothing by not blaming it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.segmentation import felzenszwalb, quickshift, slic

NetworkPicture: TypeAlias = npt.NDArray[np.uint8]
"""(size, size), 0..255: the head as the network sees it, its surroundings black or as they are."""

SegmentMap: TypeAlias = npt.NDArray[np.int32]
"""(size, size): number of the segment from 0; those of the head come first."""

Mask: TypeAlias = npt.NDArray[np.bool_]

SegmentationName = Literal[
    "slic", "quickshift", "felzenszwalb", "slic_whole", "quickshift_whole", "felzenszwalb_whole"
]
"""How a picture is cut; ``_whole`` ignores the head's outline."""

DEFAULT_SEGMENTATION: Final[SegmentationName] = "felzenszwalb"
SEGMENTS_WANTED: Final = 60
BACKGROUND_SEGMENTS: Final = 8
FEWEST_SEGMENTS: Final = 20
"""Inside the head: even fields fall into too few pieces; SLIC then cuts the picture."""

COMPACTNESS: Final = 0.1  # of SLIC, on gray 0..1: segments follow borders but stay blob-like
SCALE: Final = 0.3  # of Felzenszwalb, on gray 0..1: how readily pieces grow
MINIMUM_HEAD_SHARE: Final = 0.05  # a smaller "head" is a threshold that failed


def segment_picture(
    picture: NetworkPicture,
    method: SegmentationName = DEFAULT_SEGMENTATION,
) -> tuple[SegmentMap, Mask]:
    """Cut a picture into about `SEGMENTS_WANTED` pieces of similar brightness.

    None of the methods draws lots: scikit-image's starting points are fixed.

    Returns:
        The segments, and the head's outline, (size, size), that the first of them fill.

    Raises:
        ValueError: if there is no such method.
    """
    if method not in get_args(SegmentationName):
        message = f"no segmentation {method!r}: expected one of {get_args(SegmentationName)}"
        raise ValueError(message)
    head = mask_head(picture)
    name, _, whole = method.partition("_")
    cut = _METHODS[name]
    levels = ndimage.gaussian_filter(picture.astype(np.float64) / 255.0, 1.0)
    if whole:
        return _numbered(cut(levels, np.ones_like(head))), head
    pieces = cut(levels, head)
    if len(np.unique(pieces[head])) < FEWEST_SEGMENTS:
        pieces = _cut_slic(levels, head)
    inside = np.where(head, pieces, -1)
    return _numbered(np.where(head, inside, _cut_background(head, int(inside.max()) + 1))), head


def mask_head(picture: NetworkPicture) -> Mask:
    """Mark the head, (size, size): the largest bright region with its holes filled.

    The whole picture is the answer where no such region stands out.
    """
    smooth = ndimage.gaussian_filter(picture.astype(np.float64), sigma=2.0)
    whole = np.ones(picture.shape, dtype=bool)
    # Half of Otsu's level: Otsu alone splits gray tissue from bright tissue on T1 pictures.
    bright = smooth > 0.5 * float(threshold_otsu(smooth))
    regions, count = ndimage.label(bright)
    if count == 0:
        return whole
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    head = np.asarray(ndimage.binary_fill_holes(regions == sizes.argmax()), dtype=bool)
    return head if head.mean() >= MINIMUM_HEAD_SHARE else whole


def _cut_slic(levels: npt.NDArray[np.float64], where: Mask) -> SegmentMap:
    labels = slic(
        levels,
        n_segments=SEGMENTS_WANTED,
        compactness=COMPACTNESS,
        mask=None if where.all() else where,
        start_label=1,
        channel_axis=None,
    )
    return np.asarray(labels, dtype=np.int32)


def _cut_quickshift(levels: npt.NDArray[np.float64], where: Mask) -> SegmentMap:
    # Kernel and reach grow with the pieces; these give about as many of them as SLIC.
    colours = np.repeat(np.where(where, levels, -1.0)[:, :, np.newaxis], 3, axis=2)
    labels = quickshift(
        colours, kernel_size=4, max_dist=8, ratio=0.5, convert2lab=False, rng=0, sigma=0
    )
    return np.asarray(labels, dtype=np.int32)


def _cut_felzenszwalb(levels: npt.NDArray[np.float64], where: Mask) -> SegmentMap:
    # A head fills about half of the picture, and most pieces are larger than the smallest.
    smallest = where.size // (6 * SEGMENTS_WANTED)
    labels = felzenszwalb(
        np.where(where, levels, -1.0), scale=SCALE, sigma=0, min_size=smallest, channel_axis=None
    )
    return np.asarray(labels, dtype=np.int32)


_METHODS: Final[dict[str, Callable[[npt.NDArray[np.float64], Mask], SegmentMap]]] = {
    "slic": _cut_slic,
    "quickshift": _cut_quickshift,
    "felzenszwalb": _cut_felzenszwalb,
}


def _cut_background(head: Mask, first: int) -> SegmentMap:
    """Number the surroundings of the head by the direction in which they lie from its middle."""
    rows, columns = np.indices(head.shape)
    middle = ndimage.center_of_mass(head)
    angles = np.arctan2(rows - middle[0], columns - middle[1])
    sectors = np.floor((angles + np.pi) / (2 * np.pi) * BACKGROUND_SEGMENTS).astype(np.int32)
    numbered: SegmentMap = first + np.minimum(sectors, BACKGROUND_SEGMENTS - 1)
    return numbered


def _numbered(labels: npt.NDArray[np.int32]) -> SegmentMap:
    """Number segments from 0 without gaps, in their order."""
    _, inverse = np.unique(labels, return_inverse=True)
    return inverse.reshape(labels.shape).astype(np.int32)
