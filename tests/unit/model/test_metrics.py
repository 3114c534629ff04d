from __future__ import annotations

import numpy as np
import pytest

from model.metrics import (
    Metric,
    make_accuracy,
    make_auc,
    make_log_loss,
    make_npv,
    make_precision,
    make_sensitivity,
    make_specificity,
    make_specificity_at,
    resample_groups,
    with_intervals,
)

# Two tumours flagged, two missed; three of four normals cleared.
FLAGGED = np.array([True, True, False, False, True, False, False, False])
LABELS = np.array([1, 1, 1, 1, 0, 0, 0, 0])


def _value(metric: Metric, *weights: float) -> float:
    return float(metric(np.array([weights or (1.0,) * 8]))[0])


def test_sensitivity_specificity_precision_and_accuracy_are_shares_of_slices() -> None:
    assert _value(make_sensitivity(FLAGGED, LABELS)) == 0.5
    assert _value(make_specificity(FLAGGED, LABELS)) == 0.75
    assert _value(make_precision(FLAGGED, LABELS)) == pytest.approx(2 / 3)
    assert _value(make_accuracy(FLAGGED, LABELS)) == 0.625


def test_a_slice_that_counts_twice_weighs_twice() -> None:
    sensitivity = make_sensitivity(FLAGGED, LABELS)

    assert _value(sensitivity, 2, 2, 1, 0, 1, 1, 1, 1) == 0.8


def test_the_npv_is_stated_for_the_prevalence_that_was_asked_for() -> None:
    # Of 1,000 slices 50 show a tumour: 25 of them are cleared, beside 0.75 * 950 = 712.5 normals.
    assert _value(make_npv(FLAGGED, LABELS, 0.05)) == pytest.approx(712.5 / 737.5)
    # Half of them: 250 tumours and 375 normals are cleared.
    assert _value(make_npv(FLAGGED, LABELS, 0.5)) == pytest.approx(0.6)


def test_the_npv_of_a_chain_that_clears_nothing_is_not_defined() -> None:
    assert np.isnan(_value(make_npv(np.ones(8, dtype=bool), LABELS, 0.05)))


def test_the_log_loss_is_in_nats_and_finite_for_a_certain_mistake() -> None:
    def loss(*probabilities: float) -> float:
        return _value(make_log_loss(np.array(probabilities), np.array([1, 0])), 1, 1)

    assert loss(0.5, 0.5) == pytest.approx(0.6931, abs=1e-4)
    assert loss(0.9, 0.2) == pytest.approx(0.1643, abs=1e-4)
    assert loss(0.0, 0.0) == pytest.approx(8.06, abs=0.01)


def test_the_auc_counts_pairs_in_the_right_order_and_half_of_equal_ones() -> None:
    scores = np.array([0.9, 0.4, 0.4, 0.1])
    labels = np.array([1, 1, 0, 0])

    # Of four pairs three are in order and one is equal.
    assert _value(make_auc(scores, labels), 1, 1, 1, 1) == 0.875
    # The tumour at 0.4 counts three times: 1 * 2 + 3 * 1.5 of 8.
    assert _value(make_auc(scores, labels), 1, 3, 1, 1) == 0.8125


def test_the_auc_without_normals_is_not_defined() -> None:
    assert np.isnan(_value(make_auc(np.array([0.1, 0.2]), np.array([1, 1])), 1, 1))


def test_the_specificity_at_99_percent_lies_below_the_second_lowest_of_a_hundred_tumours() -> None:
    positives = np.linspace(0.5, 1.0, 100)  # the second lowest is 0.505
    scores = np.concatenate([positives, [0.1, 0.2, 0.502, 0.9]])
    labels = np.array([1] * 100 + [0] * 4)
    ones = np.ones((1, 104))

    assert make_specificity_at(scores, labels, 0.99)(ones)[0] == 0.75
    assert make_specificity_at(scores, labels, 0.999)(ones)[0] == 0.5


def test_a_normal_with_the_score_of_the_lowest_kept_tumour_is_flagged_with_it() -> None:
    scores = np.array([0.5, 0.9, 0.5, 0.1])
    labels = np.array([1, 1, 0, 0])

    assert make_specificity_at(scores, labels, 0.99)(np.ones((1, 4)))[0] == 0.5


def test_an_interval_over_groups_is_wider_than_one_over_rows() -> None:
    # Ten patients of twenty slices each: all slices of a patient are flagged, or none is.
    flagged = np.repeat([True] * 7 + [False] * 3, 20)
    metrics = {"sensitivity": make_sensitivity(flagged, np.ones(200, dtype=np.int64))}
    patients = np.repeat([f"p{number}" for number in range(10)], 20)
    rows = np.array([f"r{number}" for number in range(200)])

    over_groups = with_intervals(metrics, resample_groups(patients, 1))["sensitivity"]
    over_rows = with_intervals(metrics, resample_groups(rows, 1))["sensitivity"]

    assert over_groups is not None
    assert over_rows is not None
    assert over_groups["value"] == over_rows["value"] == 0.7
    # Binomial: sqrt(0.7 * 0.3 / 10) = 0.145 and sqrt(0.7 * 0.3 / 200) = 0.032, twice 1.96 each.
    assert over_groups["high"] - over_groups["low"] == pytest.approx(0.57, abs=0.06)
    assert over_rows["high"] - over_rows["low"] == pytest.approx(0.127, abs=0.02)


def test_the_same_seed_gives_the_same_interval_and_another_one_another() -> None:
    metrics = {"auc": make_auc(np.array([0.1, 0.3, 0.2, 0.4, 0.6, 0.5]), np.array([0, 1] * 3))}
    groups = np.array(list("aabbcd"))

    def interval(seed: int) -> object:
        return with_intervals(metrics, resample_groups(groups, seed))

    assert interval(1) == interval(1)
    drawn = [resample_groups(groups, seed).group_counts for seed in (1, 2)]
    assert (drawn[0] != drawn[1]).any()


def test_every_resample_draws_as_many_groups_as_there_are() -> None:
    resamples = resample_groups(np.array(list("aabbbc")), 1)

    assert resamples.group_counts.shape == (1000, 3)
    assert (resamples.group_counts.sum(axis=1) == 3).all()
    weights = np.concatenate(list(resamples.weights()))
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 2] == weights[:, 4]).all()


def test_a_metric_that_is_not_defined_is_none() -> None:
    metrics = {"auc": make_auc(np.array([0.1, 0.2]), np.array([1, 1]))}

    assert with_intervals(metrics, resample_groups(np.array(["a", "b"]), 1)) == {"auc": None}


def test_no_slices_have_no_metrics() -> None:
    nothing = np.array([], dtype=np.int64)
    metrics = {
        "sensitivity": make_sensitivity(nothing.astype(bool), nothing),
        "auc": make_auc(nothing.astype(np.float64), nothing),
    }

    resamples = resample_groups(np.array([], dtype=np.str_), 1)

    assert with_intervals(metrics, resamples) == {"sensitivity": None, "auc": None}
