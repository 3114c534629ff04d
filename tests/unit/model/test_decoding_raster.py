from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image, ImageOps

from model.decoding import DecodingLimits, decode_object
from model.errors import ImageError, TooLargeError, UnreadableError, UnsupportedError
from model.images import DecodedImage
from tests.unit.model.decoding_samples import LIMITS, decode_all, decode_one, encode, ramp, save


@pytest.mark.parametrize(
    ("image_format", "tolerance"),
    [("PNG", 0.0), ("TIFF", 0.0), ("BMP", 0.0), ("GIF", 0.0), ("JPEG", 0.03), ("WEBP", 0.05)],
)
def test_gray_levels_run_from_0_to_1_as_stored(image_format: str, tolerance: float) -> None:
    image = decode_one(encode(ramp(), image_format))

    assert image.format == image_format.lower()
    assert image.pixels.dtype == np.float32
    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=tolerance + 1e-6)
    assert (image.original_width, image.original_height) == (48, 64)
    assert image.detail is None


@pytest.mark.parametrize("image_format", ["PNG", "TIFF"])
def test_twelve_of_sixteen_bits_are_shown_over_the_full_range(image_format: str) -> None:
    image = decode_one(encode(ramp().astype(np.uint16) * 16, image_format))

    assert image.pixels.max() == 1.0
    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=0.01)


def test_a_sixteen_bit_tiff_whose_zero_is_white_is_inverted() -> None:
    data = encode(ramp().astype(np.uint16) * 16, "TIFF", tiffinfo={262: 0})

    image = decode_one(data)

    assert image.pixels[0, 0] == 1.0
    assert image.pixels[-1, -1] == 0.0


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "P", "CMYK"])
def test_gray_stays_gray_in_every_mode(mode: str) -> None:
    picture = Image.fromarray(ramp())
    converted = picture.quantize(256) if mode == "P" else picture.convert("RGB").convert(mode)
    encoded = save(converted, "TIFF" if mode == "CMYK" else "PNG")

    image = decode_one(encoded)

    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=0.03)
    assert image.colourfulness < 0.02


def png_of_16_bits(kind: int, samples: npt.NDArray[np.uint16]) -> bytes:
    """A PNG of (height, width, channels), which Pillow reads and does not write."""
    height, width, _ = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    return png_of(
        png_chunk(b"IHDR", header), png_chunk(b"IDAT", zlib.compress(rows)), png_chunk(b"IEND", b"")
    )


def png_of(*chunks: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def png_chunk(name: bytes, body: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(name + body))
    return struct.pack(">I", len(body)) + name + body + checksum


@pytest.mark.parametrize(("kind", "channels"), [(2, 3), (4, 2), (6, 4)])
def test_sixteen_bits_beside_colour_or_alpha_are_read_if_they_fill_their_range(
    kind: int, channels: int
) -> None:
    bright = np.repeat(ramp().astype(np.uint16)[..., None] * 257, channels, axis=2)
    dark = np.repeat(ramp().astype(np.uint16)[..., None] * 16, channels, axis=2)
    if kind > 2:
        bright[..., -1] = dark[..., -1] = 65535

    image = decode_one(png_of_16_bits(kind, bright))
    (error,) = decode_all(png_of_16_bits(kind, dark))

    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=0.01)
    assert isinstance(error, UnsupportedError)


def test_a_sixteen_bit_tiff_is_read_with_its_sign() -> None:
    signed = np.linspace(-2000, 2000, 64 * 48).reshape(64, 48).astype(np.int16)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, signed)

    image = decode_one(buffer.getvalue())

    np.testing.assert_allclose(image.pixels, np.linspace(0, 1, 64 * 48).reshape(64, 48), atol=0.01)


@pytest.mark.parametrize("image_format", ["PNG", "TIFF", "BMP"])
def test_one_bit_a_pixel_is_black_and_white(image_format: str) -> None:
    picture = Image.fromarray(ramp() > 127)
    assert picture.mode == "1"

    image = decode_one(save(picture, image_format))

    np.testing.assert_array_equal(image.pixels, ramp() > 127)


def test_a_tiff_of_floating_point_numbers_is_shown_between_percentiles() -> None:
    image = decode_one(encode(ramp().astype(np.float32) * 7 - 300, "TIFF"))

    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=0.01)


def test_an_adobe_cmyk_jpeg_is_not_inverted() -> None:
    picture = Image.fromarray(ramp()).convert("RGB").convert("CMYK")

    image = decode_one(save(picture, "JPEG"))

    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=0.03)


def test_what_is_transparent_is_black() -> None:
    picture = np.full((8, 8, 4), 255, dtype=np.uint8)
    picture[:4, :, 3] = 0

    image = decode_one(encode(picture, "PNG"))

    assert image.pixels[:4].max() == 0.0
    assert image.pixels[4:].min() == 1.0


def test_red_is_more_colourful_than_gray() -> None:
    red = np.zeros((16, 16, 3), dtype=np.uint8)
    red[..., 0] = 255

    assert decode_one(encode(red, "PNG")).colourfulness == pytest.approx(2 / 3)


