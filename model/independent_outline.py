"""Head and brain outlined by other methods than the model's own, for measuring the model.

`head_region` decides what the network sees. A test of what happens outside the head, or of a
removed skull, that used the same outline would confirm it instead of testing it. Here the head is
Li's threshold, its largest piece closed and filled; the brain is a watershed from inside out. Both
come from scikit-image.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage import filters, measure, morphology, segmentation
from skimage.transform import resize

from model.images import GrayPixels

Mask = npt.NDArray[np.bool_]
"""(height, width) of a picture."""

WORKING_SIZE: Final = 256
"""Longest side, in pixels, at which outlines are drawn; smaller pictures keep their size."""

LEAST_RANGE: Final = 0.02
"""A picture whose levels differ by less shows nothing to outline."""

LEAST_HEAD: Final = 0.1
"""A piece smaller than this share of the picture is not believed to be the head."""

CLOSING: Final = 0.03
"""Dark rims of skull are bridged up to about this share of the picture's longer side."""

DILATION: Final = 0.008
"""Share of the longer side by which the head is widened: the scalp's soft edge is head."""

OUTER_DEPTH: Final = 0.045
INNER_DEPTH: Final = 0.15
"""Brain begins between these depths below the head's surface, as shares of the head's extent
(the root of its area): scalp and skull are some 8 to 15 mm of about 160."""


def outline_head(pixels: GrayPixels) -> Mask | None:
    """Outline the head.

    Args:
        pixels: (height, width), 0..1; negatives (bright rim) are turned first.

    Returns:
        True inside the head, widened by a few pixels; None where nothing is like a head.
    """
    small = _shrink(pixels)
    if float(np.ptp(small)) < LEAST_RANGE:
        return None
    # The root brings dim tissue nearer to the bright: a bright lesion alone is no head.
    smooth = np.sqrt(ndimage.gaussian_filter(small, 1.0))
    lifted = smooth > filters.threshold_li(smooth)
    outermost = np.concatenate([lifted[0], lifted[-1], lifted[:, 0], lifted[:, -1]])
    if outermost.mean() > 0.5 and small[lifted].min() > np.median(small):  # noqa: PLR2004 - half
        lifted = ~lifted
    largest = _largest_piece(morphology.opening(lifted, morphology.disk(1)))
    if largest is None or largest.mean() < LEAST_HEAD:
        return None
    reach = max(2, round(CLOSING * max(small.shape)))
    padded = np.pad(largest, reach)
    closed = morphology.closing(padded, morphology.disk(reach))[reach:-reach, reach:-reach]
    rim = morphology.disk(max(1, round(DILATION * max(small.shape))))
    return _enlarge(morphology.dilation(ndimage.binary_fill_holes(closed), rim), pixels.shape)


def outline_brain(pixels: GrayPixels, head: Mask) -> Mask:
    """Outline what a brain extraction would leave of a head.

    Scalp and brain are bright, the skull between them is dark: a watershed, flooded from the
    surface and from the middle, meets in the skull.

    Args:
        pixels: (height, width), 0..1.
        head: from `outline_head`.
    """
    small = _shrink(pixels)
    inside = resize(head.astype(np.float32), small.shape, order=1) > 0.5  # noqa: PLR2004 - half
    depth = ndimage.distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    extent = float(np.sqrt(inside.sum()))
    markers = np.zeros(small.shape, dtype=np.int32)
    markers[depth <= OUTER_DEPTH * extent] = 1
    markers[depth >= INNER_DEPTH * extent] = 2
    darkness = -ndimage.gaussian_filter(small, 1.0)
    brain = segmentation.watershed(darkness, markers) == 2  # noqa: PLR2004 - the inner marker
    smooth = morphology.opening(brain, morphology.disk(3))
    return _enlarge(ndimage.binary_fill_holes(smooth), pixels.shape)


def _shrink(pixels: GrayPixels) -> GrayPixels:
    share = min(1.0, WORKING_SIZE / max(pixels.shape))
    shape = tuple(max(1, round(side * share)) for side in pixels.shape)
    if shape == pixels.shape:
        return pixels
    return np.asarray(resize(pixels, shape, order=1, anti_aliasing=True), dtype=np.float32)


def _enlarge(mask: Mask, shape: tuple[int, ...]) -> Mask:
    if mask.shape == shape:
        return mask
    soft = np.asarray(resize(mask.astype(np.float32), shape, order=1), dtype=np.float32)
    return soft > 0.5  # noqa: PLR2004 - half


def _largest_piece(mask: Mask) -> Mask | None:
    pieces = measure.label(mask)
    if pieces.max() == 0:
        return None
    return np.asarray(pieces == 1 + int(np.argmax(np.bincount(pieces.ravel())[1:])), dtype=bool)
