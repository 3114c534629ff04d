from __future__ import annotations

import numpy as np
import pytest

from model.shortcuts import (
    fold_by_group,
    measure_background,
    measure_border,
    measure_size,
    measure_source,
    score_shortcut,
)
from tests.unit.model.pictures import as_image, draw_head

LABELS = np.array([1, 0] * 20)
GROUPS = np.array([f"g{number}" for number in range(40)])


def test_a_size_that_tells_the_label_is_found_out() -> None:
    sizes = measure_size([(512, 512), (200, 300)] * 20)

    scored = score_shortcut(sizes, LABELS, GROUPS, seed=1)

    assert scored is not None
    assert scored["auc"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert scored["accuracy"] == {"value": 1.0, "low": 1.0, "high": 1.0}


def test_a_size_between_two_others_is_told_from_both() -> None:
    # On a line 300 lies between the others, and no threshold tells it from both.
    sizes = [(300, 300), (200, 200), (300, 300), (400, 400)] * 10

    scored = score_shortcut(measure_size(sizes), LABELS, GROUPS, seed=1)

    assert scored is not None
    assert scored["auc"] is not None
    assert scored["auc"]["value"] == 1.0


def test_a_shortcut_that_only_knows_its_own_groups_is_worth_nothing() -> None:
    # Two slices a group; the feature names the group, and unseen groups have other names.
    groups = np.tile([f"g{number}" for number in range(20)], 2)
    labels = np.tile([1, 0] * 10, 2)
    named = measure_source(groups.tolist())

    scored = score_shortcut(named, labels, groups, seed=1)

    assert scored is not None
    assert scored["auc"] is not None
    assert scored["auc"]["value"] <= 0.6


@pytest.mark.parametrize("labels", [np.ones(40, dtype=np.int64), np.array([1] * 39 + [0])])
def test_with_fewer_than_two_groups_of_a_class_there_is_no_baseline(
    labels: np.ndarray[tuple[int, ...], np.dtype[np.int64]],
) -> None:
    assert score_shortcut(measure_size([(1, 1)] * 40), labels, GROUPS, seed=1) is None


def test_the_border_is_measured_and_the_middle_is_not() -> None:
    pixels = np.zeros((64, 64), dtype=np.float32)
    pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:] = 0.5, 0.5, 0.5, 0.5
    filled = pixels.copy()
    filled[8:-8, 8:-8] = 1.0

    measures = measure_border(as_image(pixels))

    assert measures[:3].tolist() == [0.5, 0.0, 0.0]
    # Corners of 4 by 4 pixels, 12 of 16 of which are in the rim.
    assert measures[3] == pytest.approx(0.375)
    assert measure_border(as_image(filled)).tolist() == measures.tolist()


def test_a_picture_of_one_pixel_has_a_border() -> None:
    assert np.isfinite(measure_border(as_image(np.full((1, 1), 0.3, dtype=np.float32)))).all()


def test_what_is_outside_the_head_is_measured_and_the_head_is_not() -> None:
    pixels, head = draw_head()
    other_head = np.where(head, pixels * 0.8, pixels).astype(np.float32)
    brighter_outside = np.where(head, pixels, 0.06).astype(np.float32)

    measures = measure_background(as_image(pixels))

    assert measures[0] == pytest.approx(1 - head.mean(), abs=0.05)
    assert measures[1] == pytest.approx(0.02, abs=0.01)
    assert measure_background(as_image(other_head))[:2] == pytest.approx(measures[:2], abs=0.01)
    assert measure_background(as_image(brighter_outside))[1] == pytest.approx(0.06, abs=0.01)


def test_a_blank_picture_has_no_background() -> None:
    blank = as_image(np.full((40, 30), 0.5, dtype=np.float32))

    assert measure_background(blank).tolist() == [0.0] * 5


def test_no_group_is_on_two_sides_of_a_fold_and_every_slice_is_measured_once() -> None:
    labels = np.array([1, 0, 0] * 20)
    groups = np.array([f"g{number // 3}" for number in range(60)])

    folds = fold_by_group(labels, groups, seed=1)

    assert folds is not None
    assert sorted(np.concatenate([measured for _, measured in folds])) == list(range(60))
    assert all(not set(groups[fit]) & set(groups[measured]) for fit, measured in folds)