def test_exif_turns_the_picture_and_its_size() -> None:
    exif = Image.Exif()
    exif[274] = 6  # to be turned clockwise

    image = decode_one(encode(ramp(height=64, width=48), "JPEG", exif=exif))

    assert image.pixels.shape == (48, 64)
    assert (image.original_width, image.original_height) == (64, 48)
    assert image.pixels[0, -1] < 0.1  # the dark top left came to the top right


def test_a_huge_jpeg_is_decoded_smaller_but_not_below_512_pixels() -> None:
    data = encode(ramp(height=1400, width=1100), "JPEG")

    image = decode_one(data)

    assert image.pixels.shape == (700, 550)
    assert (image.original_width, image.original_height) == (1100, 1400)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_exif_orientation_is_turned_upright(image_format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    data = encode(ramp(), image_format, exif=exif)

    upright = decode_one(data)

    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert (upright.original_width, upright.original_height) == expected.size
    np.testing.assert_allclose(upright.pixels, np.asarray(expected.convert("L")) / 255, atol=0.01)


@pytest.mark.parametrize("image_format", ["GIF", "PNG", "WEBP", "MPO"])
def test_an_animation_gives_its_first_frame_and_says_so(image_format: str) -> None:
    first, second = Image.fromarray(ramp()), Image.fromarray(255 - ramp())
    data = save(first, image_format, save_all=True, append_images=[second, first])

    image = decode_one(data)

    assert image.detail == "first of 3 frames"
    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=0.05)


def test_every_page_of_a_tiff_is_an_image() -> None:
    pages = [Image.fromarray(ramp()), Image.fromarray(255 - ramp())]
    data = save(pages[0], "TIFF", save_all=True, append_images=pages[1:])

    first, second = decode_object(data, LIMITS)

    assert isinstance(first, DecodedImage)
    assert isinstance(second, DecodedImage)
    assert (first.frame, second.frame) == (0, 1)
    assert first.detail == "page 1 of 2"
    np.testing.assert_allclose(first.pixels, 1.0 - second.pixels, atol=1e-6)


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_unreadable(image_format: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 48), dtype=np.uint8)
    data = encode(noise, image_format)

    (error,) = decode_all(data[: int(len(data) * share)])

    assert isinstance(error, UnreadableError)
    assert error.format == image_format.lower()


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_a_file_whose_tail_was_lost_to_zeros_is_unreadable(image_format: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 48), dtype=np.uint8)
    data = encode(noise, image_format)
    kept = len(data) // 2

    (error,) = decode_all(data[:kept] + bytes(len(data) - kept))

    assert isinstance(error, UnreadableError)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_a_compressed_tiff_with_a_zeroed_part_is_unreadable(compression: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 48), dtype=np.uint8)
    data = bytearray(encode(noise, "TIFF", compression=compression))
    tags = Image.open(io.BytesIO(data)).tag_v2  # type: ignore[attr-defined] # of its subclass
    start, length = tags[273][0], tags[279][0]
    data[start + length // 2 : start + length] = bytes(length - length // 2)

    (error,) = decode_all(bytes(data))

    assert isinstance(error, UnreadableError)


def test_a_jpeg_with_a_zeroed_part_is_unreadable() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 48), dtype=np.uint8)
    data = bytearray(encode(noise, "JPEG"))
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)

    (error,) = decode_all(bytes(data))

    assert isinstance(error, UnreadableError)
    assert "zeros" in str(error)


@pytest.mark.parametrize("options", [{"optimize": True}, {"progressive": True}, {}])
def test_a_jpeg_that_is_mostly_black_is_whole(options: dict[str, bool]) -> None:
    black = np.zeros((1000, 1000), np.uint8)
    black[480:520, 480:520] = 200

    image = decode_one(encode(black, "JPEG", **options))

    assert image.pixels.max() > 0.7


@pytest.mark.parametrize("name", [b"iCCP", b"zTXt", b"iTXt"])
def test_a_text_or_profile_that_inflates_beyond_measure_is_too_large(name: bytes) -> None:
    bomb = zlib.compress(bytes(50_000_000), 9)
    body = b"x\0\1\0\0\0" + bomb if name == b"iTXt" else b"x\0\0" + bomb
    plain = encode(ramp(), "PNG")
    data = plain[:33] + png_chunk(name, body) + plain[33:]

    (error,) = decode_all(data)

    assert isinstance(error, TooLargeError)


def test_bytes_behind_the_end_of_a_jpeg_do_no_harm() -> None:
    assert decode_one(encode(ramp(), "JPEG") + bytes(100)).pixels.shape == (64, 48)


def test_more_pixels_than_the_limit_are_too_large() -> None:
    (error,) = decode_all(encode(ramp(), "PNG"), DecodingLimits(2**20, 64 * 48 - 1, 1))

    assert isinstance(error, TooLargeError)


def test_an_error_says_nothing_that_was_read_from_the_file() -> None:
    data = bytearray(encode(ramp(), "TIFF", software="Jane Doe"))
    data[4:8] = b"\xff\xff\xff\x7f"

    (error,) = decode_all(bytes(data))

    assert isinstance(error, ImageError)
    assert "Doe" not in f"{error} {error.__cause__}"
