from __future__ import annotations

import numpy as np
import pytest

from model import picture_changes_background as background
from model import picture_changes_framing as framing
from model import picture_changes_lesions as lesions
from model import picture_changes_levels as levels
from model.changed_picture import Change, OriginalPicture, apply_change
from model.errors import ConfigurationError
from model.images import GrayPixels
from model.picture_changes import BACKGROUND, CHANGES, PAINTED, choose_changes
from tests.unit.model.pictures import Mask, as_image, ellipse

SIZE = 160
BY_NAME = {change.name: change for change in CHANGES}


def draw_slice(seed: int = 3) -> GrayPixels:
    """Draw scalp, skull, brain and a ventricle, with some texture."""
    middle = (SIZE / 2, SIZE / 2)
    pixels = np.full((SIZE, SIZE), 0.01)
    for share, level in ((0.42, 0.85), (0.38, 0.06), (0.35, 0.45)):
        pixels[ellipse(SIZE, SIZE, middle, (share * SIZE, 0.85 * share * SIZE))] = level
    pixels[ellipse(SIZE, SIZE, (85, 80), (14, 5))] = 0.15
    texture = np.random.default_rng(seed).normal(0, 0.02, pixels.shape)
    return np.asarray(np.clip(pixels + texture * (pixels > 0.1), 0, 1), dtype=np.float32)


def a_picture(lesion: Mask | None = None) -> OriginalPicture:
    pixels = draw_slice()
    if lesion is not None:
        pixels[lesion] = 0.8
    return OriginalPicture(as_image(pixels), lesion)


def blank() -> OriginalPicture:
    return OriginalPicture(as_image(np.full((SIZE, SIZE), 0.3, dtype=np.float32)), None)


def changed(name: str, picture: OriginalPicture) -> GrayPixels:
    image = apply_change(picture, BY_NAME[name])
    assert image is not None
    return image.pixels


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_changed_picture_is_delivered_in_256_levels_and_the_original_stays(
    change: Change,
) -> None:
    picture = a_picture()
    before = picture.pixels.copy()

    image = apply_change(picture, change)

    assert image is not None
    assert image.pixels.dtype == np.float32
    assert (image.original_height, image.original_width) == image.pixels.shape
    steps = image.pixels * 255.0
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-3)
    assert 0.0 <= image.pixels.min() <= image.pixels.max() <= 1.0
    assert image.pixels.shape != before.shape or not np.array_equal(image.pixels, before)
    np.testing.assert_array_equal(picture.pixels, before)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_picture_always_gets_the_same_change(change: Change) -> None:
    first, second = apply_change(a_picture(), change), apply_change(a_picture(), change)

    assert first is not None
    assert second is not None
    np.testing.assert_array_equal(first.pixels, second.pixels)


def test_another_picture_gets_other_noise() -> None:
    other = OriginalPicture(as_image(draw_slice(seed=4)), None)
    corner = np.s_[:12, :12]

    one, two = changed("noise 8%", a_picture()), changed("noise 8%", other)

    assert not np.array_equal(one[corner], two[corner])


def test_no_two_changes_have_one_name() -> None:
    assert len(BY_NAME) == len(CHANGES)


def test_changes_are_chosen_by_name_in_the_order_of_the_table() -> None:
    chosen = choose_changes(["negative", "skull removed"])

    assert [change.name for change in chosen] == ["skull removed", "negative"]
    assert choose_changes(None) == CHANGES


def test_an_unknown_change_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="unknown change 'sepia': expected one of 1024"):
        choose_changes(["sepia"])


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_picture_without_a_head_is_left_out_where_a_head_is_needed(change: Change) -> None:
    needs_head = change.family in {BACKGROUND, PAINTED, "preparation"}

    made = apply_change(blank(), change)

    assert (made is None) >= needs_head


