"""JPEG, PNG, TIFF, BMP, GIF and WebP through Pillow, strictly: a truncated file is unreadable."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from model.completeness import check_complete
from model.decoding_guard import image_errors_only
from model.errors import ImageError, UnsupportedError
from model.gray_levels import measure_colourfulness, robust_levels
from model.images import DecodedImage
from model.preflight import DecodingLimits, check_declared_size, check_frames, check_pixels

PILLOW_FORMATS: Final = {
    "jpeg": ("JPEG", "MPO"),
    "png": ("PNG",),
    "gif": ("GIF",),
    "tiff": ("TIFF",),
    "bmp": ("BMP",),
    "webp": ("WEBP",),
}
"""Pillow may only try the reader that the magic bytes call for."""

LEAST_SHORTER_SIDE: Final = 512
"""A JPEG is scaled down while decoding only if its shorter side stays at least this long."""

EXIF_ORIENTATION: Final = 274
TIFF_PHOTOMETRIC: Final = 262
TIFF_WHITE_IS_ZERO: Final = 0

TIFF_BITS_PER_SAMPLE: Final = 258
PNG_DEPTH_BYTE: Final = 24

BITS_OF_COLOUR: Final = 8
"""Pillow keeps so many of a sample beside colour or alpha, and drops the lower ones."""

LEAST_BRIGHT: Final = 0.25
"""Brightest level, at least, of a picture whose lower bits were dropped: 64 levels are left."""

_DEEP_MODES: Final = frozenset({"I", "F", "I;16", "I;16B", "I;16L", "I;16N"})


def decode_raster(
    data: bytes,
    image_format: str,
    limits: DecodingLimits,
) -> Iterator[DecodedImage | ImageError]:
    """Decode a raster file.

    Args:
        data: the whole file.
        image_format: what the magic bytes say.
        limits: see there.

    Yields:
        The picture; for a TIFF one item a page, since any page may hold the finding.

    Raises:
        ImageError: if the file cannot be opened.
    """
    check_declared_size(data, image_format, limits)
    check_complete(data, image_format)
    with image_errors_only("reading the header"):
        image = Image.open(io.BytesIO(data), formats=PILLOW_FORMATS[image_format])
        count = int(getattr(image, "n_frames", 1))
    pages = count if image_format == "tiff" else 1
    check_frames(pages, limits)
    detail = f"first of {count} frames" if count > pages else None
    if pages == 1:
        yield _decode_page(data, image, 0, image_format, limits, detail)
        return
    for page in range(pages):
        try:
            detail = f"page {page + 1} of {pages}"
            yield _decode_page(data, image, page, image_format, limits, detail)
        except ImageError as error:
            error.frame = page
            yield error


def _decode_page(  # noqa: PLR0913 - the file as bytes, as opened, and what is known of it
    data: bytes,
    image: Image.Image,
    page: int,
    image_format: str,
    limits: DecodingLimits,
    detail: str | None,
) -> DecodedImage:
    with image_errors_only("decoding"):
        if page:
            image.seek(page)
        check_pixels(image.width, image.height, limits)
        width, height = image.size
        _ask_for_less(image)
        upright = _turn_upright(image)
        if upright.size == image.size[::-1]:
            width, height = height, width
        pixels, colourfulness = _gray_pixels(upright)
        if image.mode not in _DEEP_MODES and _bits_per_sample(image, data) > BITS_OF_COLOUR:
            _refuse_lost_bits(pixels)
    return DecodedImage(
        pixels=pixels,
        original_width=width,
        original_height=height,
        format=image_format,
        frame=page,
        colourfulness=colourfulness,
        detail=detail,
    )


def _ask_for_less(image: Image.Image) -> None:
    """Let a large JPEG be decoded at a half, a quarter or an eighth, which is far quicker."""
    shorter = min(image.size)
    if image.format in ("JPEG", "MPO") and shorter >= 2 * LEAST_SHORTER_SIDE:
        scale = LEAST_SHORTER_SIDE / shorter
        wanted = (math.ceil(image.width * scale), math.ceil(image.height * scale))
        image.draft(None, wanted)  # None keeps the mode


def _turn_upright(image: Image.Image) -> Image.Image:
    """Turn as EXIF asks; an image that stands upright already is not copied."""
    if image.getexif().get(EXIF_ORIENTATION, 1) == 1:
        image.load()
        return image
    return ImageOps.exif_transpose(image)


def _gray_pixels(image: Image.Image) -> tuple[npt.NDArray[np.float32], float]:
    """Return (height, width) in 0..1 and the colourfulness of the picture."""
    if image.mode in _DEEP_MODES:
        return _deep_gray(image), 0.0
    if image.has_transparency_data:
        image = _on_black(image)
    gray = np.asarray(image.convert("L"), dtype=np.float32)
    gray *= np.float32(1.0 / 255.0)
    if image.mode in {"1", "L"}:
        return gray, 0.0
    # Every other pixel tells the colour as well, at a quarter of the time.
    half = (max(1, image.width // 2), max(1, image.height // 2))
    sample = image.convert("RGB").resize(half, Image.Resampling.NEAREST)
    return gray, measure_colourfulness(np.asarray(sample))


def _bits_per_sample(image: Image.Image, data: bytes) -> int:
    if image.format == "PNG":
        return data[PNG_DEPTH_BYTE]
    return int(max(getattr(image, "tag_v2", {}).get(TIFF_BITS_PER_SAMPLE, (BITS_OF_COLOUR,))))


def _refuse_lost_bits(pixels: npt.NDArray[np.float32]) -> None:
    """Refuse a picture of which little is left: 12 bits of 16 become 4.

    Raises:
        UnsupportedError: if it is too dark for its 8 bits to show it.
    """
    if np.percentile(pixels, 99.9) < LEAST_BRIGHT:
        message = "more than 8 bits beside colour or alpha are read only if they fill their range"
        raise UnsupportedError(message)


def _deep_gray(image: Image.Image) -> npt.NDArray[np.float32]:
    """Scale more than 8 bits: scanners use 12 of 16, which a plain division would leave black."""
    values = np.asarray(image).astype(np.float32)
    tags = getattr(image, "tag_v2", {})
    # Pillow turns 8-bit pictures with this tag the right way round, deeper ones not.
    if tags.get(TIFF_PHOTOMETRIC) == TIFF_WHITE_IS_ZERO:
        values = -values
    return robust_levels(values)


def _on_black(image: Image.Image) -> Image.Image:
    """Lay a transparent picture on black, the background of MR."""
    layered = image.convert("RGBA")
    black = Image.new("RGBA", layered.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, layered).convert("RGB")
