from __future__ import annotations

import numpy as np
import pytest

from model.evaluation import ScoredSlices, count_missed_groups, metrics_of, summarise


def _slices() -> ScoredSlices:
    probabilities = np.array([0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9])
    return ScoredSlices(
        probabilities=probabilities,
        flagged=probabilities >= 0.35,
        labels=np.array([0, 0, 1, 0, 1, 1, 1, 1]),
        groups=np.array(list("aabbccdd")),
        strata={
            "source": np.array(["s", "s", "s", "s", "t", "t", "t", "t"]),
            "plane": np.array(["axial"] * 7 + ["unknown"]),
        },
    )


def test_counts_and_shares_are_those_of_the_slices() -> None:
    metrics = metrics_of(_slices(), seed=1)

    assert metrics["n"] == 8
    assert metrics["positives"] == 5
    assert metrics["groups"] == 4
    assert metrics["sensitivity"]["value"] == 0.8
    assert metrics["specificity"]["value"] == pytest.approx(0.6667, abs=1e-4)
    assert metrics["normals_cleared"] == metrics["specificity"]
    assert metrics["precision"]["value"] == 0.8
    assert metrics["accuracy"]["value"] == 0.75
    assert metrics["auc"]["value"] == pytest.approx(14 / 15, abs=1e-4)
    assert metrics["specificity_at_sensitivity"]["0.99"]["value"] == pytest.approx(2 / 3, abs=1e-4)


def test_the_npv_follows_the_stated_prevalence() -> None:
    # 2/3 * 0.9 = 0.6 of normals, 0.2 * 0.1 = 0.02 of tumours are cleared.
    assert metrics_of(_slices(), seed=1, prevalence=0.1)["npv"]["value"] == pytest.approx(
        0.6 / 0.62,
        abs=1e-4,
    )


def test_the_interval_holds_the_value_and_repeats() -> None:
    first = metrics_of(_slices(), seed=1)["sensitivity"]

    assert first["low"] <= first["value"] <= first["high"]
    assert first == metrics_of(_slices(), seed=1)["sensitivity"]


def test_a_source_without_normals_has_no_auc_and_no_specificity() -> None:
    by_source = summarise(_slices(), seed=1)["by"]["source"]

    assert by_source["t"]["auc"] is None
    assert by_source["t"]["specificity"] is None
    assert by_source["t"]["npv"] is None
    assert by_source["t"]["specificity_at_sensitivity"]["0.99"] is None
    assert by_source["t"]["sensitivity"]["value"] == 1.0


def test_every_division_has_its_own_strata() -> None:
    by = summarise(_slices(), seed=1)["by"]

    assert list(by) == ["source", "plane"]
    assert {name: row["n"] for name, row in by["plane"].items()} == {"axial": 7, "unknown": 1}


def test_a_group_with_one_cleared_tumour_slice_is_missed() -> None:
    flagged = np.array([True, False, True, True, False])
    labels = np.array([1, 1, 1, 1, 0])

    counted = count_missed_groups(flagged, labels, np.array(list("aabcd")))

    # One of three; the exact bound of 2 of 3 solves 3 p^2 - 2 p^3 = 0.05.
    assert counted == {"groups": 3, "missed": 1, "lower_bound": 0.1354}


def test_without_tumours_no_group_can_be_missed() -> None:
    assert count_missed_groups(np.array([True]), np.array([0]), np.array(["a"])) is None
