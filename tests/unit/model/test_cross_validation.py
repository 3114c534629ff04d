from __future__ import annotations

import numpy as np
import pytest

from model.cross_validation import cross_validate_sources, cross_validate_threshold
from model.evaluation import ScoredSlices


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
