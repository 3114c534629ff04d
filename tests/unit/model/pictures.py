"""Simple drawn heads with known outlines, for tests of what is cut out and found."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.images import DecodedImage, GrayPixels

Mask = npt.NDArray[np.bool_]


def ellipse(
    height: int, width: int, centre: tuple[float, float], radii: tuple[float, float]
) -> Mask:
    """Draw a filled ellipse; centre and radii as (row, column)."""
    rows, columns = np.mgrid[:height, :width]
    down = (rows - centre[0]) / radii[0]
    across = (columns - centre[1]) / radii[1]
    return np.asarray(down**2 + across**2 <= 1.0, dtype=bool)


def draw_head(height: int = 200, width: int = 160) -> tuple[GrayPixels, Mask]:
    """Draw a brain of middle levels inside a bright scalp on black; returns the head's mask."""
    centre = (height / 2, width / 2)
    head = ellipse(height, width, centre, (height * 0.4, width * 0.4))
    brain = ellipse(height, width, centre, (height * 0.34, width * 0.34))
    texture = np.random.default_rng(7).normal(0, 0.03, (height, width))
    pixels = np.where(head, 0.9, 0.02) + np.where(brain, -0.45 + texture, 0.0)
    return np.asarray(np.clip(pixels, 0, 1), dtype=np.float32), head


def as_image(pixels: GrayPixels) -> DecodedImage:
    """Wrap pixels as a decoded PNG."""
    height, width = pixels.shape
    return DecodedImage(pixels, width, height, "png")
