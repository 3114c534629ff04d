"""Width and height as image files declare them, read from header bytes without a decoder."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from model.errors import UnreadableError, UnsupportedError

READ_JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
"""Start-of-frame markers of baseline, extended and progressive JPEG, Huffman or arithmetic."""

JPEG_FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC} | {0xF7}
"""All start-of-frame markers (ISO/IEC 10918-1, table B.1) and JPEG-LS's."""

END_OF_IMAGE: Final = 0xD9
START_OF_SCAN: Final = 0xDA

JPEG_START: Final = b"\xff\xd8"

_J2K_CODESTREAM: Final = b"\xff\x4f\xff\x51"

_TIFF_TYPES: Final = {1: "B", 3: "H", 4: "I"}
_PNG_CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


@dataclass(frozen=True)
class DeclaredSize:
    """What a header says.

    Attributes:
        width: pixels.
        height: pixels.
        bits_per_pixel: of all channels together, 0 where the format leaves it open.
    """

    width: int
    height: int
    bits_per_pixel: int = 0

    @property
    def raw_bytes(self) -> int:
        """Bytes of the picture without compression, 0 where that is not known."""
        return self.height * ((self.width * self.bits_per_pixel + 7) // 8)


def read_declared_size(data: bytes, image_format: str) -> DeclaredSize:
    """Read the declared size of a raster file.

    Args:
        data: the whole file.
        image_format: ``jpeg``, ``png``, ``gif``, ``tiff``, ``bmp`` or ``webp``.

    Raises:
        UnreadableError: if the header breaks off or makes no sense.
        UnsupportedError: if the header tells of a variant that is not read.
    """
    readers = {
        "jpeg": _read_jpeg,
        "png": _read_png,
        "gif": _read_gif,
        "tiff": _read_tiff,
        "bmp": _read_bmp,
        "webp": _read_webp,
    }
    try:
        return readers[image_format](data)
    except (struct.error, IndexError):
        message = "truncated: the header breaks off"
        raise UnreadableError(message) from None


def read_codestream_size(data: bytes) -> DeclaredSize | None:
    """Read the size that a compressed DICOM frame declares by itself.

    Args:
        data: JPEG, JPEG-LS or JPEG 2000, maybe in a JP2 file.

    Returns:
        The declared size, or None for another kind of data (RLE) or a header that breaks off.
    """
    try:
        if data.startswith(JPEG_START):
            return _find_jpeg_frame(data)[1]
        start = data.find(_J2K_CODESTREAM, 0, 4096)
        if start < 0:
            return None
        # ISO/IEC 15444-1, A.5.1: Lsiz, Rsiz, Xsiz, Ysiz, XOsiz, YOsiz.
        right, bottom, left, top = struct.unpack_from(">4I", data, start + 8)
    except (struct.error, IndexError, UnreadableError):
        return None
    return DeclaredSize(right - left, bottom - top)


def next_jpeg_marker(data: bytes, position: int) -> tuple[int, int]:
    """Return the marker at a position and the position behind it, padding skipped.

    Raises:
        UnreadableError: if there is no marker.
    """
    if data[position : position + 1] != b"\xff":
        message = "truncated: the file breaks off before its end marker"
        raise UnreadableError(message)
    while data[position : position + 1] == b"\xff":
        position += 1
    if position >= len(data):
        message = "truncated: the file breaks off before its end marker"
        raise UnreadableError(message)
    return data[position], position + 1


def _find_jpeg_frame(data: bytes) -> tuple[int, DeclaredSize]:
    """Return marker and size of the first start-of-frame segment."""
    position = 2
    while True:
        marker, position = next_jpeg_marker(data, position)
        if marker in JPEG_FRAMES:
            precision, height, width, channels = struct.unpack_from(">BHHB", data, position + 2)
            return marker, DeclaredSize(width, height, precision * channels)
        if marker in (END_OF_IMAGE, START_OF_SCAN):
            message = "a JPEG without a frame header"
            raise UnreadableError(message)
        position += max(2, int.from_bytes(data[position : position + 2], "big"))


def _read_jpeg(data: bytes) -> DeclaredSize:
    marker, declared = _find_jpeg_frame(data)
    if marker not in READ_JPEG_FRAMES:
        message = "lossless JPEG and JPEG-LS are read inside DICOM only"
        raise UnsupportedError(message)
    return declared


def _read_png(data: bytes) -> DeclaredSize:
    name, width, height, depth, kind = struct.unpack_from(">4sIIBB", data, 12)
    if name != b"IHDR":
        message = "a PNG without a header chunk"
        raise UnreadableError(message)
    return DeclaredSize(width, height, depth * _PNG_CHANNELS.get(kind, 1))


def _read_gif(data: bytes) -> DeclaredSize:
    return DeclaredSize(*struct.unpack_from("<HH", data, 6))


def _read_bmp(data: bytes) -> DeclaredSize:
    (header_bytes,) = struct.unpack_from("<I", data, 14)
    if header_bytes == 12:  # noqa: PLR2004 - OS/2 1.x
        width, height, _, depth = struct.unpack_from("<HHHH", data, 18)
        return DeclaredSize(width, height, depth)
    width, height, _, depth, compression = struct.unpack_from("<iiHHI", data, 18)
    # A negative height means that rows run from top to bottom; 1 and 2 are run lengths.
    return DeclaredSize(width, abs(height), 0 if compression in (1, 2) else depth)


def _read_webp(data: bytes) -> DeclaredSize:
    kind = data[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(data[24:27], "little") + 1
        return DeclaredSize(width, int.from_bytes(data[27:30], "little") + 1)
    if kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", data, 21)
        return DeclaredSize((bits & 0x3FFF) + 1, ((bits >> 14) & 0x3FFF) + 1)
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return DeclaredSize(width & 0x3FFF, height & 0x3FFF)
    message = "a WebP without a picture chunk"
    raise UnreadableError(message)


def _read_tiff(data: bytes) -> DeclaredSize:
    """Read the first page; later pages are measured when their turn comes."""
    order = "<" if data[:2] == b"II" else ">"
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    (entries,) = struct.unpack_from(f"{order}H", data, directory)
    found: dict[int, int] = {}
    for index in range(entries):
        entry = directory + 2 + 12 * index
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in (256, 257) and kind in _TIFF_TYPES:
            (found[tag],) = struct.unpack_from(f"{order}{_TIFF_TYPES[kind]}", data, entry + 8)
    return DeclaredSize(found.get(256, 0), found.get(257, 0))
