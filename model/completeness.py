"""Whether a raster file is all there, where Pillow itself would not notice.

A transfer that was cut off may leave a file of the right length whose tail is zero. Zeros are
valid codes of JPEG, WebP and deflate, so such a file decodes into a picture with a gray or black
part: a picture that could be cleared. Uncompressed pixels (BMP, some TIFF and DICOM) hold nothing
that would give a zeroed tail away.
"""

from __future__ import annotations

import zlib
from typing import Final

from model.errors import UnreadableError
from model.jpeg_segments import check_jpeg_segments

ZERO_TAIL_BYTES: Final = 32
"""Compressed data do not end in so many zeros."""

PNG_SIGNATURE_BYTES: Final = 8

RIFF_HEAD_BYTES: Final = 8
"""Those that the length in a RIFF file's head leaves out."""


def check_complete(data: bytes, image_format: str) -> None:
    """Look for the end that the format asks for.

    Args:
        data: the whole file.
        image_format: what the magic bytes say.

    Raises:
        UnreadableError: if the file breaks off or a checksum is wrong.
    """
    if image_format == "jpeg":
        check_jpeg_segments(data)
    elif image_format == "png":
        _check_png_chunks(data)
    elif image_format == "webp":
        _check_webp(data)


def _check_webp(data: bytes) -> None:
    declared = RIFF_HEAD_BYTES + int.from_bytes(data[4:8], "little")
    if len(data) < declared:
        message = f"truncated: {len(data)} of {declared} bytes"
        raise UnreadableError(message)
    if not any(data[declared - ZERO_TAIL_BYTES : declared]):
        message = "truncated: the file ends in zeros"
        raise UnreadableError(message)


def _check_png_chunks(data: bytes) -> None:
    """Compare the checksum of every chunk up to the last; Pillow leaves those of pixels out."""
    position = PNG_SIGNATURE_BYTES
    view = memoryview(data)
    while position + 12 <= len(data):
        length = int.from_bytes(view[position : position + 4], "big")
        end = position + 8 + length
        if end + 4 > len(data):
            break
        if zlib.crc32(view[position + 4 : end]) != int.from_bytes(view[end : end + 4], "big"):
            message = "damaged: a checksum of the PNG is wrong"
            raise UnreadableError(message)
        if data[position + 4 : position + 8] == b"IEND":
            return
        position = end + 4
    message = "truncated: the file breaks off before its end chunk"
    raise UnreadableError(message)
