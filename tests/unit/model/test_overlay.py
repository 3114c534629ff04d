"""The picture of one explanation, judged by its pixels."""

from __future__ import annotations

import io
import struct

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from model.explanation import Explanation
from model.explanation_quality import ExplanationQuality
from model.images import Box
from model.overlay import (
    COLUMNS,
    DOUBT,
    HEIGHT,
    PANEL_TOP,
    WIDTH,
    Caption,
    draw_overlay,
    write_probability,
)
from model.overlay_panels import (
    BLUE_ORANGE,
    BOX,
    GREEN_RED,
    OUTLINE,
    PANEL,
    Marking,
    draw_marking,
    draw_weights,
    scale_slice,
)
from model.preprocessing import PreparedImage, Region

Mask = npt.NDArray[np.bool_]

CAPTION = Caption("0a1b", "d" * 64, probability=0.6, threshold=0.3, reason="tumor_suspected")
SUPPORTING, OPPOSING = GREEN_RED.supporting, GREEN_RED.opposing
WHOLE = Region(x=0.0, y=0.0, side=256.0)


def make_prepared(width: int = 256, height: int = 256, region: Region = WHOLE) -> PreparedImage:
    return PreparedImage(
        network_input=np.zeros((64, 64), dtype=np.uint8),
        picture_features=np.zeros(10, dtype=np.float32),
        region=region,
        decoded_width=width,
        decoded_height=height,
        original_width=2 * width,
        original_height=2 * height,
    )


def make_explanation(weights: list[float], r_squared: float = 0.9) -> Explanation:
    """Four quarters of 64 x 64: 0 top left, 1 top right, 2 bottom left, 3 the rest, without say."""
    segments = np.full((64, 64), 3, dtype=np.int32)
    segments[:32, :32] = 0
    segments[:32, 32:] = 1
    segments[32:, :32] = 2
    return Explanation(
        segments=segments,
        head=segments < 3,
        weights=np.array([*weights, 0.0]),
        intercept=0.1,
        r_squared=r_squared,
        stability=0.8,
        probability=0.6,
        local_prediction=0.6,
        perturbations=100,
        seed=7,
    )


def make_quality(fidelity: float = 0.9) -> ExplanationQuality:
    return ExplanationQuality(fidelity, stability=0.8, inside_head=1.0, map_agreement=4.0)


def make_marking(box: Box | None = None) -> Marking:
    """Draw a map of 16 x 16 whose cells 4..7 across and 8..11 down are lesion."""
    tumor_map = np.zeros((16, 16), dtype=np.float32)
    tumor_map[8:12, 4:8] = 1.0
    return Marking(tumor_map=tumor_map, map_threshold=0.5, box=box)


def overlay(
    pixels: npt.NDArray[np.float32],
    prepared: PreparedImage,
    weights: list[float],
) -> npt.NDArray[np.uint8]:
    explanation = make_explanation(weights)
    data = draw_overlay(pixels, prepared, make_marking(), explanation, make_quality(), CAPTION)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def greener(canvas: npt.NDArray[np.uint8]) -> Mask:
    return np.asarray(canvas[:, :, 1].astype(int) > canvas[:, :, 0].astype(int) + 5)


def redder(canvas: npt.NDArray[np.uint8]) -> Mask:
    return np.asarray(canvas[:, :, 0].astype(int) > canvas[:, :, 1].astype(int) + 5)


def painted(canvas: npt.NDArray[np.uint8], colour: tuple[int, int, int]) -> Mask:
    return np.asarray((canvas == np.array(colour, dtype=np.uint8)).all(axis=2))


def test_what_supports_is_green_what_opposes_red_and_the_rest_gray() -> None:
    canvas = np.full((512, 512, 3), 100, dtype=np.uint8)

    drawn = draw_weights(canvas, (256, 256), WHOLE, make_explanation([0.4, -0.4, 0.0]))

    assert greener(drawn)[20:236, 20:236].mean() > 0.9
    assert redder(drawn)[20:236, 276:492].mean() > 0.9
    assert not greener(drawn)[270:, :].any()
    assert not redder(drawn)[270:, :].any()


def test_without_colour_an_opposing_part_is_still_told_by_hatching_and_dashes() -> None:
    canvas = np.full((512, 512, 3), 100, dtype=np.uint8)

    drawn = draw_weights(canvas, (256, 256), WHOLE, make_explanation([0.4, -0.4, 0.0]))
    supporting, opposing = drawn[20:100, 20:100, 1], drawn[20:100, 276:356, 1]
    top_edges = painted(drawn, SUPPORTING)[0, :256], painted(drawn, OPPOSING)[0, 256:]

    assert len(np.unique(supporting)) == 1
    assert len(np.unique(opposing)) > 1
    assert top_edges[0].all()
    assert 0.3 < top_edges[1].mean() < 0.8


