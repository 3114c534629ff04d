from __future__ import annotations

import struct

import numpy as np
import pytest

from model.errors import EmptyObjectError, TooLargeError, UnreadableError, UnsupportedError
from model.preflight import (
    DecodingLimits,
    check_bytes,
    check_declared_size,
    identify_format,
)
from tests.unit.model.decoding_samples import LIMITS, encode, ramp


def png_declaring(width: int, height: int) -> bytes:
    return b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR" + struct.pack(
        ">IIBBBBB", width, height, 8, 0, 0, 0, 0
    )


def test_an_object_without_bytes_is_empty() -> None:
    with pytest.raises(EmptyObjectError):
        check_bytes(b"", LIMITS)


def test_an_object_over_the_byte_limit_is_too_large() -> None:
    with pytest.raises(TooLargeError, match="11 bytes; the limit is 10"):
        check_bytes(bytes(11), DecodingLimits(10, 100, 1))


@pytest.mark.parametrize(
    ("pillow_name", "expected"),
    [
        ("JPEG", "jpeg"),
        ("PNG", "png"),
        ("TIFF", "tiff"),
        ("BMP", "bmp"),
        ("GIF", "gif"),
        ("WEBP", "webp"),
    ],
)
def test_the_format_and_size_are_read_from_the_first_bytes(pillow_name: str, expected: str) -> None:
    data = encode(ramp(height=40, width=30), pillow_name)

    declared = check_declared_size(data, expected, LIMITS)

    assert identify_format(data) == expected
    assert (declared.width, declared.height) == (30, 40)


def test_dicom_is_recognised_before_the_tiff_in_its_preamble() -> None:
    assert identify_format(b"II*\x00" + bytes(124) + b"DICM") == "dicom"


@pytest.mark.parametrize(
    "data",
    [b"\x08\x00\x05\x00CS\x0a\x00ISO_IR 100", b"\x00\x08\x00\x05CS\x00\x0aISO_IR 100"],
    ids=["little endian", "big endian"],
)
def test_dicom_without_preamble_is_recognised_by_its_first_element(data: bytes) -> None:
    assert identify_format(data) == "dicom"


def test_text_is_unsupported_whatever_its_name() -> None:
    with pytest.raises(UnsupportedError, match="no known image format"):
        identify_format(b"This is a text.\n" * 20)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"\x1f\x8b\x08", "gzip"),
        (bytes(344) + b"ni1\x00", "NIfTI in two files"),
        (b"\x00\x00\x00\x18ftypheic", "HEIF"),
    ],
)
def test_a_known_format_that_is_not_read_is_named(data: bytes, name: str) -> None:
    with pytest.raises(UnsupportedError, match=name):
        identify_format(data)


def test_a_file_of_zeros_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="every byte is zero"):
        identify_format(bytes(5000))


def test_a_png_of_absurd_size_is_too_large_before_anything_is_decoded() -> None:
    with pytest.raises(TooLargeError, match="100000 x 100000 pixels"):
        check_declared_size(png_declaring(100_000, 100_000), "png", LIMITS)


def test_a_png_with_far_too_few_bytes_for_its_size_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="truncated: 29 bytes for 2000 x 2000"):
        check_declared_size(png_declaring(2000, 2000), "png", LIMITS)


def test_a_jpeg_with_far_too_few_bytes_for_its_size_is_unreadable() -> None:
    data = bytearray(encode(ramp(), "JPEG"))
    frame = data.index(b"\xff\xc0")
    data[frame + 5 : frame + 9] = struct.pack(">HH", 2000, 2000)

    with pytest.raises(UnreadableError, match=r"truncated: \d+ bytes for 2000 x 2000"):
        check_declared_size(bytes(data), "jpeg", LIMITS)


def test_the_emptiest_jpeg_has_bytes_enough() -> None:
    for options in ({"optimize": True}, {"progressive": True, "optimize": True}):
        data = encode(np.zeros((2000, 2000), np.uint8), "JPEG", quality=1, **options)

        assert check_declared_size(data, "jpeg", LIMITS).width == 2000


def test_a_picture_without_width_is_unreadable() -> None:
    with pytest.raises(UnreadableError, match="0 x 10"):
        check_declared_size(png_declaring(0, 10), "png", LIMITS)


def test_a_lossless_jpeg_outside_dicom_is_unsupported() -> None:
    lossless = b"\xff\xd8\xff\xc3\x00\x0b\x08\x00\x10\x00\x10\x01\x01\x11\x00"

    with pytest.raises(UnsupportedError, match="inside DICOM only"):
        check_declared_size(lossless, "jpeg", LIMITS)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"])
def test_a_header_that_breaks_off_is_unreadable(image_format: str) -> None:
    data = encode(ramp(), image_format)[:9]

    with pytest.raises(UnreadableError):
        check_declared_size(data, image_format.lower(), LIMITS)
