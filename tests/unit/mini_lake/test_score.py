"""The score of a published lake counts what it says it counts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.mini_lake.plan import NIGHTS
from tests.mini_lake.score import compare, main, read_truth


def make_results(truth: pd.DataFrame) -> pd.DataFrame:
    """Rows as a perfect job would publish them."""
    expected = truth["expected_reasons"].str.split("|").str[0]
    reasons = expected.where(truth["kind"] == "bad", "tumor_suspected")
    reasons = reasons.where(truth["kind"] != "clean", "below_threshold")
    return pd.DataFrame(
        {
            "object_key": truth["object_key"],
            "decision": [
                "cleared" if reason == "below_threshold" else "flagged" for reason in reasons
            ],
            "reason": reasons,
            "probability": 0.5,
        },
    )


def publish(lake: Path, truth: pd.DataFrame, results: pd.DataFrame) -> None:
    for night in NIGHTS:
        folder = lake / "results" / f"night={night}"
        folder.mkdir(parents=True)
        keys = truth.loc[truth["night"] == night, "object_key"]
        results[results["object_key"].isin(keys)].to_parquet(folder / "results.parquet")


def test_a_perfect_job_scores_full_marks() -> None:
    truth = read_truth()

    scores = compare(truth, make_results(truth), NIGHTS)

    assert scores.holds
    assert scores.tumors["flagged"].all()
    assert not scores.clean["flagged"].any()


def test_a_night_that_is_not_published_is_not_counted() -> None:
    truth = read_truth()
    results = make_results(truth[truth["night"] == NIGHTS[0]])

    scores = compare(truth, results, NIGHTS[:1])

    assert scores.holds
    assert set(scores.tumors["night"]) == {NIGHTS[0]}


def test_an_object_without_a_row_is_named() -> None:
    truth = read_truth()

    scores = compare(truth, make_results(truth).iloc[1:], NIGHTS)

    assert scores.missing == (truth["object_key"].iloc[0],)
    assert not scores.holds


def test_a_missed_lesion_is_listed_and_is_no_failure(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    truth = read_truth()
    missed = truth.loc[truth["kind"] == "tumor", "object_key"].iloc[0]
    results = make_results(truth)
    results.loc[results["object_key"] == missed, ["decision", "reason"]] = (
        "cleared",
        "below_threshold",
    )
    publish(tmp_path, truth, results)

    code = main(["--lake", str(tmp_path)])

    assert code == 0
    assert "missed: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("decision", "reason"),
    [("cleared", "below_threshold"), ("flagged", "tumor_suspected")],
)
def test_a_bad_object_with_another_reason_fails(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    decision: str,
    reason: str,
) -> None:
    truth = read_truth()
    results = make_results(truth)
    empty = results["reason"] == "empty_object"
    results.loc[empty, ["decision", "reason"]] = (decision, reason)
    publish(tmp_path, truth, results)

    code = main(["--lake", str(tmp_path)])

    assert code == 1
    assert "unexpected: " in capsys.readouterr().out


def test_a_lake_without_results_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--lake", str(tmp_path)]) == 1
    assert "no published night" in capsys.readouterr().out