def test_a_stronger_weight_is_tinted_more() -> None:
    canvas = np.full((512, 512, 3), 100, dtype=np.uint8)

    drawn = draw_weights(canvas, (256, 256), WHOLE, make_explanation([0.4, 0.1, 0.0]))

    assert drawn[20, 20, 1] > drawn[20, 276, 1] > 100


def test_a_weight_below_a_tenth_of_the_strongest_is_not_drawn() -> None:
    canvas = np.full((512, 512, 3), 100, dtype=np.uint8)

    drawn = draw_weights(canvas, (256, 256), WHOLE, make_explanation([0.4, 0.03, -0.03]))

    assert not greener(drawn)[:, 262:].any()
    assert not redder(drawn).any()


def test_no_weights_leave_the_slice_untinted() -> None:
    canvas = np.full((512, 512, 3), 100, dtype=np.uint8)

    drawn = draw_weights(canvas, (256, 256), WHOLE, make_explanation([0.0, 0.0, 0.0]))

    assert not greener(drawn).any()
    assert not redder(drawn).any()


def test_segments_lie_where_the_region_was_cut_from_the_slice() -> None:
    canvas = np.full((512, 512, 3), 100, dtype=np.uint8)
    right_half = Region(x=128.0, y=64.0, side=128.0)

    drawn = draw_weights(canvas, (256, 256), right_half, make_explanation([0.4, 0.0, 0.0]))

    rows, columns = np.nonzero(greener(drawn))
    assert (columns.min(), columns.max()) == (256, 383)
    assert (rows.min(), rows.max()) == (128, 255)


def test_a_region_that_reaches_beyond_the_slice_is_cut_off_at_its_edge() -> None:
    canvas = np.full((512, 256, 3), 100, dtype=np.uint8)
    wide = Region(x=-64.0, y=0.0, side=256.0)

    drawn = draw_weights(canvas, (256, 128), wide, make_explanation([0.4, 0.0, 0.0]))

    rows, columns = np.nonzero(greener(drawn))
    assert (columns.min(), columns.max()) == (0, 127)
    assert (rows.min(), rows.max()) == (0, 255)


def test_the_outline_follows_the_tumor_map() -> None:
    canvas = np.zeros((512, 512, 3), dtype=np.uint8)

    drawn = draw_marking(canvas, (256, 256), make_prepared(), make_marking())

    rows, columns = np.nonzero(painted(drawn, OUTLINE))
    assert (columns.min(), columns.max()) == (128, 255)
    assert (rows.min(), rows.max()) == (256, 383)


def test_a_lesion_at_the_edge_of_the_region_is_not_drawn_beyond_it() -> None:
    canvas = np.zeros((512, 512, 3), dtype=np.uint8)
    middle = make_prepared(region=Region(x=64.0, y=64.0, side=128.0))
    marking = Marking(np.ones((16, 16), dtype=np.float32), map_threshold=0.5, box=None)

    drawn = draw_marking(canvas, (256, 256), middle, marking)

    rows, columns = np.nonzero(painted(drawn, OUTLINE))
    assert (columns.min(), columns.max()) == (128, 383)
    assert (rows.min(), rows.max()) == (128, 383)


def test_the_box_is_given_in_pixels_of_the_original() -> None:
    canvas = np.zeros((512, 512, 3), dtype=np.uint8)
    box = Box(x=128, y=256, width=128, height=128)

    drawn = draw_marking(canvas, (256, 256), make_prepared(), make_marking(box))

    # The original and the canvas are both 512 wide; four pixels of air around the lesion.
    rows, columns = np.nonzero(painted(drawn, BOX))
    assert (columns.min(), columns.max()) == (124, 260)
    assert (rows.min(), rows.max()) == (252, 388)


def test_a_map_below_its_threshold_has_no_outline() -> None:
    canvas = np.zeros((512, 512, 3), dtype=np.uint8)
    marking = Marking(np.full((16, 16), 0.4, dtype=np.float32), map_threshold=0.5, box=None)

    assert not draw_marking(canvas, (256, 256), make_prepared(), marking).any()


@pytest.mark.parametrize(
    ("height", "width", "shape"),
    [(100, 200, (256, 512)), (1000, 500, (512, 256)), (64, 64, (512, 512)), (1, 900, (1, 512))],
)
def test_a_slice_keeps_its_aspect_ratio(height: int, width: int, shape: tuple[int, int]) -> None:
    assert scale_slice(np.zeros((height, width), dtype=np.float32)).shape == (*shape, 3)


