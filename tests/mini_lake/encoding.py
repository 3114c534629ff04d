"""Slices as JPEG and PNG files, and masks as 1-bit PNG."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image

from tests.mini_lake.anatomy import Field


def encode_jpeg(pixels: Field, quality: int) -> bytes:
    """8-bit gray JPEG of pixels in 0..1."""
    return _save(Image.fromarray(scale_pixels(pixels, 255).astype(np.uint8)), "JPEG", quality)


def encode_png(pixels: Field) -> bytes:
    """8-bit gray PNG of pixels in 0..1."""
    return _save(Image.fromarray(scale_pixels(pixels, 255).astype(np.uint8)), "PNG")


def encode_png_16_bit(pixels: Field) -> bytes:
    """16-bit gray PNG of pixels in 0..1, with the 12 significant bits that a scanner delivers."""
    return _save(Image.fromarray(scale_pixels(pixels, 4095) * np.uint16(16)), "PNG")


def encode_mask(mask: npt.NDArray[np.bool_]) -> bytes:
    """1-bit PNG."""
    return _save(Image.fromarray(mask), "PNG")


def encode_photograph(pixels: npt.NDArray[np.uint8], width: int, quality: int) -> bytes:
    """Colour JPEG of (height, width, 3) pixels, made smaller."""
    picture = Image.fromarray(pixels)
    height = round(picture.height * width / picture.width)
    return _save(picture.resize((width, height), Image.Resampling.LANCZOS), "JPEG", quality)


def scale_pixels(pixels: Field, maximum: int) -> npt.NDArray[np.uint16]:
    """Integers 0..maximum of pixels in 0..1.

    Rounding to nine digits first keeps the last bits of the processor's vector functions, which
    differ between machines, out of the files.
    """
    return np.asarray(np.rint(np.round(pixels, 9) * maximum), dtype=np.uint16)


def _save(picture: Image.Image, name: str, quality: int | None = None) -> bytes:
    buffer = BytesIO()
    options = {"optimize": True} if quality is None else {"quality": quality}
    picture.save(buffer, name, **options)
    return buffer.getvalue()
