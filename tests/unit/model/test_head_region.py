from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from model.head_region import HeadRegion, find_head
from model.images import GrayPixels
from model.picture_changes_background import make_border, make_text, replace_background
from tests.unit.model.pictures import draw_head


def _random() -> np.random.Generator:
    return np.random.default_rng(5)


def test_the_box_of_the_head_is_found_within_two_pixels_of_the_working_size() -> None:
    pixels, _ = draw_head(200, 160)

    head = find_head(pixels)

    assert head.found
    assert not head.inverted
    # The drawn head spans rows 20..180 and columns 16..144.
    assert head.x == pytest.approx(16, abs=4)
    assert head.y == pytest.approx(20, abs=4)
    assert head.width == pytest.approx(128, abs=8)
    assert head.height == pytest.approx(160, abs=8)


def test_a_negative_is_recognised_and_its_head_found() -> None:
    pixels, _ = draw_head()

    head = find_head(1.0 - pixels)

    assert head.inverted
    assert head.found
    assert head.width == pytest.approx(128, abs=8)


def test_a_white_frame_around_the_picture_is_not_taken_for_the_head() -> None:
    pixels, _ = draw_head()
    framed = np.pad(pixels, 6, constant_values=1.0).astype(np.float32)

    head = find_head(framed)

    assert not head.inverted
    assert head.width == pytest.approx(128, abs=8)


def test_text_in_a_corner_does_not_widen_the_head() -> None:
    pixels, _ = draw_head()
    pixels[4:12, 4:40:3] = 1.0

    head = find_head(pixels)

    assert head.x == pytest.approx(16, abs=4)
    assert head.y == pytest.approx(20, abs=4)


@pytest.mark.parametrize("strength", [0.1, 0.4, 0.7])
def test_noise_behind_the_head_is_not_taken_for_head(strength: float) -> None:
    pixels, mask = draw_head(400, 320)
    noise = np.random.default_rng(1).uniform(0, strength, pixels.shape)

    head = find_head(np.where(mask, pixels, noise).astype(np.float32))

    assert head.found
    assert head.x == pytest.approx(32, abs=8)
    assert head.width == pytest.approx(256, abs=16)
    assert head.height == pytest.approx(320, abs=16)


def test_lines_of_text_all_over_the_background_do_not_widen_the_head_much() -> None:
    pixels, mask = draw_head(400, 320)

    head = find_head(replace_background(pixels, mask, make_text((400, 320), _random())))

    assert head.width == pytest.approx(256, rel=0.1)
    assert head.height == pytest.approx(320, rel=0.1)


def test_a_frame_that_the_head_lies_over_is_trimmed() -> None:
    pixels, mask = draw_head(400, 320)
    cropped, inside = pixels[45:355], mask[45:355]  # the head reaches over the upper and lower edge

    head = find_head(replace_background(cropped, inside, make_border((310, 320))))

    # The ticks of the ruler beside the head may stay, the frame around both may not.
    assert head.x > 10
    assert head.width < 290


def draw_scalp(side: int = 256) -> tuple[GrayPixels, npt.NDArray[np.bool_]]:
    """Draw a dim brain within a dark skull within a bright scalp; returns picture and mask."""
    rows, columns = np.mgrid[0:side, 0:side] / side - 0.5
    radius = np.hypot(rows / 0.42, columns / 0.34)
    pixels = np.select([radius < 0.8, radius < 0.9, radius < 1.0], [0.22, 0.03, 0.9], 0.0)
    pixels = pixels * (1.0 + 0.1 * np.sin(40 * rows))
    return pixels.astype(np.float32), radius < 1.0


def likeness(one: HeadRegion, other: HeadRegion) -> float:
    return float((one.mask & other.mask).sum() / (one.mask | other.mask).sum())


@pytest.mark.parametrize("strength", [0.15, 0.2, 0.3, 0.5, 1.0])
def test_noise_costs_a_dim_head_nothing_of_its_scalp(strength: float) -> None:
    pixels, mask = draw_scalp()
    noise = _random().uniform(0, strength, pixels.shape).astype(np.float32)

    head = find_head(replace_background(pixels, mask, noise))

    assert likeness(head, find_head(pixels)) > 0.93


def test_noise_that_is_brighter_than_the_head_makes_no_negative_of_it() -> None:
    pixels, mask = draw_scalp(512)
    noise = _random().uniform(0, 1.0, pixels.shape).astype(np.float32)

    assert not find_head(replace_background(0.6 * pixels, mask, noise)).inverted


def test_a_negative_with_faint_noise_stays_a_negative() -> None:
    pixels, mask = draw_head(400, 320)
    noise = _random().uniform(0, 0.2, pixels.shape).astype(np.float32)

    assert find_head(1.0 - replace_background(pixels, mask, noise)).inverted


def test_text_around_a_scalp_is_left_out_and_the_scalp_is_not() -> None:
    pixels, mask = draw_scalp()

    head = find_head(replace_background(pixels, mask, make_text((256, 256), _random())))

    assert likeness(head, find_head(pixels)) > 0.93


def test_a_frame_that_a_neck_nearly_covers_is_trimmed_beside_the_neck() -> None:
    pixels, mask = draw_scalp()
    pixels[128:, 60:196], mask[128:, 60:196] = 0.5, True  # down to the lower edge

    head = find_head(replace_background(pixels, mask, make_border((256, 256))))

    assert likeness(head, find_head(pixels)) > 0.93
    assert not head.mask[-12:, :12].any()


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (3, 2), (16, 16)])
def test_tiny_pictures_have_the_whole_picture_as_region(shape: tuple[int, int]) -> None:
    head = find_head(np.zeros(shape, dtype=np.float32))

    assert not head.found
    assert (head.height, head.width) == shape


def test_a_blank_picture_has_no_head() -> None:
    assert not find_head(np.full((64, 64), 0.5, dtype=np.float32)).found


def test_the_picture_is_not_changed() -> None:
    pixels, _ = draw_head()
    before = pixels.copy()

    find_head(pixels)

    np.testing.assert_array_equal(pixels, before)
