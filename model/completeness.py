"""Whether a raster file is all there, where Pillow itself would not notice.

A transfer that was cut off may leave a file of the right length whose tail is zero. Zeros are
valid codes of JPEG, WebP and deflate, so such a file decodes into a picture with a gray or black
part: a picture that could be cleared. Uncompressed pixels (BMP, some TIFF) hold nothing that
would give a zeroed tail away.
"""

from __future__ import annotations

import re
import zlib
from typing import Final

from model.errors import UnreadableError
from model.image_headers import END_OF_IMAGE, START_OF_SCAN, next_jpeg_marker

ZERO_TAIL_BYTES: Final = 32
"""Compressed data do not end in so many zeros."""

PNG_SIGNATURE_BYTES: Final = 8

_MARKER_IN_SCAN: Final = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")
"""The next marker after coded data: neither a stuffed zero, nor a restart, nor padding."""

_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""JPEG markers that are not followed by a length."""


def check_complete(data: bytes, image_format: str) -> None:
    """Look for the end that the format asks for.

    Args:
        data: the whole file.
        image_format: what the magic bytes say.

    Raises:
        UnreadableError: if the file breaks off or a checksum is wrong.
    """
    if image_format == "jpeg":
        _check_jpeg_segments(data)
    elif image_format == "png":
        _check_png_chunks(data)
    elif image_format == "webp" and not any(data[-ZERO_TAIL_BYTES:]):
        message = "truncated: the file ends in zeros"
        raise UnreadableError(message)


def _check_jpeg_segments(data: bytes) -> None:
    """Walk through all segments to the end-of-image marker; what follows it is not looked at."""
    position = 2
    while True:
        marker, position = next_jpeg_marker(data, position)
        if marker == END_OF_IMAGE:
            return
        if marker in _WITHOUT_LENGTH:
            continue
        position += max(2, int.from_bytes(data[position : position + 2], "big"))
        if marker == START_OF_SCAN:
            found = _MARKER_IN_SCAN.search(data, position)
            position = found.start() if found else len(data)


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
