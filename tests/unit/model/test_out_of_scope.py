from __future__ import annotations

import zlib
from collections import Counter
from itertools import islice

import numpy as np
import pytest

from model import out_of_scope_body_parts, out_of_scope_documents, out_of_scope_patterns
from model.out_of_scope import (
    OutOfScopePicture,
    Side,
    as_decoded,
    list_originals,
    make_out_of_scope_pictures,
)
from model.out_of_scope_packaged import BODY_PARTS, DOCUMENTS, PHOTOGRAPHS, read_face, read_packaged

SIDES: tuple[Side, Side] = ("choosing", "measuring")
KINDS = {"photograph", "body_part", "document", "pattern", "noise", "blank"}


def _originals(side: Side) -> dict[str, str]:
    return {original.name: original.kind for original in list_originals(side)}


def test_no_original_is_on_two_sides() -> None:
    choosing, measuring = (set(_originals(side)) for side in SIDES)

    assert choosing
    assert measuring
    assert not choosing & measuring


@pytest.mark.parametrize("side", SIDES)
def test_each_side_holds_several_hundred_pictures_of_every_kind(side: Side) -> None:
    counts: Counter[str] = Counter()
    for original in list_originals(side):
        counts[original.kind] += original.pictures

    assert set(counts) == KINDS
    assert counts.total() >= 500
    assert min(counts.values()) >= 12


def test_every_generator_is_used() -> None:
    used = {name for side in SIDES for name in _originals(side)}
    modules = (out_of_scope_body_parts, out_of_scope_documents, out_of_scope_patterns)
    written = {
        name.removeprefix("draw_")
        for module in modules
        for name in vars(module)
        if name.startswith("draw_")
    }

    assert written <= used


@pytest.mark.parametrize(
    "place",
    [
        place
        for pictures in (PHOTOGRAPHS, DOCUMENTS, BODY_PARTS)
        for side in SIDES
        for place in pictures[side]
    ],
    ids=lambda place: place[-1],
)
def test_every_packaged_picture_is_still_where_it_was(place: tuple[str, ...]) -> None:
    picture = read_packaged(place)

    assert picture.dtype == np.uint8
    assert picture.ndim in (2, 3)
    assert np.ptp(picture) > 20


def test_a_face_is_small_and_gray() -> None:
    assert read_face(0).shape == (25, 25)


def _first(side: Side, seed: int) -> list[OutOfScopePicture]:
    return list(islice(make_out_of_scope_pictures(side, seed), 3))


def test_the_same_seed_gives_the_same_pictures_and_another_one_others() -> None:
    once, again, other = _first("measuring", 5), _first("measuring", 5), _first("measuring", 6)

    for first, second in zip(once, again, strict=True):
        np.testing.assert_array_equal(first.image.pixels, second.image.pixels)
    assert any(
        first.image.pixels.shape != third.image.pixels.shape
        or (first.image.pixels != third.image.pixels).any()
        for first, third in zip(once, other, strict=True)
    )


@pytest.mark.parametrize("side", SIDES)
def test_every_original_can_be_made_and_is_a_picture(side: Side) -> None:
    for original in list_originals(side):
        if original.name.startswith("face") and original.name not in {"face 0", "face 1"}:
            continue
        random = np.random.default_rng(zlib.crc32(original.name.encode()))
        pixels = as_decoded(original.make(random)).pixels

        assert pixels.dtype == np.float32, original.name
        assert pixels.ndim == 2, original.name
        assert min(pixels.shape) >= 8, original.name
        assert np.isfinite(pixels).all(), original.name
        assert 0.0 <= pixels.min() <= pixels.max() <= 1.0, original.name


def test_colours_become_gray_and_are_remembered() -> None:
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 0] = 255

    image = as_decoded(red)

    assert image.pixels[0, 0] == pytest.approx(0.299, abs=0.01)
    assert image.colourfulness == pytest.approx(2 / 3, abs=0.01)
    assert as_decoded(red[..., 0]).colourfulness == 0.0
