"""The tumour map as outlines in pixels of the original."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from model.explanation_outline import fill_contours, outline_lesion
from model.preprocessing import PreparedImage, Region
from model.tumor_map import locate_lesion


def make_prepared(region: Region, *, original: int = 512) -> PreparedImage:
    return PreparedImage(
        network_input=np.zeros((64, 64), dtype=np.uint8),
        picture_features=np.zeros(10, dtype=np.float32),
        region=region,
        decoded_width=256,
        decoded_height=256,
        original_width=original,
        original_height=original,
    )


def make_map(rows: slice, columns: slice) -> npt.NDArray[np.float32]:
    tumor_map = np.zeros((16, 16), dtype=np.float32)
    tumor_map[rows, columns] = 1.0
    return tumor_map


def test_an_outline_lies_where_the_box_of_the_row_lies() -> None:
    tumor_map = make_map(slice(4, 8), slice(6, 11))
    prepared = make_prepared(Region(x=32.0, y=16.0, side=192.0))

    (outline,) = outline_lesion(tumor_map, prepared, 0.5)
    box = locate_lesion(tumor_map, prepared, 0.5).box

    x, y = np.array(outline).T
    assert box is not None
    # The line runs halfway between marked cells and those around them: a cell is 24 pixels.
    assert (x.min(), x.max()) == pytest.approx((box.x, box.x + box.width), abs=1)
    assert (y.min(), y.max()) == pytest.approx((box.y, box.y + box.height), abs=1)


def test_a_map_below_its_threshold_has_no_outline() -> None:
    prepared = make_prepared(Region(x=0.0, y=0.0, side=256.0))

    assert outline_lesion(np.full((16, 16), 0.4, dtype=np.float32), prepared, 0.5) == []


def test_a_cell_that_only_reaches_the_threshold_has_an_outline() -> None:
    tumor_map = make_map(slice(4, 5), slice(4, 5)) * np.float32(0.5)
    prepared = make_prepared(Region(x=0.0, y=0.0, side=256.0))

    assert len(outline_lesion(tumor_map, prepared, 0.5)) == 1


def test_two_lesions_have_two_outlines_the_longer_first() -> None:
    tumor_map = make_map(slice(1, 3), slice(1, 3)) + make_map(slice(8, 14), slice(8, 14))
    prepared = make_prepared(Region(x=0.0, y=0.0, side=256.0))

    first, second = outline_lesion(tumor_map, prepared, 0.5)

    assert len(first) > len(second)
    assert min(x for x, _ in first) > max(x for x, _ in second)


def test_an_outline_stays_within_the_picture_where_the_region_reaches_beyond_it() -> None:
    prepared = make_prepared(Region(x=-64.0, y=-64.0, side=384.0))

    (outline,) = outline_lesion(np.ones((16, 16), dtype=np.float32), prepared, 0.5)

    assert np.array(outline).min() == 0.0
    assert np.array(outline).max() == 512.0


def test_no_corner_stands_twice_in_a_row() -> None:
    prepared = make_prepared(Region(x=-64.0, y=-64.0, side=384.0), original=16)

    for outline in outline_lesion(np.ones((16, 16), dtype=np.float32), prepared, 0.5):
        following = [*outline[1:], outline[0]]
        assert all(one != other for one, other in zip(outline, following, strict=True))


def test_a_filled_outline_covers_what_the_map_marks() -> None:
    tumor_map = make_map(slice(4, 8), slice(4, 8))
    prepared = make_prepared(Region(x=0.0, y=0.0, side=256.0))

    filled = fill_contours(outline_lesion(tumor_map, prepared, 0.5), 512, 512)

    marked = np.kron(tumor_map >= 0.5, np.ones((32, 32), dtype=bool))
    assert filled.shape == (512, 512)
    overlap = 2 * (filled & marked).sum() / (filled.sum() + marked.sum())
    assert overlap > 0.9


def test_a_hole_in_a_lesion_is_left_out() -> None:
    tumor_map = make_map(slice(2, 12), slice(2, 12))
    tumor_map[5:9, 5:9] = 0.0
    prepared = make_prepared(Region(x=0.0, y=0.0, side=256.0))

    filled = fill_contours(outline_lesion(tumor_map, prepared, 0.5), 512, 512)

    assert filled[100, 100]
    assert not filled[7 * 32, 7 * 32]
