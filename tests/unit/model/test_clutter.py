from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from model.augmentation import NO_CHANGES, Sample, apply_changes, bend_sample
from model.clutter import (
    Clutter,
    Shape,
    make_clutter,
    make_frame,
    make_gradient,
    make_grain,
    make_writing,
)

SIZE = 96
HEAD_SHARE = 0.8


@pytest.fixture
def sample() -> Sample:
    rows, columns = np.mgrid[:256, :256]
    hull = np.hypot(rows - 128, columns - 128) < 70
    tumor = np.hypot(rows - 128, columns - 150) < 15
    levels = np.where(tumor, 220, np.where(hull, 110, 0)).astype(np.uint8)
    return Sample(levels, hull, tumor, 1)


@pytest.mark.parametrize("make", [make_grain, make_writing, make_frame, make_gradient])
@pytest.mark.parametrize("seed", range(4))
def test_clutter_is_a_picture_of_the_size_asked_for_and_not_blank(
    make: Callable[[Shape, np.random.Generator], Clutter], seed: int
) -> None:
    made = make((60, 90), np.random.default_rng(seed))

    assert made.shape == (60, 90)
    assert made.dtype == np.float32
    assert made.min() >= 0.0
    assert 0.02 < made.max() <= 1.0


def test_the_same_seed_draws_the_same_clutter_and_seeds_differ() -> None:
    first, again, other = (
        make_clutter((64, 64), np.random.default_rng(seed)) for seed in (3, 3, 4)
    )

    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_clutter_stands_around_the_head_and_never_in_it(sample: Sample) -> None:
    clean, outline = apply_changes(sample, NO_CHANGES, SIZE, HEAD_SHARE)
    inside = clean > 0
    assert outline is not None
    seen = False
    for seed in range(8):
        changes = replace(NO_CHANGES, clutter_reach=0.1, noise_seed=seed)
        cluttered, same_outline = apply_changes(sample, changes, SIZE, HEAD_SHARE)
        seen |= bool((cluttered[~inside] > 0).any())
        assert np.array_equal(cluttered[inside], clean[inside])
        assert cluttered[0, 0] == 0  # beyond its reach
        assert same_outline is not None
        assert np.array_equal(outline, same_outline)
    assert seen


def test_bending_moves_picture_hull_and_outline_alike(sample: Sample) -> None:
    bent = bend_sample(sample, replace(NO_CHANGES, bend=0.02))

    assert bent.tumor is not None
    assert sample.tumor is not None
    assert not np.array_equal(bent.tumor, sample.tumor)
    assert not np.array_equal(bent.hull, sample.hull)
    # What is bright is the tumour, and what is not black the head, as before.
    assert np.mean((bent.levels > 165) == bent.tumor) > 0.995
    assert np.mean((bent.levels > 55) == bent.hull) > 0.99


def test_without_a_bend_the_sample_stays_as_it_is(sample: Sample) -> None:
    assert np.array_equal(bend_sample(sample, NO_CHANGES).levels, sample.levels)
