"""Other backgrounds behind the same head: noise, text, a border, a photograph.

Each function makes a background of a given (height, width), 0 black to 1 white;
`replace_background` puts it behind a head.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from model.images import GrayPixels
from model.independent_outline import Mask

Shape = tuple[int, int]
"""(height, width)."""

LINES: Final = (
    "SE: 4  IM: 12/24",
    "TR: 500  TE: 14",
    "SL: 5.0 mm  FoV: 230",
    "W: 512  L: 256",
    "R        A        L",
    "Ax T1 FS  +C",
)
"""What a workstation writes into a picture's corners; no person's data."""

TEXT_HEIGHT: Final = 0.045
"""Of a line, as a share of the picture's height."""

LEAST_TEXT: Final = 8
"""Pixels of the smallest line."""


def replace_background(pixels: GrayPixels, head: Mask, background: GrayPixels) -> GrayPixels:
    """Put a background behind the head; not a pixel of the head changes."""
    return np.asarray(np.where(head, pixels, background), dtype=np.float32)


def make_noise(shape: Shape, strength: float, random: np.random.Generator) -> GrayPixels:
    """Make noise, even between black and `strength`."""
    return np.asarray(random.uniform(0.0, strength, shape), dtype=np.float32)


def make_text(shape: Shape, random: np.random.Generator) -> GrayPixels:
    """Make black with white lines of text all over."""
    height, width = shape
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    size = max(LEAST_TEXT, round(TEXT_HEIGHT * height))
    font = ImageFont.load_default(size)
    for top in range(size // 2, height, round(1.6 * size)):
        left = int(random.integers(-width // 8, width // 8))
        words = [LINES[index] for index in random.permutation(len(LINES))]
        draw.text((left, top), "   ".join(words), fill=255, font=font)
    return np.asarray(image, dtype=np.float32) / np.float32(255.0)


def make_border(shape: Shape) -> GrayPixels:
    """Make black with a gray frame, a white line and the ticks of a ruler, as viewers draw them."""
    height, width = shape
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    wide = max(2, round(0.035 * min(shape)))
    draw.rectangle((0, 0, width - 1, height - 1), outline=120, width=wide)
    draw.rectangle((wide, wide, width - 1 - wide, height - 1 - wide), outline=255, width=2)
    for tick in range(2 * wide, height - 2 * wide, max(4, height // 20)):
        draw.line((wide, tick, 2 * wide, tick), fill=255, width=2)
    return np.asarray(image, dtype=np.float32) / np.float32(255.0)


def make_photograph(shape: Shape) -> GrayPixels:
    """Make a photograph: scikit-image's picture of a man with a camera, scaled."""
    height, width = shape
    image = Image.fromarray(_photograph(), mode="F")
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR), dtype=np.float32)


@cache
def _photograph() -> GrayPixels:
    return np.asarray(data.camera(), dtype=np.float32) / np.float32(255.0)