@pytest.mark.parametrize(("height", "width"), [(256, 256), (300, 120), (40, 400), (1, 900)])
def test_every_overlay_has_the_same_size_whatever_the_slice(height: int, width: int) -> None:
    pixels = np.full((height, width), 0.5, dtype=np.float32)

    drawn = overlay(pixels, make_prepared(width, height), [0.4, -0.4, 0.0])

    assert drawn.shape == (HEIGHT, WIDTH, 3)


def test_the_same_explanation_is_the_same_file_byte_for_byte() -> None:
    pixels = np.linspace(0.0, 1.0, 256 * 256, dtype=np.float32).reshape(256, 256)
    explanation = make_explanation([0.4, -0.4, 0.0])

    files = {
        draw_overlay(pixels, make_prepared(), make_marking(), explanation, make_quality(), CAPTION)
        for _ in range(2)
    }

    assert len(files) == 1


def test_the_file_holds_pixels_only_no_date_software_or_text() -> None:
    pixels = np.zeros((256, 256), dtype=np.float32)
    explanation = make_explanation([0.4, -0.4, 0.0])

    data = draw_overlay(
        pixels, make_prepared(), make_marking(), explanation, make_quality(), CAPTION
    )

    assert set(chunk_names(data)) == {b"IHDR", b"IDAT", b"IEND"}


def chunk_names(png: bytes) -> list[bytes]:
    names, place = [], 8
    while place < len(png):
        (length,) = struct.unpack(">I", png[place : place + 4])
        names.append(png[place + 4 : place + 8])
        place += length + 12
    return names


@pytest.mark.parametrize(
    ("quality", "doubts"),
    [
        (ExplanationQuality(0.9, 0.8, 1.0, 4.0), 0),
        (ExplanationQuality(0.2, 0.8, 1.0, 4.0), 1),
        (ExplanationQuality(0.9, 0.3, 1.0, 4.0), 1),
        (ExplanationQuality(0.9, 0.8, 0.5, 4.0), 1),
        (ExplanationQuality(0.9, 0.8, 1.0, 0.5), 1),
        (ExplanationQuality(0.0, None, None, None), 1),
        (ExplanationQuality(0.2, 0.3, 0.5, 0.5), 4),
    ],
)
def test_a_doubtful_explanation_says_so_on_its_face(
    quality: ExplanationQuality, doubts: int
) -> None:
    pixels = np.zeros((256, 256), dtype=np.float32)
    explanation = make_explanation([0.4, 0.0, 0.0])

    data = draw_overlay(pixels, make_prepared(), make_marking(), explanation, quality, CAPTION)
    page = np.asarray(Image.open(io.BytesIO(data)))

    assert len(quality.doubts) == doubts
    assert bool(painted(page, DOUBT).sum() > 1000) == bool(doubts)


def test_the_alternative_colours_are_blue_and_orange() -> None:
    pixels = np.zeros((256, 256), dtype=np.float32)
    explanation = make_explanation([0.4, -0.4, 0.0])

    data = draw_overlay(
        pixels, make_prepared(), make_marking(), explanation, make_quality(), CAPTION, BLUE_ORANGE
    )
    page = np.asarray(Image.open(io.BytesIO(data)))

    assert painted(page, BLUE_ORANGE.supporting).sum() > 500
    assert painted(page, BLUE_ORANGE.opposing).sum() > 500
    assert not painted(page, GREEN_RED.supporting).any()
    assert not painted(page, GREEN_RED.opposing).any()


def test_the_slice_the_weights_and_the_map_stand_side_by_side_at_one_scale() -> None:
    pixels = np.linspace(0.0, 1.0, 256 * 256, dtype=np.float32).reshape(256, 256)

    page = overlay(pixels, make_prepared(), [0.4, -0.4, 0.0])
    slices = [page[PANEL_TOP : PANEL_TOP + PANEL, left : left + PANEL] for left in COLUMNS]

    assert np.array_equal(slices[0], scale_slice(pixels))
    assert np.array_equal(slices[1][400:, 300:], slices[0][400:, 300:])
    assert np.array_equal(slices[2][:200, :200], slices[0][:200, :200])


def test_the_pixels_of_the_slice_are_left_unchanged() -> None:
    pixels = np.linspace(0.0, 1.0, 256 * 256, dtype=np.float32).reshape(256, 256)
    before = pixels.copy()

    overlay(pixels, make_prepared(), [0.4, -0.4, 0.0])

    assert np.array_equal(pixels, before)


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "0.000"),
        (0.00034, "0.0003"),
        (0.035, "0.035"),
        (0.5, "0.500"),
        (0.9996, "above 0.999"),
        (1.0, "1.000"),
    ],
)
def test_a_probability_is_never_rounded_to_a_certainty(probability: float, text: str) -> None:
    assert write_probability(probability) == text
