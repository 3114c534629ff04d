from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from model.decoding import DecodingLimits, decode_object
from model.errors import ImageError, TooLargeError, UnreadableError
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


def test_an_animation_gives_its_first_frame_and_says_so() -> None:
    first, second = Image.fromarray(ramp()), Image.fromarray(255 - ramp())
    data = save(first, "GIF", save_all=True, append_images=[second, first])

    image = decode_one(data)

    assert image.detail == "first of 3 frames"
    np.testing.assert_allclose(image.pixels, ramp() / 255.0, atol=0.01)


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
