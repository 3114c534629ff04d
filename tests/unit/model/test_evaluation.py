from __future__ import annotations

import numpy as np
import pytest

from model.evaluation import (
    ScoredSlices,
    auc,
    dice_of,
    metrics_of,
    points_into,
    specificity_at_99,
    summarise,
)


def _slices() -> ScoredSlices:
    probabilities = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    return ScoredSlices(
        probabilities=probabilities,
        flagged=probabilities >= 0.35,
        labels=np.array([0, 0, 1, 0, 1, 1, 1, 1]),
        groups=np.array(list("aabbccdd")),
        sources=np.array(["s", "s", "s", "s", "t", "t", "t", "t"]),
    )


def test_counts_and_shares_are_those_of_the_slices() -> None:
    metrics = metrics_of(_slices(), seed=1)

    assert metrics["n"] == 8
    assert metrics["positives"] == 5
    assert metrics["groups"] == 4
    assert metrics["sensitivity"]["value"] == 0.8
    assert metrics["specificity"]["value"] == pytest.approx(0.6667, abs=1e-4)
    assert metrics["auc"]["value"] == pytest.approx(14 / 15, abs=1e-4)


def test_the_interval_holds_the_value_and_repeats() -> None:
    first = metrics_of(_slices(), seed=1)["sensitivity"]

    assert first["low"] <= first["value"] <= first["high"]
    assert first == metrics_of(_slices(), seed=1)["sensitivity"]


def test_a_source_without_normals_has_no_auc_and_no_specificity() -> None:
    by_source = summarise(_slices(), seed=1)["by"]["source"]

    assert by_source["t"]["auc"] is None
    assert by_source["t"]["specificity"] is None
    assert by_source["t"]["sensitivity"]["value"] == 1.0


def test_auc_without_both_classes_is_not_a_number() -> None:
    assert np.isnan(auc(np.array([0.1, 0.2]), np.array([1, 1])))


def test_specificity_is_taken_below_the_hundredth_lowest_tumour() -> None:
    positives = np.linspace(0.5, 1.0, 100)
    negatives = np.array([0.1, 0.2, 0.502, 0.9])
    scores = np.concatenate([positives, negatives])
    labels = np.array([1] * 100 + [0] * 4)

    # One of a hundred tumours may be missed: the threshold is the second lowest, 0.505.
    assert specificity_at_99(scores, labels) == 0.75


def test_dice_and_pointing_of_a_half_covered_outline() -> None:
    outline = np.zeros((4, 4), dtype=bool)
    outline[0, :2] = True
    tumor_map = np.zeros((4, 4), dtype=np.float32)
    tumor_map[0, 0], tumor_map[3, 3] = 0.9, 0.6

    assert dice_of(tumor_map, outline, 0.5) == 0.5
    assert points_into(tumor_map, outline)
    assert not points_into(tumor_map, ~outline)
