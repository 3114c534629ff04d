"""What is decided about an object's bytes before any decoder touches them.

A decoder trusts the sizes that a file declares; a file of 100 bytes can declare a picture of 10
gigabytes. So the size of the object, its format, and the declared width and height are judged
here, by looking at a few header bytes. Three answers stop an object:

* `too_large`: more bytes, pixels or frames than the limits allow;
* `unsupported`: the magic bytes are unknown, or those of a format that the job does not read.
  Nothing can be said of what the bytes should have been, so they are not called broken;
* `unreadable`: the magic bytes are known, but the file contradicts itself or breaks off.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from model.errors import EmptyObjectError, TooLargeError, UnreadableError, UnsupportedError
from model.image_headers import DeclaredSize, read_declared_size
from model.nifti_header import is_nifti

DICOM_PREAMBLE_BYTES: Final = 128

RASTER_MAGIC: Final = (
    (b"\xff\xd8\xff", "jpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
    (b"II*\x00", "tiff"),
    (b"MM\x00*", "tiff"),
)

UNREAD_MAGIC: Final = (
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "ZIP"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ", "xz"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000 outside DICOM"),
    (0, b"\xff\x4f\xff\x51", "JPEG 2000 outside DICOM"),
    (4, b"ftyp", "HEIF, AVIF or video"),
    (0, b"NRRD", "NRRD"),
    (0, b"ObjectType", "MetaImage"),
    (0, b"\x89HDF", "HDF5"),
    (0, b"\x93NUMPY", "NumPy array"),
    (0, b"II+\x00", "BigTIFF"),
    (0, b"MM\x00+", "BigTIFF"),
    (344, b"ni1\x00", "NIfTI in two files"),
    (0, b"<svg", "SVG"),
    (0, b"<?xml", "XML"),
    (0, b"<!DOCTYPE", "HTML"),
    (0, b"<html", "HTML"),
)
"""Offset, magic bytes and the name told to the reader, of what is recognised and not read."""

DENSEST_PNG: Final = 1100
"""Bytes of picture that one byte of a PNG can hold at most: deflate's ratio is below 1032."""


DENSEST_JPEG: Final = 512
"""Pixels that one byte of a JPEG can hold at most: a bit for each block of 8 x 8. Only the
arithmetic coding that hardly anyone uses could be denser, on an empty picture."""


@dataclass(frozen=True)
class DecodingLimits:
    """What an object may ask of the decoder.

    Attributes:
        maximum_bytes: of the object, and of what it inflates to.
        maximum_pixels: of one frame.
        maximum_frames: of one object.
    """

    maximum_bytes: int
    maximum_pixels: int
    maximum_frames: int


def check_bytes(data: bytes, limits: DecodingLimits) -> None:
    """Judge the object's length alone.

    Raises:
        EmptyObjectError: if there are no bytes.
        TooLargeError: if there are more than `DecodingLimits.maximum_bytes`.
    """
    if not data:
        message = "the object has no bytes"
        raise EmptyObjectError(message)
    if len(data) > limits.maximum_bytes:
        message = f"{len(data)} bytes; the limit is {limits.maximum_bytes}"
        raise TooLargeError(message)


def identify_format(data: bytes) -> str:
    """Tell the format from the magic bytes; the object's name is never asked.

    Returns:
        ``dicom``, ``nifti`` (also inside gzip), ``jpeg``, ``png``, ``gif``, ``tiff``, ``bmp`` or
        ``webp``.

    Raises:
        UnsupportedError: if the bytes are of another format, or of none that is known.
        UnreadableError: if every byte is zero, as a broken transfer leaves a file.
    """
    # DICOM first: its 128 free bytes may hold another format's magic (TIFF, often).
    if data[DICOM_PREAMBLE_BYTES : DICOM_PREAMBLE_BYTES + 4] == b"DICM":
        return "dicom"
    for magic, name in RASTER_MAGIC:
        if data.startswith(magic):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "webp"
    if is_nifti(data):
        return "nifti"
    if data.startswith(b"BM") and data[6:10] == b"\x00\x00\x00\x00":
        return "bmp"
    if looks_like_bare_dicom(data):
        return "dicom"
    _refuse_unknown(data)
    message = "no known image format in the first bytes; expected DICOM, NIfTI, JPEG, PNG or TIFF"
    raise UnsupportedError(message)


def looks_like_bare_dicom(data: bytes) -> bool:
    """Tell whether the bytes start with a DICOM element, preamble and magic bytes being absent."""
    orders: tuple[Literal["little", "big"], ...] = ("little", "big")
    for order in orders:
        group = int.from_bytes(data[0:2], order)
        element = int.from_bytes(data[2:4], order)
        if group not in (0x0002, 0x0008) or element > 0x0100:  # noqa: PLR2004 - first elements of these groups
            continue
        explicit = data[4:6].isalpha() and data[4:6].isupper()
        implicit_length = int.from_bytes(data[4:8], order)
        if explicit or 0 < implicit_length < min(len(data), 1024):
            return True
    return False


def check_declared_size(data: bytes, image_format: str, limits: DecodingLimits) -> DeclaredSize:
    """Compare what a raster file declares with the limits and with the bytes present.

    Args:
        data: the whole object.
        image_format: what `identify_format` said, neither ``dicom`` nor ``nifti``.
        limits: see there.

    Returns:
        The declared width and height.

    Raises:
        TooLargeError: if the picture is over `DecodingLimits.maximum_pixels`.
        UnreadableError: if the header breaks off, or the file is far too short for its picture.
        UnsupportedError: if the header tells of a variant that is not read.
    """
    declared = read_declared_size(data, image_format)
    check_pixels(declared.width, declared.height, limits)
    least_bytes = {
        "png": declared.raw_bytes // DENSEST_PNG,
        "jpeg": declared.width * declared.height // DENSEST_JPEG,
        "bmp": declared.raw_bytes,
    }.get(image_format, 0)
    if len(data) < least_bytes:
        message = (
            f"truncated: {len(data)} bytes for {declared.width} x {declared.height} pixels, "
            f"at least {least_bytes} expected"
        )
        raise UnreadableError(message)
    return declared


def check_pixels(width: int, height: int, limits: DecodingLimits) -> None:
    """Compare one frame's declared size with the limits.

    Raises:
        UnreadableError: if a side is zero or negative.
        TooLargeError: if there are more pixels than `DecodingLimits.maximum_pixels`.
    """
    if width <= 0 or height <= 0:
        message = f"the file declares {width} x {height} pixels"
        raise UnreadableError(message)
    if width * height > limits.maximum_pixels:
        message = f"{width} x {height} pixels declared; the limit is {limits.maximum_pixels}"
        raise TooLargeError(message)


def check_frames(count: int, limits: DecodingLimits) -> None:
    """Compare the declared number of frames with the limits.

    Raises:
        TooLargeError: if there are more than `DecodingLimits.maximum_frames`.
    """
    if count > limits.maximum_frames:
        message = f"{count} frames declared; the limit is {limits.maximum_frames}"
        raise TooLargeError(message)


def _refuse_unknown(data: bytes) -> None:
    for offset, magic, name in UNREAD_MAGIC:
        if data[offset : offset + len(magic)] == magic:
            message = f"{name} is not read; expected DICOM, NIfTI, JPEG, PNG or TIFF"
            raise UnsupportedError(message)
    if data.count(0) == len(data):
        message = "every byte is zero"
        raise UnreadableError(message)
