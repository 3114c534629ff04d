from __future__ import annotations

import numpy as np
import pytest

from model.evaluation import ScoredSlices
from model.promotion import (
    AUC,
    SENSITIVITY,
    SPECIFICITY,
    SPECIFICITY_AT_99,
    Comparison,
    Difference,
    compare_cards,
    compare_slices,
)
from tests.builders import make_card
from tests.unit.jobs.registry_builders import make_metrics

GROUPS = 60


def slices(tumors: list[float], normals: list[float], threshold: float = 0.5) -> ScoredSlices:
    """Make one tumour slice and one normal slice a group, with these scores."""
    probabilities = np.array([*tumors, *normals])
    groups = [f"g{number}" for number in (*range(len(tumors)), *range(len(normals)))]
    return ScoredSlices(
        probabilities=probabilities,
        flagged=probabilities >= threshold,
        labels=np.array([1] * len(tumors) + [0] * len(normals)),
        groups=np.array(groups),
        strata={},
    )


def difference(comparison: Comparison, metric: str) -> Difference:
    (found,) = [one for one in comparison.differences if one.metric == metric]
    return found


def test_a_bundle_compared_with_itself_differs_in_nothing() -> None:
    rng = np.random.default_rng(1)
    same = slices(rng.random(GROUPS).tolist(), rng.random(GROUPS).tolist())

    comparison = compare_slices(same, same, "twice the same")

    assert comparison.objections == []
    assert [one.metric for one in comparison.differences] == [
        AUC,
        SENSITIVITY,
        SPECIFICITY_AT_99,
        SPECIFICITY,
    ]
    assert all((one.value, one.low, one.high) == (0, 0, 0) for one in comparison.differences)


def test_a_bundle_that_misses_many_more_tumours_is_objected_to() -> None:
    current = slices([0.9] * GROUPS, [0.1] * GROUPS)
    candidate = slices([0.9] * 40 + [0.4] * 20, [0.1] * GROUPS)

    comparison = compare_slices(current, candidate, "drawn")

    fall = difference(comparison, SENSITIVITY)
    assert fall.current == 1.0
    assert fall.candidate == pytest.approx(2 / 3)
    assert fall.value == -0.3333
    assert len(comparison.objections) == 1
    assert comparison.objections[0].startswith(
        "sensitivity at its own threshold is 0.667 instead of 1.000 (difference -0.333, 95% "
    )


def test_one_tumour_more_that_is_missed_is_noise() -> None:
    current = slices([0.9] * GROUPS, [0.1] * GROUPS)
    candidate = slices([0.9] * (GROUPS - 1) + [0.4], [0.1] * GROUPS)

    assert compare_slices(current, candidate, "drawn").objections == []


def test_a_better_bundle_is_not_objected_to() -> None:
    current = slices([0.9] * 40 + [0.05] * 20, [0.1] * GROUPS)
    candidate = slices([0.9] * GROUPS, [0.1] * GROUPS)

    assert compare_slices(current, candidate, "drawn").objections == []
    assert compare_slices(candidate, current, "drawn").objections != []


def test_what_is_hard_for_both_does_not_hide_that_one_is_worse_everywhere() -> None:
    # Normals of some groups score high with both; the candidate ranks a few more above the tumours.
    normals = np.linspace(0.0, 0.9, GROUPS)
    current = slices([0.60] * GROUPS, normals.tolist())
    candidate = slices([0.45] * GROUPS, normals.tolist())

    fall = difference(compare_slices(current, candidate, "drawn"), AUC)
    cards = compare_cards(
        make_card(metrics=make_metrics(auc=fall.current or 0, margin=0.12)),
        make_card(metrics=make_metrics(auc=fall.candidate or 0, margin=0.12)),
    )

    assert fall.is_worse
    assert cards.objections == []


def test_clearing_less_while_missing_as_little_is_shown_and_not_objected_to() -> None:
    scores = ([0.9] * GROUPS, [0.1] * 30 + [0.3] * 30)
    current, careful = slices(*scores, threshold=0.5), slices(*scores, threshold=0.2)

    comparison = compare_slices(current, careful, "drawn")

    assert difference(comparison, SPECIFICITY).is_worse
    assert comparison.objections == []


def test_without_normals_what_cannot_be_measured_is_an_objection() -> None:
    tumors_only = slices([0.9] * GROUPS, [])

    comparison = compare_slices(tumors_only, tumors_only, "drawn")

    assert comparison.objections == [
        "AUC is not known of both bundles",
        "specificity at 99% sensitivity is not known of both bundles",
    ]


def test_cards_are_compared_by_their_intervals() -> None:
    current = make_card(metrics={"overall": {"auc": {"value": 0.90, "low": 0.88, "high": 0.92}}})
    candidate = make_card(metrics={"overall": {"auc": {"value": 0.95, "low": 0.94, "high": 0.96}}})

    rise = difference(compare_cards(current, candidate), AUC)

    # The root of 0.01 and 0.02 squared is 0.02236.
    assert rise.value == pytest.approx(0.05)
    assert rise.low == pytest.approx(0.05 - 0.02236, abs=1e-5)
    assert rise.high == pytest.approx(0.05 + 0.02236, abs=1e-5)


def test_a_card_that_is_worse_beyond_its_intervals_is_objected_to() -> None:
    current = make_card(metrics=make_metrics(auc=0.98))

    within = compare_cards(current, make_card(metrics=make_metrics(auc=0.97)))
    beyond = compare_cards(current, make_card(metrics=make_metrics(auc=0.90)))

    assert within.objections == []
    assert [text.partition(" ")[0] for text in beyond.objections] == ["AUC"]


def test_cards_of_different_splits_cannot_be_compared() -> None:
    current = make_card(metrics=make_metrics(auc=0.9), data_digest="a")
    candidate = make_card(metrics=make_metrics(auc=0.99), data_digest="b")

    (objection,) = compare_cards(current, candidate).objections

    assert "different splits" in objection
    assert "--data" in objection


def test_a_card_without_figures_cannot_be_compared() -> None:
    comparison = compare_cards(make_card(), make_card(metrics=make_metrics(auc=0.9)))

    assert len(comparison.objections) == 3
    assert "AUC is not known of both bundles" in comparison.objections
