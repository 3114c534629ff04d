"""Where the head is in a picture, so that nothing outside it can sway the network.

The outline is drawn from the picture alone, without a trained part: trim flat borders, turn
inverted pictures the right way round, lift the head off the background, and take the convex hull
of the largest piece. The hull is used because a cropped head is not a closed ring, and holes
cannot then be filled reliably.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from model.binary_masks import close_mask, convex_hull, largest_piece
from model.images import GrayPixels
from model.picture_rims import is_negative, trim_flat_borders, trim_frame
from model.quick_filters import open_mask, percentiles, shrink_whole, smooth_by_one

WORKING_SIZE: Final = 128
"""Longest side, in pixels, at which the outline is drawn: 2 mm on a 256 mm field of view."""

LIFT: Final = 0.12
"""Share of the way from the background to the brightest tissue above which a pixel is head.
Brain in a T1 picture with bright fat lies at 0.2-0.3; scanner noise stays below 0.08."""

SMALLEST_HEAD: Final = 0.04
"""A piece smaller than this share of the picture is not taken for a head."""

CLOSING_STEPS: Final = 3
"""Gaps up to twice as many pixels wide are closed before pieces are told apart."""

CORNER: Final = 10
"""A corner is one part in so many of the shorter side."""

BUSY_SPREAD: Final = 0.02
"""Spread of the levels, of the picture's range, above which a corner is not plain background."""

BUSY_BLUR: Final = 2.0
"""Pixels of the working picture by which noise and text are evened out."""

LEAST_GRAIN: Final = 0.04
"""Mean difference of neighbouring pixels from which a background counts as strong noise; weaker
noise lies below `LIFT`."""

NOISE_EVENNESS: Final = 0.6
"""Least grain in the corners over their middle one: noise is even, text and pictures are not."""

HEAD_GRAIN: Final = 0.55
"""A head in front of noise has at most this share of its grain."""

BUSY_CORNERS: Final = 3
"""A neck or an ear may reach into two corners."""


@dataclass(frozen=True)
class HeadRegion:
    """The head of one picture.

    Attributes:
        mask: (height, width) of a shrunken picture, True inside the head's convex hull.
        scale: pixels of the picture for one pixel of `mask`.
        x, y, width, height: bounding box of the head in pixels of the picture.
        inverted: whether the picture is a negative (bright background).
        found: False when no head could be told from the background; the box is then the picture.
    """

    mask: npt.NDArray[np.bool_]
    scale: float
    x: float
    y: float
    width: float
    height: float
    inverted: bool
    found: bool


def find_head(pixels: GrayPixels) -> HeadRegion:
    """Find the head in a picture.

    Args:
        pixels: (height, width), 0..1; any size from 1x1.

    Returns:
        The head's hull and box; the whole picture, with `found` False, if nothing stands out.
    """
    height, width = pixels.shape
    scale = max(1.0, max(height, width) / WORKING_SIZE)
    small = _shrink(pixels, scale)
    low, high = percentiles(small[::2, ::2], 1.0, 99.5)
    span = high - low
    if span < 1e-3:  # noqa: PLR2004 - one part in a thousand: a blank picture
        return _whole(small, scale, width, height)
    levels = np.clip((small - low) / span, 0.0, 1.0)
    top, bottom, left, right = trim_flat_borders(levels)
    inverted = is_negative(levels[top:bottom, left:right])
    if not inverted:  # the background of a negative is even and bright too
        top, bottom, left, right = trim_frame(levels, (top, bottom, left, right))
    inner = levels[top:bottom, left:right]
    hull = None
    busy = _count_busy_corners(inner) >= BUSY_CORNERS
    if busy:
        grain = _measure_grain(pixels, small.shape[1], small.shape[0])
        hull = _hull_within_noise(grain[top:bottom, left:right])
    if hull is None:
        hull = _hull_of_largest_piece(1.0 - inner if inverted else inner, busy=busy)
    if hull is None:
        return _whole(small, scale, width, height, inverted=inverted)
    mask = np.zeros(small.shape, dtype=bool)
    mask[top:bottom, left:right] = hull
    rows = np.flatnonzero(mask.any(axis=1))
    columns = np.flatnonzero(mask.any(axis=0))
    return HeadRegion(
        mask=mask,
        scale=scale,
        x=float(columns[0]) * scale,
        y=float(rows[0]) * scale,
        width=float(columns[-1] - columns[0] + 1) * scale,
        height=float(rows[-1] - rows[0] + 1) * scale,
        inverted=inverted,
        found=True,
    )


