"""What stands around a head that is not the head: grain, writing, frames, gradients.

Training puts it behind heads, so that neither network nor scope gate takes it for a sign of
anything. The shift table measures with backgrounds of its own (`picture_changes_background`).
"""

from __future__ import annotations

import string
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

Clutter = npt.NDArray[np.float32]
"""(height, width), 0 black to 1 white."""

Shape = tuple[int, int]
"""(height, width)."""

CHARACTERS: Final = string.ascii_letters + string.digits + " :/.-+"


def make_clutter(shape: Shape, random: np.random.Generator) -> Clutter:
    """Draw one kind of clutter, of random strength, all over a picture."""
    kinds = (make_grain, make_writing, make_frame, make_gradient)
    return kinds[int(random.integers(len(kinds)))](shape, random)


def make_grain(shape: Shape, random: np.random.Generator) -> Clutter:
    """Draw noise, fine to coarse, faint to strong."""
    grain = np.abs(random.normal(0.0, 1.0, shape)).astype(np.float32)
    grain = ndimage.gaussian_filter(grain, float(random.uniform(0.0, 1.5)))
    strength = float(random.uniform(0.03, 0.7))
    return np.asarray(np.clip(grain * strength / max(1e-6, grain.max()), 0, 1), dtype=np.float32)


def make_writing(shape: Shape, random: np.random.Generator) -> Clutter:
    """Draw random words in random places, of one size and brightness."""
    height, width = shape
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    size = max(7, round(float(random.uniform(0.025, 0.08)) * height))
    font = ImageFont.load_default(size)
    brightness = int(random.integers(110, 256))
    for _ in range(int(random.integers(8, 60))):
        letters = random.choice(list(CHARACTERS), int(random.integers(3, 16)))
        place = (int(random.integers(-width // 8, width)), int(random.integers(0, height)))
        draw.text(place, "".join(letters), fill=brightness, font=font)
    return np.asarray(image, dtype=np.float32) / np.float32(255.0)


def make_frame(shape: Shape, random: np.random.Generator) -> Clutter:
    """Draw nested frames of random widths and grays, as viewers and screenshots have them."""
    height, width = shape
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    inset = 0
    for _ in range(int(random.integers(1, 4))):
        wide = max(1, round(float(random.uniform(0.004, 0.05)) * min(shape)))
        corner = (inset, inset, width - 1 - inset, height - 1 - inset)
        draw.rectangle(corner, outline=int(random.integers(50, 256)), width=wide)
        inset += wide + int(random.integers(0, max(2, min(shape) // 20)))
    return np.asarray(image, dtype=np.float32) / np.float32(255.0)


def make_gradient(shape: Shape, random: np.random.Generator) -> Clutter:
    """Draw an even or slanting gray."""
    rows, columns = np.mgrid[0.0 : 1.0 : shape[0] * 1j, 0.0 : 1.0 : shape[1] * 1j]
    down, right, base = random.uniform(-0.4, 0.4), random.uniform(-0.4, 0.4), random.uniform(0, 0.5)
    return np.asarray(np.clip(base + down * rows + right * columns, 0, 1), dtype=np.float32)
