from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.errors import TrainingDataError
from model.images import Box
from model.localisation import (
    box_around,
    box_iou_of,
    dice_of,
    measure_maps,
    name_size,
    outline_in_cells,
    points_into,
    read_outline,
)
from model.preprocessing import PreparedImage, Region
from model.training_data import LabelledImage


def _prepared(width: int = 40, height: int = 40) -> PreparedImage:
    """Prepare nothing: the network saw the whole of a 40 by 40 picture."""
    return PreparedImage(
        network_input=np.zeros((32, 32), dtype=np.uint8),
        picture_features=np.zeros(10, dtype=np.float32),
        region=Region(0.0, 0.0, 40.0),
        decoded_width=40,
        decoded_height=40,
        original_width=width,
        original_height=height,
    )


def _image(folder: Path, outline: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> LabelledImage:
    Image.fromarray(outline).save(folder / "mask.png")
    return LabelledImage(folder / "a.png", "s", 1, "glioma", "g", folder / "mask.png")


def test_dice_and_pointing_of_a_half_covered_outline() -> None:
    outline = np.zeros((4, 4), dtype=bool)
    outline[0, :2] = True
    tumor_map = np.zeros((4, 4), dtype=np.float32)
    tumor_map[0, 0], tumor_map[3, 3] = 0.9, 0.6

    assert dice_of(tumor_map, outline, 0.5) == 0.5
    assert points_into(tumor_map, outline)
    assert not points_into(tumor_map, ~outline)


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (Box(0, 0, 4, 2), 1.0),
        (Box(2, 0, 4, 2), 4 / 12),
        (Box(4, 0, 4, 2), 0.0),
        (Box(9, 9, 1, 1), 0.0),
        (Box(1, 0, 2, 2), 0.5),
        (None, 0.0),
    ],
)
def test_the_iou_of_two_boxes_is_the_shared_over_the_covered_area(
    other: Box | None,
    expected: float,
) -> None:
    assert box_iou_of(Box(0, 0, 4, 2), other) == pytest.approx(expected)


def test_the_box_around_an_outline_holds_its_outermost_pixels() -> None:
    outline = np.zeros((10, 12), dtype=bool)
    outline[2, 3] = outline[7, 9] = True

    assert box_around(outline) == Box(x=3, y=2, width=7, height=6)


@pytest.mark.parametrize(
    ("label", "pixels", "name"),
    [
        (1, 4, "0-0.5%"),
        (1, 5, "0.5-1.5%"),
        (1, 39, "1.5-4%"),
        (1, 40, "4-100%"),
        (1, 0, "not outlined"),
        (0, 0, "no lesion"),
    ],
)
def test_the_size_of_a_lesion_is_its_share_of_the_picture(
    label: int,
    pixels: int,
    name: str,
) -> None:
    outline = np.arange(1000).reshape(40, 25) < pixels

    assert name_size(label, outline) == name


def test_a_tumour_without_a_mask_is_not_outlined() -> None:
    assert name_size(1, None) == "not outlined"


def test_an_outline_lands_in_the_cells_that_the_network_saw() -> None:
    outline = np.zeros((40, 40), dtype=bool)
    outline[10:20, 20:40] = True

    cells = outline_in_cells(outline, _prepared(), 4)

    assert cells.astype(int).tolist() == [[0, 0, 0, 0], [0, 0, 1, 1], [0, 0, 0, 0], [0, 0, 0, 0]]


def test_a_map_is_measured_against_the_mask_in_pixels_of_the_original(tmp_path: Path) -> None:
    outline = np.zeros((40, 40), dtype=bool)
    outline[10:20, 20:40] = True
    tumor_map = np.zeros((1, 4, 4), dtype=np.float32)
    tumor_map[0, 1, 2] = 0.9  # the left half of the outline

    measured = measure_maps([_image(tmp_path, outline)], [_prepared()], tumor_map, 0.5, seed=1)

    assert measured["n"] == 1
    assert measured["dice"] == pytest.approx(2 / 3, abs=1e-4)
    assert measured["box_iou"] == 0.5
    assert measured["pointing_game"] == 1.0
    assert set(measured["intervals"]["dice"]) == {"value", "low", "high"}


def test_a_map_that_sees_nothing_scores_nothing(tmp_path: Path) -> None:
    outline = np.zeros((40, 40), dtype=bool)
    outline[10:20, 20:40] = True

    measured = measure_maps(
        [_image(tmp_path, outline)],
        [_prepared()],
        np.zeros((1, 4, 4), dtype=np.float32),
        0.5,
        seed=1,
    )

    assert (measured["dice"], measured["box_iou"], measured["pointing_game"]) == (0.0, 0.0, 0.0)


def test_without_outlines_nothing_is_measured() -> None:
    image = LabelledImage(Path("a.png"), "s", 0, "none", "g", None)

    measured = measure_maps([image], [_prepared()], np.zeros((1, 4, 4), dtype=np.float32), 0.5, 1)

    assert measured["n"] == 0
    assert measured["dice"] is None
    assert measured["intervals"]["box_iou"] is None


def test_a_mask_of_another_size_is_refused(tmp_path: Path) -> None:
    image = _image(tmp_path, np.zeros((40, 40), dtype=bool))

    with pytest.raises(TrainingDataError, match=r"mask\.png is 40x40, its image 50x40"):
        read_outline(image, _prepared(width=50))


def test_a_mask_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    image = _image(tmp_path, np.zeros((40, 40), dtype=bool))
    (tmp_path / "mask.png").write_bytes(b"not a picture")

    with pytest.raises(TrainingDataError, match=r"mask\.png cannot be read"):
        read_outline(image, _prepared())
