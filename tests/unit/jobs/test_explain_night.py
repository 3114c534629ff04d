"""The driver's side of explaining, with a job and a lake made by hand."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pytest
from PIL import Image

from jobs import explain_night
from jobs.explain_night import ExplainingPlan, ExplainingTask, ExplanationOptions, explain_scores
from jobs.explaining_steps import ExplainingTerms
from jobs.schemas import EXPLANATIONS
from model.decision import DecisionLimits
from model.preprocessing import PreprocessingParameters

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.lake import Lake
    from jobs.scoring_udf import ScoringTask

Record = dict[str, Any]
Job = Callable[["SparkSession", list[Record], ExplainingTask], dict[str, Record]]

SPARK = cast("SparkSession", None)  # the jobs below do without
TASK = ExplainingTask(
    scoring=cast("ScoringTask", None),
    terms=ExplainingTerms(
        threshold=0.3,
        map_threshold=0.5,
        bundle_digest="digest",
        preprocessing=PreprocessingParameters(size=96),
        perturbations=100,
        seed=7,
    ),
)


def make_png(level: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 32), (level, 0, 0)).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class FakeLake:
    """Keeps what is written."""

    written: dict[str, bytes] = field(default_factory=dict)

    def write(self, key: str, data: bytes) -> str:
        self.written[key] = data
        return "etag"

    def read(self, key: str) -> bytes:
        return self.written[key]


def make_plan(*, enabled: bool = True, sample_size: int = 3) -> ExplainingPlan:
    return ExplainingPlan(
        night=date(2026, 11, 20),
        run_id="run",
        limits=DecisionLimits(threshold=0.3, minimum_scope_score=0.5),
        options=ExplanationOptions(enabled=enabled, sample_size=sample_size, seed=7),
        task=TASK,
    )


SCORES = pa.table(
    {
        "image_id": ["a", "b", "c"],
        "object_key": ["night/a.png", "night/b.png", "night/c.png"],
        "etag": ["e", "e", "e"],
        "size_bytes": [1, 2, 3],
        "frame": pa.array([0, 0, 4], pa.int32()),
        "study_id": ["s1", "s2", "s3"],
        "failure": pa.array([None, None, None], pa.string()),
        "probability": [0.9, 0.8, 0.35],
        "scope_score": [1.0, 1.0, 1.0],
        "manufacturer": pa.array([None, None, None], pa.string()),
        "scanner_model": pa.array([None, None, None], pa.string()),
    },
)


def explain_well(
    spark: SparkSession, sample: list[Record], task: ExplainingTask
) -> dict[str, Record]:
    del spark, task
    return {
        image["image_id"]: {
            "image_id": image["image_id"],
            "overlay": make_png(200),
            "overlay_colour_blind": make_png(100),
            "weights": b"json " + image["image_id"].encode(),
            "r_squared": 0.7,
            "stability": 0.8,
            "inside_head": 1.0,
            "map_agreement": 5.0,
            "doubts": "",
            "outlines": [[1.0, 2.0, 4.0, 2.0, 4.0, 6.0]],
            "detail": None,
            "may_leave_lake": image["image_id"] != "c",
        }
        for image in sample
    }


def crash_on_b(
    spark: SparkSession, sample: list[Record], task: ExplainingTask
) -> dict[str, Record]:
    if any(image["image_id"] == "b" for image in sample):
        message = "Python worker exited unexpectedly"
        raise RuntimeError(message)
    return explain_well(spark, sample, task)


def run(
    monkeypatch: pytest.MonkeyPatch, job: Job, plan: ExplainingPlan
) -> tuple[FakeLake, pa.Table]:
    monkeypatch.setattr(explain_night, "_run_job", job)
    lake = FakeLake()
    table = explain_scores(SPARK, cast("Lake", lake), SCORES, plan, lambda _done, _total: None)
    return lake, table


def test_every_sampled_image_has_its_files_and_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    lake, table = run(monkeypatch, explain_well, make_plan())

    folder = "explanations/night=2026-11-20"
    assert lake.written[f"{folder}/a/overlay.png"] == make_png(200)
    assert lake.written[f"{folder}/a/overlay_colour_blind.png"] == make_png(100)
    assert lake.written[f"{folder}/a/weights.json"] == b"json a"
    assert len(lake.written) == 3 * 3 + 1
    assert table.schema == EXPLANATIONS
    assert table.filter(
        pa.array([row == "a" for row in table["image_id"].to_pylist()])
    ).to_pylist() == [
        {
            "image_id": "a",
            "study_id": "s1",
            "frame": 0,
            "chosen_for": "highest_score",
            "reason": "tumor_suspected",
            "probability": 0.9,
            "overlay": "a/overlay.png",
            "overlay_colour_blind": "a/overlay_colour_blind.png",
            "weights": "a/weights.json",
            "r_squared": 0.7,
            "stability": 0.8,
            "inside_head": 1.0,
            "map_agreement": 5.0,
            "doubts": "",
            "outlines": [[1.0, 2.0, 4.0, 2.0, 4.0, 6.0]],
            "seed": 7,
            "detail": None,
            "may_leave_lake": True,
            "bundle_digest": "digest",
            "run_id": "run",
        },
    ]


def test_an_image_that_takes_the_job_down_costs_only_its_own_explanation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake, table = run(monkeypatch, crash_on_b, make_plan())

    details = dict(zip(table["image_id"].to_pylist(), table["detail"].to_pylist(), strict=True))
    assert details == {"a": None, "b": details["b"], "c": None}
    assert "failed" in details["b"]
    assert {key.split("/")[2] for key in lake.written} == {"a", "c", "contact_sheet.html"}


def test_the_contact_sheet_shows_what_may_leave_the_lake_and_names_no_object(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake, _ = run(monkeypatch, crash_on_b, make_plan())

    page = lake.written["explanations/night=2026-11-20/contact_sheet.html"].decode()

    # Of a both colours; b has no picture, and that of c may name a patient.
    assert page.count("data:image/jpeg;base64,") == 2
    assert page.count("No picture") == 2
    assert "text may be burned into its pixels" in page
    assert "night/a.png" not in page
    assert 'src="http' not in page


def test_a_long_sample_is_explained_a_few_images_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs: list[int] = []

    def count(spark: SparkSession, sample: list[Record], task: ExplainingTask) -> dict[str, Record]:
        jobs.append(len(sample))
        return explain_well(spark, sample, task)

    monkeypatch.setattr(explain_night, "IMAGES_A_JOB", 2)
    run(monkeypatch, count, make_plan())

    assert jobs == [2, 1]


@pytest.mark.parametrize("plan", [make_plan(enabled=False), make_plan(sample_size=0)])
def test_without_explanations_no_job_runs_and_the_table_is_empty(
    monkeypatch: pytest.MonkeyPatch,
    plan: ExplainingPlan,
) -> None:
    def never(spark: SparkSession, sample: list[Record], task: ExplainingTask) -> dict[str, Record]:
        del spark, sample, task
        pytest.fail("a job was started")

    lake, table = run(monkeypatch, never, plan)

    assert table.num_rows == 0
    assert table.schema == EXPLANATIONS
    assert lake.written == {}


def test_progress_is_told_from_none_to_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explain_night, "_run_job", explain_well)
    told: list[tuple[int, int]] = []

    explain_scores(
        SPARK,
        cast("Lake", FakeLake()),
        SCORES,
        make_plan(),
        lambda done, total: told.append((done, total)),
    )

    assert told == [(0, 3), (1, 3), (2, 3), (3, 3)]