@pytest.mark.parametrize("name", [change.name for change in CHANGES if change.family == BACKGROUND])
def test_another_background_leaves_every_pixel_of_the_head(name: str) -> None:
    picture = a_picture()
    assert picture.head is not None

    made = changed(name, picture)

    np.testing.assert_allclose(made[picture.head], picture.pixels[picture.head], atol=0.002)
    assert np.abs(made - picture.pixels)[~picture.head].max() > 0.15


def test_a_picture_without_background_keeps_it() -> None:
    filled = OriginalPicture(as_image(draw_slice()[40:120, 40:120].copy()), None)

    assert apply_change(filled, BY_NAME["background: text"]) is None


def test_a_removed_skull_leaves_brain_and_lesion() -> None:
    at_the_skull = ellipse(SIZE, SIZE, (80, 130), (10, 6))
    picture = a_picture(at_the_skull)

    made = changed("skull removed", picture)

    scalp = ~ellipse(SIZE, SIZE, (80, 80), (0.39 * SIZE, 0.34 * SIZE))
    scalp &= ~ellipse(SIZE, SIZE, (80, 130), (13, 9))
    assert made[scalp].max() < 0.05
    assert made[at_the_skull].mean() > 0.7
    assert made[60:100, 60:75].mean() == pytest.approx(picture.pixels[60:100, 60:75].mean(), 0.05)


def test_a_cut_into_the_head_spares_the_lesion() -> None:
    at_the_edge = ellipse(SIZE, SIZE, (20, 80), (6, 9))

    plain, spared = a_picture(), a_picture(at_the_edge)

    assert changed("cut into the head", plain).shape[0] < 0.8 * SIZE
    shown = changed("cut into the head", spared)
    assert (shown > 0.75).sum() >= at_the_edge.sum()
    assert shown.shape[0] > changed("cut into the head", plain).shape[0]


def test_turns_and_mirrors_only_move_pixels() -> None:
    pixels = draw_slice()

    np.testing.assert_array_equal(framing.turn(framing.turn(pixels, 1), 3), pixels)
    np.testing.assert_array_equal(framing.turn(pixels, 2), pixels[::-1, ::-1])
    np.testing.assert_array_equal(framing.mirror(pixels, 1), pixels[:, ::-1])
    np.testing.assert_array_equal(framing.mirror(pixels, 0), pixels[::-1])


def test_a_canvas_holds_the_picture_at_its_place() -> None:
    pixels = np.full((10, 20), 0.5, dtype=np.float32)

    canvas = framing.place_on_canvas(pixels, 2.0, (1.0, 0.0), 0.9)

    assert canvas.shape == (20, 40)
    np.testing.assert_array_equal(canvas[10:, :20], pixels)
    assert (canvas == np.float32(0.9)).sum() == 20 * 40 - 10 * 20


def test_a_negative_of_a_negative_is_the_picture() -> None:
    pixels = draw_slice()

    np.testing.assert_allclose(levels.invert(levels.invert(pixels)), pixels, atol=1e-6)


def test_inverted_tissue_keeps_a_black_background() -> None:
    picture = a_picture()
    ventricle, tissue = np.s_[80:90, 79:82], np.s_[60:70, 60:70]

    made = changed("tissue inverted", picture)

    assert made[:8, :8].max() < 0.05
    assert made[ventricle].mean() > made[tissue].mean()


def test_rician_noise_has_the_mean_of_rayleigh_in_air() -> None:
    air = np.zeros((200, 200), dtype=np.float32)

    noisy = levels.add_noise(air, 0.1, np.random.default_rng(1))

    assert noisy.mean() == pytest.approx(0.1 * np.sqrt(np.pi / 2), rel=0.02)


def test_a_bias_field_has_the_stated_strength() -> None:
    shaded = levels.shade(np.ones((99, 99), dtype=np.float32), 0.4, np.random.default_rng(2))

    assert 1.9 < shaded.max() / shaded.min() < np.exp(0.8)


