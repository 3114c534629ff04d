"""Changes of framing: what is cut off, how much surrounds the head, which way up it is.

All functions take and return (height, width) pixels, 0 black to 1 white.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage

from model.images import GrayPixels
from model.independent_outline import Mask

LEAST_SIDE: Final = 16
"""A crop is never narrower, in pixels."""


def keep_inside(pixels: GrayPixels, mask: Mask) -> GrayPixels:
    """Blacken what lies outside a mask, with an edge as soft as a resampled one."""
    soft = ndimage.gaussian_filter(mask.astype(np.float32), 0.7)
    return np.asarray(pixels * soft, dtype=np.float32)


def crop_to(
    pixels: GrayPixels,
    mask: Mask,
    inset: float,
    must_show: Mask | None = None,
) -> GrayPixels:
    """Cut the picture to the box of a mask.

    Args:
        pixels: the picture.
        mask: of its size; not empty.
        inset: share of the box's sides that is cut off on each side as well.
        must_show: of its size; its box is never cut, so that a lesion stays in the picture.
    """
    top, bottom, left, right = _box(mask)
    down, across = round(inset * (bottom - top)), round(inset * (right - left))
    top, bottom, left, right = top + down, bottom - down, left + across, right - across
    if must_show is not None and must_show.any():
        shown = _box(must_show)
        top, bottom = min(top, shown[0]), max(bottom, shown[1])
        left, right = min(left, shown[2]), max(right, shown[3])
    if min(bottom - top, right - left) < LEAST_SIDE:
        return pixels
    return pixels[top:bottom, left:right].copy()


def place_on_canvas(
    pixels: GrayPixels,
    factor: float,
    position: tuple[float, float],
    level: float,
) -> GrayPixels:
    """Put the picture onto a larger canvas of one level.

    Args:
        pixels: the picture.
        factor: sides of the canvas over those of the picture, at least 1.
        position: of the picture on the canvas, (down, across), 0 at the top or left, 1 at the end.
        level: of the canvas.
    """
    height, width = pixels.shape
    canvas = np.full((round(height * factor), round(width * factor)), level, dtype=np.float32)
    top = round((canvas.shape[0] - height) * position[0])
    left = round((canvas.shape[1] - width) * position[1])
    canvas[top : top + height, left : left + width] = pixels
    return canvas


def rotate(pixels: GrayPixels, degrees: float) -> GrayPixels:
    """Turn the picture about its middle and keep its size; corners that come in are black."""
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32), mode="F")
    return np.asarray(image.rotate(degrees, Image.Resampling.BICUBIC), dtype=np.float32)


def turn(pixels: GrayPixels, quarters: int) -> GrayPixels:
    """Turn the picture by quarters, against the clock."""
    return np.ascontiguousarray(np.rot90(pixels, quarters))


def mirror(pixels: GrayPixels, axis: int) -> GrayPixels:
    """Mirror the picture: up and down (axis 0), or left and right (axis 1)."""
    return np.ascontiguousarray(np.flip(pixels, axis))


def resize_to(pixels: GrayPixels, side: int) -> GrayPixels:
    """Scale the picture to a square of this side, whatever its shape."""
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32), mode="F")
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR), dtype=np.float32)


def blank_rim(pixels: GrayPixels, share: float) -> GrayPixels:
    """Blacken a rim that is this share of each side wide."""
    down, across = (max(1, round(share * side)) for side in pixels.shape)
    blanked = np.zeros_like(pixels)
    blanked[down:-down, across:-across] = pixels[down:-down, across:-across]
    return blanked


def _box(mask: Mask) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
