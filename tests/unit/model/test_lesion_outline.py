from __future__ import annotations

import io

import numpy as np
from PIL import Image

from model.lesion_outline import draw_heat, outline_lesion
from model.preprocessing import PreparedImage, Region
from model.tumor_map import locate_lesion

CELLS = 12


def prepared(scale: int = 1) -> PreparedImage:
    """A picture of 100 x 80, of which the network saw a square of 60 from (20, 10)."""
    return PreparedImage(
        network_input=np.zeros((64, 64), dtype=np.uint8),
        picture_features=np.zeros(10, dtype=np.float32),
        region=Region(20.0, 10.0, 60.0),
        decoded_width=100,
        decoded_height=80,
        original_width=100 * scale,
        original_height=80 * scale,
    )


def a_map() -> np.ndarray:  # type: ignore[type-arg]
    tumor_map = np.zeros((CELLS, CELLS), dtype=np.float32)
    tumor_map[4:7, 5:9] = 1.0
    return tumor_map


def test_the_outline_lies_in_the_box_and_is_closed() -> None:
    lines = outline_lesion(a_map(), prepared(), 0.5)
    box = locate_lesion(a_map(), prepared(), 0.5).box

    assert len(lines) == 1
    assert lines[0][0] == lines[0][-1]
    assert box is not None
    x, y = np.array(lines[0]).T
    assert box.x <= x.min() < x.max() <= box.x + box.width
    assert box.y <= y.min() < y.max() <= box.y + box.height
    assert abs((x.min() + x.max()) / 2 - (box.x + box.width / 2)) < 1


def test_the_outline_is_in_pixels_of_the_original() -> None:
    one, twice = (outline_lesion(a_map(), prepared(scale), 0.5)[0] for scale in (1, 2))

    assert np.allclose(np.array(one) * 2, np.array(twice), atol=0.2)


def test_a_lesion_at_the_edge_of_the_map_is_closed_too() -> None:
    tumor_map = np.zeros((CELLS, CELLS), dtype=np.float32)
    tumor_map[0:3, 0:3] = 1.0

    lines = outline_lesion(tumor_map, prepared(), 0.5)

    assert len(lines) == 1
    assert lines[0][0] == lines[0][-1]


def test_an_empty_map_has_no_outline() -> None:
    assert outline_lesion(np.zeros((CELLS, CELLS), dtype=np.float32), prepared(), 0.5) == ()


def test_the_heat_layer_is_opaque_where_the_map_is_and_lies_on_the_region() -> None:
    heat = draw_heat(a_map(), prepared(2))

    opacity = np.asarray(Image.open(io.BytesIO(heat.png)))[..., 3]
    assert (opacity > 0).sum() == 12
    assert (heat.x, heat.y, heat.width, heat.height) == (40.0, 20.0, 120.0, 120.0)
