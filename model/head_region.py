"""Where the head is in a picture, so that nothing outside it can sway the network.

The outline is drawn from the picture alone, without a trained part: trim flat borders, turn
inverted pictures the right way round, tell the head from the background, and take its convex hull
(`model.head_hull`). The hull is used because a cropped head is not a closed ring, and holes cannot
then be filled reliably.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.head_hull import find_hull, is_bright_noise, is_busy, measure_grain
from model.images import GrayPixels
from model.picture_rims import Window, is_negative, trim_flat_borders, trim_frame
from model.quick_filters import percentiles, shrink_whole

WORKING_SIZE: Final = 128
"""Longest side, in pixels, at which the outline is drawn: 2 mm on a 256 mm field of view."""


@dataclass(frozen=True)
class HeadRegion:
    """The head of one picture.

    Attributes:
        mask: (height, width) of a shrunken picture, True inside the head's convex hull.
        scale: pixels of the picture for one pixel of `mask`.
        x, y, width, height: bounding box of the head in pixels of the picture.
        inverted: whether the picture is a negative (bright background).
        found: False when no head could be told from the background; the box is then the picture.
        before_busy: whether the background is noise, text or the like, some of which may lie
            within the mask's rim.
    """

    mask: npt.NDArray[np.bool_]
    scale: float
    x: float
    y: float
    width: float
    height: float
    inverted: bool
    found: bool
    before_busy: bool = False


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
    window = trim_flat_borders(levels)
    whole_grain = cache(lambda: measure_grain(pixels, small.shape))

    def grain() -> GrayPixels:
        return _cut(whole_grain(), window)

    trimmed = _cut(levels, window)
    inverted = is_negative(trimmed) and not is_bright_noise(trimmed, grain)
    if not inverted:  # the background of a negative is even and bright too
        window = trim_frame(levels, window)
    inner = _cut(levels, window)
    hull = find_hull(1.0 - inner if inverted else inner, grain)
    if hull is None:
        return _whole(small, scale, width, height, inverted=inverted)
    top, bottom, left, right = window
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
        before_busy=is_busy(inner),
    )


def _shrink(pixels: GrayPixels, scale: float) -> GrayPixels:
    height, width = pixels.shape
    if scale.is_integer() and height % scale == 0 and width % scale == 0:
        return shrink_whole(pixels, int(scale))
    size = (max(1, round(width / scale)), max(1, round(height / scale)))
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32), mode="F")
    return np.asarray(image.resize(size, Image.Resampling.BOX), dtype=np.float32)


def _cut(levels: GrayPixels, window: Window) -> GrayPixels:
    top, bottom, left, right = window
    return levels[top:bottom, left:right]


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
