from __future__ import annotations

from dataclasses import replace
from datetime import date

from conf.settings import load_settings
from flows.night_artifacts import WorstCase
from flows.reports import (
    artifact_key,
    decision_of,
    format_night_page,
    format_settings,
    format_summary,
    list_counts,
)
from jobs.night_history import NightCounts
from jobs.night_run import NightOutcome
from model.reasons import Reason

OUTCOME = NightOutcome(
    night=date(2026, 11, 20),
    run_id="20261121T041500-ab12cd",
    objects=60,
    rows=100,
    by_decision={"flagged": 64, "cleared": 36},
    by_reason={"tumor_suspected": 60, "below_threshold": 36, "unreadable": 4},
    studies_by_decision={"flagged": 20, "cleared": 5},
    seconds={"list": 0.25, "score": 10.0, "publish": 0.25},
    images_per_second=10.0,
    results_key="results/night=2026-11-20/results.parquet",
    results_url="s3://lake/results/night=2026-11-20/results.parquet",
    studies_key="studies/night=2026-11-20/studies.parquet",
    studies_url="s3://lake/studies/night=2026-11-20/studies.parquet",
    explanations_prefix="explanations/night=2026-11-20/",
    explanations_url="s3://lake/explanations/night=2026-11-20",
    warnings=[],
    threshold=0.01234567,
    bundle="lite0 1.0.0",
    bundle_digest="0123456789abcdef0123",
    shards_reused=1,
    shards_scored=2,
)


def test_the_summary_tells_counts_time_model_and_places() -> None:
    assert format_summary(OUTCOME) == (
        "Night 2026-11-20: 60 objects, 100 images\n"
        "\n"
        "  flagged            64  64%\n"
        "    tumor_suspected  60\n"
        "    unreadable        4\n"
        "  cleared            36  36%\n"
        "    below_threshold  36\n"
        "\n"
        "  studies          20 flagged, 5 cleared\n"
        "  seconds          10.5 (list 0.2, score 10.0, publish 0.2)\n"
        "  images a second  10.0\n"
        "  shards           2 scored, 1 reused\n"
        "  model            lite0 1.0.0, digest 0123456789ab\n"
        "  threshold        0.01235\n"
        "  run              20261121T041500-ab12cd\n"
        "  results          s3://lake/results/night=2026-11-20/results.parquet\n"
        "  studies table    s3://lake/studies/night=2026-11-20/studies.parquet\n"
        "  explanations     s3://lake/explanations/night=2026-11-20\n"
        "\n"
        "Flagged first for a radiologist. Cleared means not flagged: every study is still read."
    )


def test_a_night_without_objects_has_a_summary_with_its_warning() -> None:
    empty = replace(
        OUTCOME,
        objects=0,
        rows=0,
        by_decision={},
        by_reason={},
        studies_by_decision={},
        warnings=["the night has no objects"],
    )

    summary = format_summary(empty)

    assert "0 objects, 0 images" in summary
    assert "WARNING: the night has no objects" in summary
    assert "0 flagged, 0 cleared" in summary


def test_one_object_is_not_called_objects() -> None:
    assert "1 object, 1 image\n" in format_summary(replace(OUTCOME, objects=1, rows=1))


def test_the_markdown_holds_the_warning_the_counts_and_the_disclaimer() -> None:
    markdown = format_night_page(replace(OUTCOME, warnings=["half was late"]), [], [], [])

    assert markdown.startswith("# Night 2026-11-20\n")
    assert "> **Warning:** half was late" in markdown
    assert "| · tumor_suspected | 60 |  | - |" in markdown
    assert "| results | s3://lake/results/night=2026-11-20/results.parquet |" in markdown
    assert "Cleared means not flagged" in markdown


def test_the_page_holds_the_night_against_those_before_it() -> None:
    before = [
        NightCounts(date(2026, 11, day), 50, 50, {"flagged": count}, {"unreadable": 1})
        for day, count in ((17, 20), (18, 40), (19, 30))
    ]

    page = format_night_page(OUTCOME, before, ["64 of 100 images are flagged"], [])

    assert "> **Unusual:** 64 of 100 images are flagged." in page
    assert "| **flagged** | 64 | 64% | 30 (20-40) |" in page
    assert "| · unreadable | 4 |  | 1 (1-1) |" in page
    assert "| · tumor_suspected | 60 |  | 0 (0-0) |" in page
    assert "3 nights before it are on record, 2026-11-17 to 2026-11-19." in page


def test_the_worst_cases_are_shown_as_pictures_without_a_server() -> None:
    case = WorstCase(image_id="a1", study_id="b2", probability=0.987, picture=b"jpeg")

    page = format_night_page(OUTCOME, [], [], [case])

    assert "**0.99** image `a1`, study `b2`" in page
    assert "![overlay of image a1](data:image/jpeg;base64,anBlZw==)" in page


def test_the_table_has_a_row_a_reason_and_one_a_decision_of_the_studies() -> None:
    assert list_counts(OUTCOME) == [
        {"of": "images", "decision": "flagged", "reason": "tumor_suspected", "count": 60},
        {"of": "images", "decision": "cleared", "reason": "below_threshold", "count": 36},
        {"of": "images", "decision": "flagged", "reason": "unreadable", "count": 4},
        {"of": "studies", "decision": "cleared", "reason": "", "count": 5},
        {"of": "studies", "decision": "flagged", "reason": "", "count": 20},
    ]


def test_only_below_threshold_leads_to_cleared() -> None:
    cleared = [str(reason) for reason in Reason if decision_of(reason) == "cleared"]

    assert cleared == ["below_threshold"]


def test_an_unknown_reason_counts_as_flagged() -> None:
    assert decision_of("something_new") == "flagged"


def test_artifact_keys_hold_small_letters_digits_and_dashes_only() -> None:
    assert artifact_key(date(2026, 11, 20)) == "night-2026-11-20"


def test_the_shown_settings_say_of_secrets_only_whether_they_are_set() -> None:
    environ = {
        "AWS_SECRET_ACCESS_KEY": "tops3cret",
        "MRI_TRIAGE_IDENTIFIER_KEY": "0123456789abcdef0123",
        "MRI_TRIAGE__ENGINE__CORES": "2",
    }

    shown = format_settings(load_settings("demo", environ), environ)

    assert "tops3cret" not in shown
    assert "0123456789abcdef0123" not in shown
    assert "# AWS_SECRET_ACCESS_KEY: set" in shown
    assert "# AWS_SESSION_TOKEN: not set" in shown
    assert "cores: 2" in shown


def test_the_page_tells_where_the_time_went() -> None:
    outcome = replace(OUTCOME, rows=100, stages={"fetch": 1.0, "predict": 3.0})
    page = format_night_page(outcome, [], [], [])
    assert "| predict | 3.0 | 75% | 30.0 |" in page


def test_a_night_without_measured_stages_has_no_table_of_them() -> None:
    assert "Where the time went" not in format_night_page(OUTCOME, [], [], [])