def _shrink(pixels: GrayPixels, scale: float) -> GrayPixels:
    height, width = pixels.shape
    if scale.is_integer() and height % scale == 0 and width % scale == 0:
        return shrink_whole(pixels, int(scale))
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32), mode="F")
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float32)


def _measure_grain(pixels: GrayPixels, width: int, height: int) -> npt.NDArray[np.float32]:
    """Return the mean difference of each pixel from its neighbours, shrunken to a size."""
    rough = np.abs(pixels - ndimage.uniform_filter(pixels, 3))
    image = Image.fromarray(rough).resize((width, height), Image.Resampling.BOX)
    return np.asarray(ndimage.gaussian_filter(np.asarray(image), BUSY_BLUR), dtype=np.float32)


def _whole(
    small: GrayPixels,
    scale: float,
    width: int,
    height: int,
    *,
    inverted: bool = False,
) -> HeadRegion:
    return HeadRegion(
        mask=np.ones(small.shape, dtype=bool),
        scale=scale,
        x=0.0,
        y=0.0,
        width=float(width),
        height=float(height),
        inverted=inverted,
        found=False,
    )


def _hull_of_largest_piece(levels: GrayPixels, *, busy: bool) -> npt.NDArray[np.bool_] | None:
    smooth = _without_strokes(levels) if busy else smooth_by_one(levels)
    background, bright = percentiles(smooth[::2, ::2], 2.0, 99.0)
    lifted = smooth > background + LIFT * (bright - background)
    opened = open_mask(lifted)
    # Text and rulers are gone, or apart from the head if nothing joins them to it.
    piece = largest_piece(opened if busy else close_mask(opened, CLOSING_STEPS), SMALLEST_HEAD)
    return None if piece is None else convex_hull(piece)


def _without_strokes(levels: GrayPixels) -> GrayPixels:
    """Take thin strokes away and even noise out."""
    opened = ndimage.grey_opening(levels, size=3)
    return np.asarray(ndimage.gaussian_filter(opened, BUSY_BLUR), dtype=np.float32)


def _hull_within_noise(grain: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_] | None:
    """Tell a head from even noise by its lower grain, whatever its level; None without noise.

    Args:
        grain: (height, width) mean difference of neighbouring pixels.
    """
    corners = np.concatenate([corner.ravel() for corner in _corners(grain)])
    noise = float(np.median(corners))
    if noise < LEAST_GRAIN or float(np.percentile(corners, 10)) < NOISE_EVENNESS * noise:
        return None
    quiet = close_mask(open_mask(grain < HEAD_GRAIN * noise), CLOSING_STEPS)
    piece = largest_piece(quiet, SMALLEST_HEAD)
    return None if piece is None else convex_hull(piece)


def _count_busy_corners(levels: npt.NDArray[np.float32]) -> int:
    # No spread is wider than half the range, which is quicker to find.
    return sum(
        float(np.ptp(corner)) > 2 * BUSY_SPREAD and float(corner.std()) > BUSY_SPREAD
        for corner in _corners(levels)
    )


def _corners(levels: npt.NDArray[np.float32]) -> list[npt.NDArray[np.float32]]:
    """Return the four corners of a picture, where there is no head."""
    side = max(2, min(levels.shape) // CORNER)
    return [
        levels[rows, columns]
        for rows in (slice(None, side), slice(-side, None))
        for columns in (slice(None, side), slice(-side, None))
    ]
