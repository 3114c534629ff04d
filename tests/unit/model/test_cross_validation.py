from __future__ import annotations

import numpy as np
import pytest

from model.cross_validation import (
    choose_safe_threshold,
    cross_validate_sources,
    cross_validate_threshold,
)
from model.evaluation import ScoredSlices
from model.thresholds import choose_threshold


def _slices(groups: int, *, source: str = "small", gap: float = 0.4) -> ScoredSlices:
    """Two slices a group, tumours and normals in turn, whose scores lie `gap` apart."""
    random = np.random.default_rng(4)
    labels = np.repeat(np.arange(groups) % 2, 2)
    scores = np.clip(0.3 + gap * labels + random.uniform(0, 0.1, 2 * groups), 0, 1)
    return ScoredSlices(
        probabilities=scores,
        flagged=scores >= 0.5,
        labels=labels,
        groups=np.repeat([f"{source}{number}" for number in range(groups)], 2),
        strata={"source": np.full(2 * groups, source)},
    )


def test_scores_that_separate_need_no_luck_with_the_threshold() -> None:
    found = cross_validate_threshold(_slices(40), seed=1)

    assert found is not None
    assert found["folds"] == 5
    assert found["sensitivity"]["value"] == 1.0
    assert found["specificity"]["value"] == 1.0
    assert 0.4 < found["lowest_threshold"] <= found["highest_threshold"] < 0.7


def test_a_threshold_is_never_measured_on_the_groups_that_it_was_chosen_on() -> None:
    # One tumour far below all others: the fold that measures it has not seen it, and misses it.
    slices = _slices(40)
    slices.probabilities[2:4] = 0.01

    found = cross_validate_threshold(slices, seed=1)

    assert found is not None
    assert found["sensitivity"]["value"] == pytest.approx(38 / 40)


def test_too_few_groups_of_a_class_give_no_figure() -> None:
    assert cross_validate_threshold(_slices(8), seed=1) is None


def test_only_sources_with_few_groups_are_cross_validated() -> None:
    small, large = _slices(40), _slices(120, source="large")
    both = ScoredSlices(
        probabilities=np.concatenate([small.probabilities, large.probabilities]),
        flagged=np.concatenate([small.flagged, large.flagged]),
        labels=np.concatenate([small.labels, large.labels]),
        groups=np.concatenate([small.groups, large.groups]),
        strata={"source": np.concatenate([small.strata["source"], large.strata["source"]])},
    )

    assert list(cross_validate_sources(both, seed=1)) == ["small"]


def test_the_safe_threshold_reaches_its_target_on_groups_that_it_was_not_chosen_on() -> None:
    # Every group has its own level: a threshold chosen on some groups misses a little elsewhere.
    random = np.random.default_rng(8)
    groups = np.repeat([f"g{number}" for number in range(100)], 4)
    levels = np.repeat(random.uniform(0.2, 0.9, 100), 4)
    probabilities = np.clip(levels + random.normal(0, 0.02, 400), 0, 1)
    labels = np.ones(400, dtype=np.int64)

    safe = choose_safe_threshold(probabilities, labels, groups, seed=2, target=0.95)

    plain = choose_threshold(probabilities, labels, groups, target=0.95)
    assert safe.cross_validated_sensitivity >= 0.95
    assert safe.aim > 0.95
    assert safe.choice.threshold < plain.threshold


def test_no_miss_is_allowed_where_the_target_cannot_be_reached_elsewhere() -> None:
    groups = np.array([f"g{number}" for number in range(10)])
    probabilities = np.linspace(0.1, 0.9, 10)

    safe = choose_safe_threshold(probabilities, np.ones(10, dtype=int), groups, seed=2, target=0.99)

    assert safe.aim == 1.0
    assert safe.cross_validated_sensitivity < 0.99
    assert safe.choice.threshold < 0.1
