from __future__ import annotations

import numpy as np
import pytest

from model.judgement import Judgement, LabelledGroups, join_judgements, measure_row
from model.reasons import Reason

FLAGGED, SCOPE, CLEARED = Reason.TUMOR_SUSPECTED, Reason.NOT_BRAIN_MR, Reason.BELOW_THRESHOLD


def judgement(*pairs: tuple[float, Reason]) -> Judgement:
    return Judgement(
        np.array([probability for probability, _ in pairs]),
        np.array([str(reason) for _, reason in pairs], dtype=object),
    )


BEFORE = judgement((0.9, FLAGGED), (0.8, FLAGGED), (0.7, FLAGGED), (0.2, CLEARED), (0.1, CLEARED))
AFTER = judgement((0.9, FLAGGED), (0.1, SCOPE), (0.3, CLEARED), (0.4, FLAGGED), (0.05, CLEARED))
PICTURES = LabelledGroups(np.array([1, 1, 1, 0, 0]), np.array(["a", "b", "c", "d", "e"]))


def test_out_of_scope_counts_as_flagged() -> None:
    assert AFTER.flagged.tolist() == [True, True, False, True, False]
    assert AFTER.out_of_scope.tolist() == [False, True, False, False, False]


def test_a_row_counts_tumours_normals_and_what_changed() -> None:
    row = measure_row(AFTER, PICTURES, BEFORE)

    assert (row["n"], row["positives"], row["groups"]) == (5, 3, 5)
    assert row["tumors_flagged"]["value"] == pytest.approx(2 / 3, abs=1e-4)
    assert row["by_scope_gate"]["value"] == 0.5
    assert row["normals_cleared"]["value"] == 0.5
    assert row["out_of_scope"]["value"] == 0.2
    assert row["flips"]["value"] == pytest.approx(0.4)
    assert row["tumors_lost"] == 1
    assert row["tumor_groups"]["missed"] == 1


def test_the_change_of_the_auc_is_that_of_the_same_pictures() -> None:
    row = measure_row(AFTER, PICTURES, BEFORE)

    # Of six pairs of a tumour and a normal four are in order now; before all were.
    assert row["auc"]["value"] == pytest.approx(4 / 6, abs=1e-4)
    assert row["auc_change"]["value"] == pytest.approx(4 / 6 - 1, abs=1e-4)


def test_a_row_without_a_before_says_nothing_of_changes() -> None:
    assert {"flips", "auc_change", "tumors_lost"}.isdisjoint(measure_row(AFTER, PICTURES))


def test_figures_of_a_missing_class_are_none() -> None:
    normals = np.array([3, 4])

    row = measure_row(AFTER.where(normals), PICTURES.where(normals), BEFORE.where(normals))

    assert row["auc"] is None
    assert row["tumors_flagged"] is None
    assert row["auc_change"] is None
    assert row["normals_cleared"]["value"] == 0.5


def test_no_pictures_make_a_row_of_nothing() -> None:
    none = np.zeros(0, dtype=int)

    row = measure_row(AFTER.where(none), PICTURES.where(none), BEFORE.where(none))

    assert row["n"] == 0
    assert row["tumors_flagged"] is None
    assert row["flips"] is None


def test_judgements_are_joined_in_order() -> None:
    joined = join_judgements([BEFORE, AFTER])

    assert joined.probabilities.tolist() == [*BEFORE.probabilities, *AFTER.probabilities]
    assert joined.flagged.tolist() == [*BEFORE.flagged, *AFTER.flagged]
