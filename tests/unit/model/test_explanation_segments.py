"""Cutting a picture into segments."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest

from model.explanation_segments import SegmentationName, segment_picture

METHODS = get_args(SegmentationName)


def make_head() -> npt.NDArray[np.uint8]:
    """Draw a textured disc on black, 128 x 128, with a bright lesion."""
    rows, columns = np.indices((128, 128))
    inside = (rows - 64) ** 2 + (columns - 64) ** 2 < 52**2
    texture = 90 + 25 * np.sin(rows / 6.0) * np.cos(columns / 7.0)
    picture = np.where(inside, texture, 0.0).astype(np.uint8)
    picture[60:76, 80:96] = 240
    return picture


@pytest.mark.parametrize("method", METHODS)
def test_every_pixel_has_a_segment_and_the_numbers_have_no_gaps(method: SegmentationName) -> None:
    segments, _ = segment_picture(make_head(), method)

    assert np.unique(segments).tolist() == list(range(int(segments.max()) + 1))


@pytest.mark.parametrize("method", METHODS)
def test_the_same_picture_is_always_cut_alike(method: SegmentationName) -> None:
    first, _ = segment_picture(make_head(), method)
    second, _ = segment_picture(make_head(), method)

    assert np.array_equal(first, second)


@pytest.mark.parametrize("method", ["slic", "quickshift", "felzenszwalb"])
def test_no_segment_reaches_over_the_outline_of_the_head(method: SegmentationName) -> None:
    segments, head = segment_picture(make_head(), method)

    assert not set(segments[head].tolist()) & set(segments[~head].tolist())


def test_a_head_is_cut_into_some_dozens_of_segments_and_its_surroundings_into_a_few() -> None:
    segments, head = segment_picture(make_head())

    assert 30 <= len(np.unique(segments[head])) <= 80
    assert 1 < len(np.unique(segments[~head])) <= 8


@pytest.mark.parametrize("method", ["slic", "quickshift", "felzenszwalb"])
def test_even_fields_are_cut_up_too(method: SegmentationName) -> None:
    even = np.where(make_head() > 0, 90, 0).astype(np.uint8)

    segments, head = segment_picture(even, method)

    assert len(np.unique(segments[head])) >= 20


@pytest.mark.parametrize("level", [0, 128])
@pytest.mark.parametrize("method", METHODS)
def test_a_blank_picture_is_all_head(level: int, method: SegmentationName) -> None:
    segments, head = segment_picture(np.full((96, 96), level, dtype=np.uint8), method)

    assert head.all()
    assert segments.shape == (96, 96)


def test_an_unknown_method_is_refused() -> None:
    with pytest.raises(ValueError, match="no segmentation 'felz'"):
        segment_picture(make_head(), "felz")  # type: ignore[arg-type]
