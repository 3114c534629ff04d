from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.augmentation import NO_CHANGES, Sample, apply_changes, decide_changes
from model.lesions import (
    decide_painted_lesion,
    paint_lesion,
    paste_healthy_patch,
    paste_lesion,
)
from tests.unit.model.pictures import draw_head, ellipse


def _healthy() -> Sample:
    pixels, head = draw_head(256, 256)
    levels = (pixels * 255).astype(np.uint8)
    return Sample(levels, head, np.zeros((256, 256), dtype=bool), label=0)


def _with_tumor() -> Sample:
    healthy = _healthy()
    tumor = ellipse(256, 256, (110, 150), (18, 14))
    return Sample(np.where(tumor, 230, healthy.levels).astype(np.uint8), healthy.hull, tumor, 1)


def test_the_same_seed_decides_the_same_changes() -> None:
    assert decide_changes(np.random.default_rng(4)) == decide_changes(np.random.default_rng(4))
    assert decide_changes(np.random.default_rng(4)) != decide_changes(np.random.default_rng(5))


def test_the_outline_follows_the_picture() -> None:
    moved = replace(NO_CHANGES, angle_degrees=25.0, zoom=1.05, mirror=True, shift_x=0.03)

    levels, outline = apply_changes(_with_tumor(), moved, size=128, head_share=1.0)

    assert outline is not None
    assert levels[outline > 0.9].mean() > 230
    assert levels[(outline < 0.1) & (levels > 0)].mean() < 180
    assert (outline > 0.5).sum() > 50


@pytest.mark.parametrize("seed", range(12))
def test_any_changes_give_levels_of_the_right_shape_and_kind(seed: int) -> None:
    sample = _with_tumor()
    before = sample.levels.copy()

    changes = decide_changes(np.random.default_rng(seed))
    levels, outline = apply_changes(sample, changes, size=96, head_share=0.72)

    assert levels.shape == (96, 96)
    assert levels.dtype == np.uint8
    assert outline is not None
    assert 0.0 <= outline.min() <= outline.max() <= 1.0
    np.testing.assert_array_equal(sample.levels, before)


def test_a_removed_skull_is_gone() -> None:
    stripped = replace(NO_CHANGES, hull_growth=-0.12)

    kept, _ = apply_changes(_healthy(), NO_CHANGES, size=128, head_share=1.0)
    removed, _ = apply_changes(_healthy(), stripped, size=128, head_share=1.0)

    assert (kept > 200).mean() > 0.05  # the scalp
    assert (removed > 0).sum() < 0.85 * (kept > 0).sum()


def test_a_pasted_tumour_makes_a_healthy_slice_a_tumour_slice() -> None:
    pasted = paste_lesion(_healthy(), _with_tumor(), np.random.default_rng(3))

    assert pasted.label == 1
    assert pasted.tumor is not None
    assert pasted.tumor.any()
    inside = pasted.levels[pasted.tumor].astype(float).mean()
    assert inside > _healthy().levels[pasted.tumor].astype(float).mean() + 20


def test_a_tumour_too_faint_to_be_seen_is_not_pasted() -> None:
    faint = replace(_with_tumor(), levels=_healthy().levels)

    assert paste_lesion(_healthy(), faint, np.random.default_rng(3)).label == 0


def test_a_healthy_patch_leaves_the_label_alone() -> None:
    patched = paste_healthy_patch(_healthy(), _healthy(), np.random.default_rng(3))

    assert patched.label == 0
    assert patched.tumor is not None
    assert not patched.tumor.any()
    assert (patched.levels != _healthy().levels).any()


@pytest.mark.parametrize("seed", range(8))
def test_a_painted_lesion_lies_in_the_head_and_is_outlined(seed: int) -> None:
    random = np.random.default_rng(seed)

    painted = paint_lesion(_healthy(), decide_painted_lesion(random))

    assert painted.label == 1
    assert painted.tumor is not None
    assert painted.tumor.any()
    assert not (painted.tumor & ~painted.hull).any()
