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
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

from model.images import GrayPixels

WORKING_SIZE: Final = 128
"""Longest side, in pixels, at which the outline is drawn: 2 mm on a 256 mm field of view."""

FLAT_LINE_RANGE: Final = 0.06
"""A row or column whose values span less than this share of the picture's range is a border."""

SMALLEST_REST: Final = 8
"""If trimming leaves fewer pixels than this on a side, it was no border that was trimmed."""

LIFT: Final = 0.12
"""Share of the way from the background to the brightest tissue above which a pixel is head.
Brain in a T1 picture with bright fat lies at 0.2-0.3; scanner noise stays below 0.08."""

SMALLEST_HEAD: Final = 0.04
"""A piece smaller than this share of the picture is not taken for a head."""

CLOSING_STEPS: Final = 3
"""Gaps up to twice as many pixels wide are closed before pieces are told apart."""

BRIGHT_RING: Final = 0.7
"""A rim at this share of the picture's range, or above, belongs to an inverted picture."""


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
    low, high = np.percentile(small[::2, ::2], (1.0, 99.5))
    span = float(high - low)
    if span < 1e-3:  # noqa: PLR2004 - one part in a thousand: a blank picture
        return _whole(small, scale, width, height)
    levels = np.clip((small - low) / span, 0.0, 1.0)
    top, bottom, left, right = _trim_flat_borders(levels)
    inner = levels[top:bottom, left:right]
    inverted = _is_inverted(inner)
    hull = _hull_of_largest_piece(1.0 - inner if inverted else inner)
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
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32), mode="F")
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float32)


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


def _trim_flat_borders(levels: npt.NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Return top, bottom, left, right of what is left without flat rows and columns."""
    top, left = 0, 0
    bottom, right = levels.shape
    limit_rows, limit_columns = bottom // 4, right // 4
    # A painted frame may lie inside a flat margin, so that rows and columns take turns.
    changed = True
    while changed and bottom - top > limit_rows and right - left > limit_columns:
        inner = levels[top:bottom, left:right]
        rows, columns = _not_flat(inner, axis=1), _not_flat(inner, axis=0)
        if rows.size == 0 or columns.size == 0:
            return 0, levels.shape[0], 0, levels.shape[1]
        changed = (rows[-1] - rows[0], columns[-1] - columns[0]) != (
            bottom - top - 1,
            right - left - 1,
        )
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        left, right = left + int(columns[0]), left + int(columns[-1]) + 1
    if min(bottom - top, right - left) < SMALLEST_REST:
        return 0, levels.shape[0], 0, levels.shape[1]
    return top, bottom, left, right


def _not_flat(levels: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.intp]:
    """Return the numbers of the rows (axis 1) or columns (axis 0) that are not flat."""
    return np.flatnonzero(levels.max(axis=axis) - levels.min(axis=axis) >= FLAT_LINE_RANGE)


def _is_inverted(levels: npt.NDArray[np.float32]) -> bool:
    """Tell a negative: its rim is bright and even, its middle darker."""
    thickness = max(1, min(levels.shape) // 24)
    inside = np.zeros(levels.shape, dtype=bool)
    inside[thickness:-thickness, thickness:-thickness] = True
    if not inside.any():
        return False
    rim = levels[~inside]
    return bool(np.median(rim) > BRIGHT_RING and np.median(rim) > np.median(levels[inside]) + 0.1)


def _hull_of_largest_piece(levels: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_] | None:
    smooth = ndimage.gaussian_filter(levels, 1.0)
    background, bright = np.percentile(smooth[::2, ::2], (2.0, 99.0))
    lifted = smooth > background + LIFT * (bright - background)
    joined = _close(_open(lifted), CLOSING_STEPS)
    pieces, count = ndimage.label(joined)
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    largest = pieces == 1 + int(np.argmax(sizes))
    if sizes.max() < SMALLEST_HEAD * levels.size:
        return None
    return _convex_hull(largest)


def _convex_hull(piece: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    rows = np.flatnonzero(piece.any(axis=1))
    firsts = piece[rows].argmax(axis=1)
    lasts = piece.shape[1] - 1 - piece[rows, ::-1].argmax(axis=1)
    points = np.stack([np.concatenate([firsts, lasts]), np.concatenate([rows, rows])], axis=1)
    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:  # fewer than three points, or all on one line
        return piece
    image = Image.new("1", (piece.shape[1], piece.shape[0]))
    ImageDraw.Draw(image).polygon([(int(x), int(y)) for x, y in corners], fill=1, outline=1)
    return np.asarray(image, dtype=bool) | piece


def _open(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Erode and dilate by one pixel to the four sides; what lies beyond the picture is empty."""
    return dilate(~dilate(np.pad(~mask, 1, constant_values=True))[1:-1, 1:-1])


def _close(mask: npt.NDArray[np.bool_], steps: int) -> npt.NDArray[np.bool_]:
    """Dilate and erode by some pixels; a mask at the picture's edge does not shrink from it."""
    wide = np.pad(mask, steps + 1)
    for _ in range(steps):
        wide = dilate(wide)
    wide = ~wide
    for _ in range(steps):
        wide = dilate(wide)
    return ~wide[steps + 1 : -steps - 1, steps + 1 : -steps - 1]


def dilate(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Widen a mask by one pixel to the four sides; ten times as fast here as scipy's."""
    out = mask.copy()
    out[1:] |= mask[:-1]
    out[:-1] |= mask[1:]
    out[:, 1:] |= mask[:, :-1]
    out[:, :-1] |= mask[:, 1:]
    return out
