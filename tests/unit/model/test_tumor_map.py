from __future__ import annotations

import numpy as np
import pytest

from model.images import Box
from model.preprocessing import PreparedImage, Region
from model.tumor_map import locate_lesion


def _prepared(region: Region, *, decoded: int = 100, original: int = 200) -> PreparedImage:
    return PreparedImage(
        network_input=np.zeros((64, 64), dtype=np.uint8),
        picture_features=np.zeros(10, dtype=np.float32),
        region=region,
        decoded_width=decoded,
        decoded_height=decoded,
        original_width=original,
        original_height=original,
    )


def test_the_box_is_in_pixels_of_the_original() -> None:
    tumor_map = np.zeros((10, 10), dtype=np.float32)
    tumor_map[2:4, 5:8] = 0.9

    lesion = locate_lesion(tumor_map, _prepared(Region(x=0.0, y=0.0, side=100.0)), 0.5)

    assert lesion.box == Box(x=100, y=40, width=60, height=40)
    assert lesion.area_fraction == pytest.approx(0.06)


def test_the_strongest_piece_gives_the_box_and_all_pieces_the_area() -> None:
    tumor_map = np.zeros((10, 10), dtype=np.float32)
    tumor_map[0, 0] = 0.99
    tumor_map[5:7, 5:7] = 0.6

    lesion = locate_lesion(tumor_map, _prepared(Region(x=0.0, y=0.0, side=100.0)), 0.5)

    assert lesion.box == Box(x=100, y=100, width=40, height=40)
    assert lesion.area_fraction == pytest.approx(0.05)


def test_a_box_beyond_the_picture_is_clipped_to_it() -> None:
    tumor_map = np.zeros((10, 10), dtype=np.float32)
    tumor_map[0:2, 0:2] = 0.9

    lesion = locate_lesion(tumor_map, _prepared(Region(x=-15.0, y=-10.0, side=100.0)), 0.5)

    assert lesion.box == Box(x=0, y=0, width=10, height=20)


def test_an_empty_map_has_no_box_and_no_area() -> None:
    lesion = locate_lesion(
        np.full((10, 10), 0.49, dtype=np.float32),
        _prepared(Region(x=0.0, y=0.0, side=100.0)),
        0.5,
    )

    assert lesion.box is None
    assert lesion.area_fraction == 0.0
