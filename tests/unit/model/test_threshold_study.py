from __future__ import annotations

import numpy as np
import pytest

from model.evaluation import ScoredSlices
from model.study_simulation import NormalSlices, simulate_cleared_share
from model.threshold_study import (
    describe_support,
    groups_needed,
    measure_threshold,
    propose_in_words,
    study_thresholds,
)


def _slices() -> ScoredSlices:
    """A hundred tumours of fifty groups, scored 0.50 to 0.995, and four normals of four groups."""
    probabilities = np.concatenate([0.5 + np.arange(100) / 200, [0.1, 0.2, 0.507, 0.9]])
    groups = [f"t{number // 2}" for number in range(100)] + ["n1", "n2", "n3", "n4"]
    return ScoredSlices(
        probabilities=probabilities,
        flagged=probabilities >= 0.3,
        labels=np.array([1] * 100 + [0] * 4),
        groups=np.array(groups),
        strata={"source": np.array(["s"] * 104)},
    )


IN_SCOPE = np.array([True] * 100 + [True, False, True, True])


def test_each_target_has_the_highest_threshold_that_reaches_it() -> None:
    targets = study_thresholds(_slices(), IN_SCOPE, 0.3, seed=1)["targets"]

    assert list(targets) == ["0.98", "0.99", "0.995", "0.999"]
    # Two of a hundred may be missed: the third lowest, 0.510, is kept; below it lies 0.507.
    assert 0.507 < targets["0.98"]["threshold"] < 0.510
    assert targets["0.98"]["sensitivity"]["value"] == 0.98
    assert targets["0.98"]["normals_cleared"]["value"] == 0.75
    assert targets["0.99"]["sensitivity"]["value"] == 0.99
    assert targets["0.99"]["normals_cleared"]["value"] == 0.5
    assert targets["0.999"]["threshold"] == targets["0.995"]["threshold"] < 0.5


def test_two_missed_slices_of_one_group_are_one_missed_group() -> None:
    targets = study_thresholds(_slices(), IN_SCOPE, 0.3, seed=1)["targets"]

    assert targets["0.98"]["groups"]["missed"] == 1
    assert targets["0.98"]["groups"]["groups"] == 50
    # 49 of 50: the exact one-sided bound of the published tables.
    assert targets["0.98"]["groups"]["lower_bound"] == pytest.approx(0.9086, abs=1e-4)


def test_a_normal_that_is_out_of_scope_is_not_cleared_by_a_night() -> None:
    measured = measure_threshold(_slices(), IN_SCOPE, 0.3, seed=1)

    assert measured["normals_cleared"]["value"] == 0.5
    assert measured["normals_cleared_with_scope_gate"]["value"] == 0.25
    assert measured["simulated_studies"]["1"]["if_independent"] == 0.25


def test_a_tumour_does_not_owe_its_sensitivity_to_the_scope_gate() -> None:
    nothing_in_scope = np.zeros(104, dtype=bool)

    measured = measure_threshold(_slices(), nothing_in_scope, 0.75, seed=1)

    assert measured["sensitivity"]["value"] == 0.5


@pytest.mark.parametrize(
    ("target", "needed"),
    [(0.98, 149), (0.99, 299), (0.995, 598), (0.999, 2995)],
)
def test_zero_misses_prove_little(target: float, needed: int) -> None:
    assert groups_needed(target) == needed


def test_what_the_groups_cannot_show_is_said() -> None:
    support = describe_support(_slices(), threshold=0.4, target=0.99)

    assert not support["supported"]
    assert support["groups_needed"] == 299
    assert "0 of 50 groups" in support["in_words"]
    assert "cannot be shown with 50 groups" in support["in_words"]
    assert "even without a miss they show 94.2%" in support["in_words"]


def test_a_target_finer_than_the_slices_is_said_to_hang_on_one_score() -> None:
    support = describe_support(_slices(), threshold=0.4, target=0.999)

    assert "hangs on the single lowest score" in support["in_words"]


def test_a_target_that_the_groups_show_is_said_to_be_supported() -> None:
    tumors = 400
    slices = ScoredSlices(
        probabilities=np.full(tumors, 0.9),
        flagged=np.ones(tumors, dtype=bool),
        labels=np.ones(tumors, dtype=np.int64),
        groups=np.array([f"g{number}" for number in range(tumors)]),
        strata={"source": np.array(["s"] * tumors)},
    )

    assert describe_support(slices, threshold=0.5, target=0.99)["supported"]
    assert not describe_support(slices, threshold=0.5, target=0.995)["supported"]


def test_a_part_without_normals_has_no_simulated_studies() -> None:
    slices = _slices().where(np.array([True] * 100 + [False] * 4))

    study = study_thresholds(slices, np.ones(100, dtype=bool), 0.3, seed=1)

    assert study["bundle"]["simulated_studies"]["30"] is None
    assert study["bundle"]["normals_cleared"] is None


def test_the_proposal_says_that_the_bundle_stays_as_it_is() -> None:
    study = study_thresholds(_slices(), IN_SCOPE, 0.3, seed=1)

    assert "differs from the bundle's 0.3" in propose_in_words(study, 0.99)
    assert "not changed" in propose_in_words(study, 0.99)


def _normals(cleared: list[bool], groups: str, sources: str) -> NormalSlices:
    return NormalSlices(np.array(cleared), np.array(list(groups)), np.array(list(sources)))


def test_a_study_of_one_slice_is_cleared_as_often_as_a_slice() -> None:
    normals = _normals([True, True, True, False], "abcd", "ssss")

    simulated = simulate_cleared_share(normals, 1, seed=1)

    assert simulated is not None
    assert simulated["simulated"] == pytest.approx(0.75, abs=0.03)
    assert simulated["if_independent"] == 0.75
    assert simulated["if_one_group"] == 0.75


def test_independent_slices_clear_fewer_studies_than_slices_of_one_group() -> None:
    # Group a is all cleared, group b not at all; each holds two of the four slices.
    normals = _normals([True, True, False, False], "aabb", "ssss")

    pair = simulate_cleared_share(normals, 2, seed=1)

    assert pair is not None
    assert pair["if_independent"] == 0.25
    assert pair["if_one_group"] == 0.5
    # Two slices are exactly one group, so that the simulation keeps the dependence whole.
    assert pair["simulated"] == pytest.approx(0.5, abs=0.03)


def test_a_study_longer_than_its_group_goes_on_in_the_same_source() -> None:
    # The other source is never cleared and must not be mixed in.
    normals = _normals([True, True, True, False, False, False], "abcdef", "ssszzz")

    long = simulate_cleared_share(normals, 150, seed=1)

    assert long is not None
    assert long["simulated"] == pytest.approx(0.5, abs=0.04)
    assert long["if_independent"] == 0.0


def test_one_flagged_slice_flags_the_study() -> None:
    simulated = simulate_cleared_share(_normals([True, False], "aa", "ss"), 2, seed=1)

    assert simulated is not None
    assert simulated["simulated"] == 0.0


def test_the_same_seed_simulates_the_same_studies() -> None:
    normals = _normals([True, False, True, True, True], "aabbc", "sssss")

    assert simulate_cleared_share(normals, 5, 1) == simulate_cleared_share(normals, 5, 1)


def test_without_normals_there_is_nothing_to_simulate() -> None:
    assert simulate_cleared_share(_normals([], "", ""), 5, 1) is None
