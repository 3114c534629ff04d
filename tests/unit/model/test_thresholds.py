from __future__ import annotations

import numpy as np
import pytest

from model.thresholds import choose_threshold, fit_temperature, lower_bound


def test_the_threshold_flags_the_share_of_tumours_that_was_asked_for() -> None:
    probabilities = np.array([0.05, 0.10, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95])
    labels = np.array([0, 0, 1, 1, 1, 1, 1, 1, 1, 1])
    groups = np.array(list("aabbccddee"))

    all_of_them = choose_threshold(probabilities, labels, groups, target=0.99)
    most_of_them = choose_threshold(probabilities, labels, groups, target=0.75)

    assert 0.10 < all_of_them.threshold < 0.30
    assert all_of_them.sensitivity == 1.0
    assert all_of_them.specificity == 1.0
    assert 0.40 < most_of_them.threshold < 0.50
    assert most_of_them.sensitivity == 0.75


def test_a_group_with_one_missed_slice_counts_as_missed() -> None:
    probabilities = np.array([0.1, 0.9, 0.9, 0.9])
    labels = np.array([1, 1, 1, 1])

    choice = choose_threshold(probabilities, labels, np.array(list("aabc")), target=0.7)

    assert choice.groups == 3
    assert choice.missed_groups == 1


@pytest.mark.parametrize(
    ("successes", "trials", "expected"),
    [(299, 299, 0.990), (472, 473, 0.990), (598, 598, 0.995), (0, 10, 0.0)],
)
def test_the_exact_bound_is_the_one_of_the_published_tables(
    successes: int,
    trials: int,
    expected: float,
) -> None:
    assert lower_bound(successes, trials) == pytest.approx(expected, abs=2e-4)


def test_over_confident_logits_are_cooled_down() -> None:
    random = np.random.default_rng(3)
    honest = random.normal(0, 1.5, 4000)
    labels = (random.random(4000) < 1 / (1 + np.exp(-honest))).astype(np.int64)

    assert fit_temperature(honest * 4.0, labels) == pytest.approx(4.0, rel=0.15)
