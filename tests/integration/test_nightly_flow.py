from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flows.local_prefect import prepare_prefect

prepare_prefect(os.environ)  # before Prefect is imported for the first time

from prefect.artifacts import Artifact  # noqa: E402
from prefect.exceptions import Pause  # noqa: E402
from prefect.testing.utilities import prefect_test_harness  # noqa: E402

from flows import night as night_module  # noqa: E402
from flows import night_artifacts  # noqa: E402
from jobs.night_run import NightOutcome, Progress  # noqa: E402
from model.errors import LakeNotFoundError, StorageUnavailableError, UnforeseenError  # noqa: E402

pytestmark = pytest.mark.slow

OUTCOME = NightOutcome(
    night=date(2026, 11, 20),
    run_id="20261121T041500-ab12cd",
    objects=3,
    rows=3,
    by_decision={"flagged": 2, "cleared": 1},
    by_reason={"tumor_suspected": 2, "below_threshold": 1},
    studies_by_decision={"flagged": 1},
    seconds={"list": 0.1},
    images_per_second=3.0,
    results_key="results/night=2026-11-20/results.parquet",
    results_url="s3://lake/results/night=2026-11-20/results.parquet",
    studies_key="studies/night=2026-11-20/studies.parquet",
    studies_url="s3://lake/studies/night=2026-11-20/studies.parquet",
    explanations_prefix="explanations/night=2026-11-20/",
    explanations_url="s3://lake/explanations/night=2026-11-20",
    warnings=[],
    threshold=0.01,
    bundle="lite0 1.0.0",
    bundle_digest="0123456789abcdef",
    shards_reused=0,
    shards_scored=1,
)


class NotForStorage:
    """Stands for what a step hands on: looking into it or storing it is an error."""

    def __init__(self) -> None:
        self.inventory = SimpleNamespace(num_rows=3)

    def __reduce__(self) -> tuple[Any, ...]:
        message = "what passes from step to step must not be pickled"
        raise AssertionError(message)


@dataclass
class FakeJobs:
    """The steps of a night, without Spark, that write down how they were called."""

    failures: dict[str, list[Exception]] = field(default_factory=dict)
    called: list[str] = field(default_factory=list)

    def step(self, name: str, answer: object) -> Callable[..., object]:
        def run_step(*arguments: object) -> object:
            self.called.append(name)
            if self.failures.get(name):
                raise self.failures[name].pop(0)
            for argument in arguments:
                if callable(argument):
                    argument(Progress("score", 3, 3))
            return answer

        run_step.__name__ = name
        return run_step


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=250):
        yield


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> FakeJobs:
    fake = FakeJobs()
    run = NotForStorage()
    monkeypatch.setattr(night_module, "open_night", fake.step("open_night", run))
    monkeypatch.setattr(night_module, "score_shards", fake.step("score_shards", NotForStorage()))
    monkeypatch.setattr(night_module, "explain_sample", fake.step("explain_sample", []))
    monkeypatch.setattr(night_module, "publish_night", fake.step("publish_night", OUTCOME))
    monkeypatch.setattr(night_module, "close_night", fake.step("close_night", None))
    monkeypatch.setattr(night_module, "make_session", lambda *_: NotForStorage())
    monkeypatch.setenv("MRI_TRIAGE__NIGHT__STEP_RETRIES", "2")
    monkeypatch.setenv("MRI_TRIAGE__NIGHT__RETRY_DELAY_SECONDS", "0")
    return fake


def run_nightly(folder: Path) -> NightOutcome:
    return night_module.night_flow(night=date(2026, 11, 20), place="demo", lake=str(folder))


def test_the_flow_runs_the_steps_in_order_and_returns_the_outcome(
    jobs: FakeJobs,
    tmp_path: Path,
) -> None:
    outcome = run_nightly(tmp_path)

    assert outcome == OUTCOME
    assert jobs.called == [
        "open_night",
        "score_shards",
        "explain_sample",
        "publish_night",
        "close_night",
    ]


def test_a_passing_fault_is_tried_again(jobs: FakeJobs, tmp_path: Path) -> None:
    jobs.failures["score_shards"] = [StorageUnavailableError("busy"), StorageUnavailableError("x")]

    assert run_nightly(tmp_path) == OUTCOME

    assert jobs.called.count("score_shards") == 3
    assert jobs.called.count("open_night") == 1


def test_a_passing_fault_that_stays_ends_the_run_with_its_own_error(
    jobs: FakeJobs,
    tmp_path: Path,
) -> None:
    jobs.failures["publish_night"] = [StorageUnavailableError("busy")] * 5

    with pytest.raises(StorageUnavailableError, match="busy"):
        run_nightly(tmp_path)

    assert jobs.called.count("publish_night") == 3
    assert jobs.called[-1] == "close_night"


def test_a_terminal_error_is_not_tried_again(jobs: FakeJobs, tmp_path: Path) -> None:
    jobs.failures["open_night"] = [LakeNotFoundError("no lake")]

    with pytest.raises(LakeNotFoundError, match="no lake"):
        run_nightly(tmp_path)

    assert jobs.called == ["open_night"]


def test_an_error_of_a_step_still_lets_the_night_go(jobs: FakeJobs, tmp_path: Path) -> None:
    jobs.failures["explain_sample"] = [ZeroDivisionError()]

    with pytest.raises(UnforeseenError, match="unexpected ZeroDivisionError"):
        run_nightly(tmp_path)

    assert jobs.called == ["open_night", "score_shards", "explain_sample", "close_night"]


def test_a_paused_night_says_how_it_goes_on_and_a_failed_one_why_it_failed() -> None:
    assert night_module.why_it_ended(Pause()) == (
        "an operator paused it: it goes on when its backfill is resumed"
    )
    assert night_module.why_it_ended(LakeNotFoundError("x")) == "LakeNotFoundError: x"


def test_the_report_becomes_two_artifacts(jobs: FakeJobs, tmp_path: Path) -> None:
    run_nightly(tmp_path)

    report: Any = Artifact.get("night-2026-11-20")
    counts: Any = Artifact.get("night-2026-11-20-counts")
    assert report is not None
    assert counts is not None
    assert report.type == "markdown"
    assert str(report.data).startswith("# Night 2026-11-20")
    assert counts.type == "table"
    assert jobs.called[-1] == "close_night"


def test_a_report_that_cannot_be_stored_does_not_make_a_published_night_fail(
    jobs: FakeJobs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_arguments: object, **_options: object) -> None:
        message = "no server"
        raise RuntimeError(message)

    monkeypatch.setattr(night_artifacts, "create_markdown_artifact", refuse)

    assert run_nightly(tmp_path) == OUTCOME
    assert jobs.called[-1] == "close_night"


def test_the_run_form_describes_every_parameter() -> None:
    schema = night_module.night_flow.parameters.properties

    assert set(schema) == {
        "night",
        "lake",
        "place",
        "threshold",
        "allow_fewer",
        "publish_anyway",
        "bundle_version",
    }
    assert schema["night"]["format"] == "date"
    assert schema["allow_fewer"]["type"] == "boolean"
    assert all(field.get("description") for field in schema.values())