def test_ringing_keeps_the_mean_and_cuts_fine_detail_off() -> None:
    stripes = np.tile(np.array([0.0, 1.0], dtype=np.float32), (32, 16))

    cut = levels.ring(stripes, 0.3)

    np.testing.assert_allclose(cut, 0.5, atol=1e-6)


def test_ringing_overshoots_beside_an_edge() -> None:
    edge = np.zeros((64, 64), dtype=np.float32)
    edge[:, 20:44] = 0.6

    assert levels.ring(edge, 0.3).max() > 0.62


def test_sixteen_levels_are_left_of_a_ramp() -> None:
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[None].repeat(4, axis=0)

    assert len(np.unique(levels.quantise(ramp, 16))) == 16


def test_a_re_encoded_picture_is_near_the_picture() -> None:
    pixels = draw_slice()

    coded = levels.re_encode(pixels, 30)

    assert 0.001 < np.abs(coded - pixels).mean() < 0.03


@pytest.mark.parametrize(
    ("name", "shape"), [("128 pixels", (128, 128)), ("1024 pixels", (1024, 1024))]
)
def test_a_resolution_is_that_of_the_longer_side(name: str, shape: tuple[int, int]) -> None:
    assert changed(name, a_picture()).shape == shape


def test_after_one_archive_size_and_rim_are_the_same_for_all() -> None:
    wide = OriginalPicture(as_image(np.ones((90, 300), dtype=np.float32)), None)

    made = changed("one size, re-encoded, no border", wide)

    assert made.shape == (256, 256)
    rim = np.ones((256, 256), dtype=bool)
    rim[9:-9, 9:-9] = False
    assert made[rim].max() < 0.1
    assert made[20:-20, 20:-20].min() > 0.95


def test_text_is_written_in_white_on_black() -> None:
    page = background.make_text((200, 160), np.random.default_rng(1))

    assert page.shape == (200, 160)
    assert 0.03 < (page > 0.5).mean() < 0.4
    assert (page == 0.0).mean() > 0.5


def test_a_photograph_fills_any_shape() -> None:
    photograph = background.make_photograph((90, 140))

    assert photograph.shape == (90, 140)
    assert photograph.std() > 0.15


@pytest.mark.parametrize(
    ("kind", "sign"),
    [(lesions.SOLID, 1), (lesions.DIFFUSE, 1), (lesions.DARK, -1)],
)
def test_a_painted_lesion_is_seen_and_lies_in_the_brain(
    kind: lesions.LesionKind, sign: int
) -> None:
    picture = a_picture()
    assert picture.head is not None
    assert picture.brain is not None

    painted = lesions.paint(
        picture.pixels, picture.head, picture.brain, kind, np.random.default_rng(5)
    )

    assert painted is not None
    change = sign * (painted - picture.pixels)
    strong = change > 0.1
    assert 40 < strong.sum() < 0.15 * picture.brain.sum()
    assert picture.brain[strong].mean() > 0.95


def test_a_ring_is_bright_outside_and_dark_inside() -> None:
    picture = a_picture()
    assert picture.head is not None
    assert picture.brain is not None

    painted = lesions.paint(
        picture.pixels, picture.head, picture.brain, lesions.RING, np.random.default_rng(6)
    )

    assert painted is not None
    change = painted - picture.pixels
    bright, dark = np.argwhere(change > 0.1), np.argwhere(change < -0.1)
    assert len(bright)
    assert len(dark)
    np.testing.assert_allclose(bright.mean(axis=0), dark.mean(axis=0), atol=4.0)
    assert np.ptp(bright, axis=0).min() > np.ptp(dark, axis=0).max() * 0.9


def test_a_brain_without_room_is_left_as_it_is() -> None:
    pixels = draw_slice()
    head = ellipse(SIZE, SIZE, (80, 80), (60, 60))
    thin = ellipse(SIZE, SIZE, (80, 80), (60, 2))

    assert lesions.paint(pixels, head, thin, lesions.SOLID, np.random.default_rng(1)) is None
