from __future__ import annotations

from typing import Any

from jobs.decided_rows import RowStamp, decide_rows
from jobs.schemas import STUDIES
from jobs.studies import make_studies
from model.decision import DecisionLimits
from tests.unit.jobs.night_builders import failed, score, scores

STAMP = RowStamp("m 1", "digest", "run-1", DecisionLimits(0.2, 0.5))


def studies_of(*rows: dict[str, object]) -> dict[str, dict[str, Any]]:
    results, places = decide_rows(scores(*rows), STAMP)
    studies = make_studies(results, places, "run-1")
    assert studies.schema == STUDIES
    assert sum(studies["images"].to_pylist()) == len(rows)
    return {row.pop("study_id"): row for row in studies.to_pylist()}


def decisions_of(*rows: dict[str, object]) -> dict[str, str]:
    return {study: row["decision"] for study, row in studies_of(*rows).items()}


def test_a_study_whose_images_are_all_cleared_is_cleared() -> None:
    found = studies_of(score("a", probability=0.1), score("b", probability=0.15))

    assert found == {
        "study": {
            "images": 2,
            "counted": 2,
            "flagged": 0,
            "unreadable": 0,
            "max_probability": 0.15,
            "decision": "cleared",
            "reasons": ["below_threshold"],
            "run_id": "run-1",
        },
    }


def test_one_flagged_image_flags_its_study_and_no_other() -> None:
    found = studies_of(
        score("a", study_id="s1", probability=0.9),
        score("b", study_id="s1"),
        score("c", study_id="s2"),
    )

    assert found["s1"]["decision"] == "flagged"
    assert found["s1"]["flagged"] == 1
    assert found["s1"]["max_probability"] == 0.9
    assert found["s1"]["reasons"] == ["below_threshold", "tumor_suspected"]
    assert found["s2"]["decision"] == "cleared"


def test_a_localizer_or_report_does_not_keep_its_study_from_being_cleared() -> None:
    found = studies_of(score("a"), failed("b", "non_diagnostic", counts_for_study=False))["study"]

    assert (found["decision"], found["images"], found["counted"]) == ("cleared", 2, 1)
    assert (found["flagged"], found["unreadable"]) == (0, 0)


def test_a_study_in_which_no_image_counts_is_flagged() -> None:
    found = studies_of(failed("a", "non_diagnostic", counts_for_study=False))["study"]

    assert (found["decision"], found["counted"]) == ("flagged", 0)
    assert found["max_probability"] is None


def test_a_probability_that_does_not_count_is_not_the_studys_maximum() -> None:
    found = studies_of(score("a"), score("b", probability=0.9, counts_for_study=False))["study"]

    assert found["max_probability"] == 0.01


def test_images_that_could_not_be_seen_are_counted_as_unreadable_and_flag_their_study() -> None:
    found = studies_of(
        score("a"),
        failed("b", "unreadable"),
        failed("c", "timed_out"),
        score("d", scope_score=0.1),
        score("e", probability=float("nan")),
    )["study"]

    assert (found["decision"], found["flagged"], found["unreadable"]) == ("flagged", 4, 2)
    assert found["reasons"] == [
        "below_threshold",
        "invalid_score",
        "not_brain_mr",
        "timed_out",
        "unreadable",
    ]


def test_an_object_of_unknown_study_flags_all_studies_of_its_folder_and_says_why() -> None:
    found = studies_of(
        score("p/a", study_id="s1", folder_id="p"),
        score("p/b", study_id="s2", folder_id="p"),
        score("q/c", study_id="s3", folder_id="q"),
        failed("p/x", "unreadable", study_id="p", folder_id="p", study_known=False),
    )

    assert {study: row["decision"] for study, row in found.items()} == {
        "s1": "flagged",
        "s2": "flagged",
        "s3": "cleared",
        "p": "flagged",
    }
    assert found["s1"]["reasons"] == ["below_threshold", "unreadable"]
    assert found["s1"]["flagged"] == 0


def test_a_study_that_reaches_into_the_folder_is_flagged_with_its_images_elsewhere() -> None:
    found = decisions_of(
        score("p/1/a", study_id="s1", folder_id="p1"),
        score("p/2/b", study_id="s1", folder_id="p2"),
        failed("p/2/x", "unreadable", study_id="x", folder_id="p2", study_known=False),
    )

    assert found["s1"] == "flagged"


def test_at_the_nights_root_an_object_of_unknown_study_is_its_own_study() -> None:
    found = decisions_of(
        score("a", study_id="s1"),
        failed("x", "unreadable", study_id="x", study_known=False),
    )

    assert found == {"s1": "cleared", "x": "flagged"}


def test_a_report_of_unknown_study_flags_no_other_study() -> None:
    report = failed(
        "p/x",
        "non_diagnostic",
        study_id="p",
        folder_id="p",
        study_known=False,
        counts_for_study=False,
    )

    assert decisions_of(score("p/a", study_id="s1", folder_id="p"), report)["s1"] == "cleared"


def test_an_object_of_known_study_flags_only_that_one() -> None:
    found = decisions_of(
        score("p/a", study_id="s1", folder_id="p"),
        failed("p/b", "unreadable", study_id="s2", folder_id="p"),
    )

    assert found == {"s1": "cleared", "s2": "flagged"}


def test_an_empty_night_has_no_studies() -> None:
    assert studies_of() == {}
