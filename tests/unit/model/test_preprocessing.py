from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.picture_changes_background import make_text, replace_background
from model.preprocessing import PICTURE_FEATURE_NAMES, PreprocessingParameters, prepare_image
from tests.unit.model.pictures import as_image, draw_head

PARAMETERS = PreprocessingParameters(size=96)


def test_what_lies_outside_the_head_is_black() -> None:
    pixels, _ = draw_head(200, 160)
    pixels[170:178, 2:12] = 1.0  # a mark in the corner, inside the square that is cut

    prepared = prepare_image(as_image(pixels), PARAMETERS)

    assert prepared.network_input.shape == (96, 96)
    assert prepared.network_input[-14:, :14].max() == 0
    assert prepared.network_input.max() == 255


def test_text_in_the_background_is_gone_and_moves_the_head_by_a_pixel_at_most() -> None:
    pixels, _ = draw_head(200, 160)
    written = pixels.copy()
    written[2:10, 2:60:2] = 1.0

    plain = prepare_image(as_image(pixels), PARAMETERS)
    with_text = prepare_image(as_image(written), PARAMETERS)

    assert with_text.network_input[:8, :16].max() == 0
    # One pixel of the working size is 200 / 128 pixels of the picture; the margin adds 4% to it.
    assert with_text.region.x == pytest.approx(plain.region.x, abs=1.7)
    assert with_text.region.y == pytest.approx(plain.region.y, abs=1.7)
    assert with_text.region.side == pytest.approx(plain.region.side, abs=3.4)


def test_white_letters_beside_a_dim_head_do_not_darken_it() -> None:
    pixels, mask = draw_head(400, 320)
    pixels[180:220, 60:90] = 0.0  # as black as a ventricle
    dim = (0.4 * pixels).astype(np.float32)
    text = make_text((400, 320), np.random.default_rng(5))

    alone = prepare_image(as_image(dim), PARAMETERS)
    among_text = prepare_image(as_image(replace_background(dim, mask, text)), PARAMETERS)

    middle = slice(PARAMETERS.size // 3, -PARAMETERS.size // 3)
    expected = np.median(alone.network_input[middle, middle])
    assert np.median(among_text.network_input[middle, middle]) == pytest.approx(expected, rel=0.05)


def test_a_negative_gives_nearly_the_same_input_as_its_positive() -> None:
    pixels, _ = draw_head()

    positive = prepare_image(as_image(pixels), PARAMETERS).network_input.astype(int)
    negative = prepare_image(as_image(1.0 - pixels), PARAMETERS).network_input.astype(int)

    assert np.abs(positive - negative).mean() < 4.0


def test_brightness_and_contrast_of_the_scanner_do_not_matter() -> None:
    pixels, _ = draw_head()

    bright = prepare_image(as_image(pixels), PARAMETERS).network_input.astype(int)
    dim = prepare_image(as_image(pixels * np.float32(0.3)), PARAMETERS).network_input.astype(int)

    assert np.abs(bright - dim).max() <= 4


def test_the_region_leads_back_to_the_picture() -> None:
    pixels, _ = draw_head(200, 160)

    region = prepare_image(as_image(pixels), PARAMETERS).region

    # The head is 160 pixels high and centred; 4% of rim on each side.
    assert region.side == pytest.approx(172.8, abs=8)
    assert region.x + region.side / 2 == pytest.approx(80, abs=3)
    assert region.y + region.side / 2 == pytest.approx(100, abs=3)


def test_the_picture_is_not_changed() -> None:
    pixels, _ = draw_head()
    before = pixels.copy()

    prepare_image(as_image(pixels), PARAMETERS)

    np.testing.assert_array_equal(pixels, before)


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    seed=st.integers(0, 10_000),
    kind=st.sampled_from(["noise", "flat", "one_dot", "ramp"]),
)
def test_any_picture_gives_a_finite_input(height: int, width: int, seed: int, kind: str) -> None:
    random = np.random.default_rng(seed)
    pixels = {
        "noise": random.random((height, width)),
        "flat": np.full((height, width), random.random()),
        "one_dot": np.eye(height, width),
        "ramp": np.linspace(0, 1, height * width).reshape(height, width),
    }[kind].astype(np.float32)

    prepared = prepare_image(as_image(pixels), PARAMETERS)

    assert prepared.network_input.shape == (96, 96)
    assert prepared.picture_features.shape == (len(PICTURE_FEATURE_NAMES),)
    assert np.isfinite(prepared.picture_features).all()
    assert prepared.region.side > 0
