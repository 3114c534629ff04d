"""The flow ``night``: the steps of one night as tasks of Prefect."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import date
from functools import wraps
from typing import Any, TypeVar

from prefect import Flow, Task, flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.exceptions import Pause
from prefect.utilities.annotations import quote
from rich.console import Console

from conf.settings import NightSettings, Settings
from flows.arguments import resolve_settings
from flows.night_artifacts import NightReporter
from flows.night_request import make_night_request
from flows.progress import ProgressCallback, show_progress
from jobs.night_run import NightOutcome, NightRequest, Progress
from jobs.score_night import (
    close_night,
    describe_failure,
    explain_sample,
    open_night,
    publish_night,
    score_shards,
)
from jobs.spark_session import make_session
from model.errors import TransientError
from model.unforeseen import quoting_nothing

Answer = TypeVar("Answer")

NightFlow = Flow[..., NightOutcome]


def run_night(
    night: date,
    lake: str | None = None,
    place: str = "base",
    threshold: float | None = None,
    allow_fewer: bool = False,
    publish_anyway: bool = False,
    bundle_version: str | None = None,
) -> NightOutcome:
    """Score the images of one night and publish it.

    Args:
        night: The date that the images belong to.
        lake: Folder, file:///folder or s3://bucket/prefix; empty for the place's own.
        place: Settings by name (demo, hospital) or a YAML file.
        threshold: Flag from this probability on; a higher one than the bundle's is refused.
        allow_fewer: Publish though the night holds fewer objects than were published before.
        publish_anyway: Publish though too many images could not be read.
        bundle_version: Score with this version of the lake's registry; empty for the current one.

    Returns:
        What was published.
    """
    settings = resolve_settings(
        place,
        os.environ,
        lake=lake,
        threshold=threshold,
        bundle_version=bundle_version,
    )
    request = make_night_request(
        settings,
        night,
        os.environ,
        allow_fewer=allow_fewer,
        publish_anyway=publish_anyway,
    )
    reporter = NightReporter(request, settings)
    with show_progress(Console(stderr=True)) as show:

        def report(progress: Progress) -> None:
            show(progress)
            reporter.show_progress(progress)

        outcome = _run_steps(request, settings.night, report)
    reporter.store_report(outcome)
    return outcome


def make_night_flow(night: date, settings: Settings) -> NightFlow:
    """Make the flow of one night, to be called as a sub-run.

    Prefect tells the sub-runs of a run apart by the name of their function. A name for each night
    makes a run that goes on after a crash attach to the same night's sub-run, and never to
    another's that happens to come at the same place.

    Args:
        night: which.
        settings: for the time limit.
    """

    @wraps(run_night)
    def run(*arguments: Any, **named: Any) -> NightOutcome:  # noqa: ANN401 - as `run_night`
        return run_night(*arguments, **named)

    run.__qualname__ = f"night_{night:%Y_%m_%d}"
    return flow(
        name="night",
        flow_run_name="night {night}",
        persist_result=False,
        timeout_seconds=settings.schedule.night_hours * 3600,
    )(run)


def run_as_sub_run(
    night: date,
    settings: Settings,
    options: Mapping[str, Any],
) -> State[NightOutcome]:
    """Run a night within another run; its failure is an answer, not an exception.

    Args:
        night: which.
        settings: for the time limit.
        options: the other arguments of `run_night`.
    """
    call: Callable[..., Any] = make_night_flow(night, settings)
    state: State[NightOutcome] = call(night, return_state=True, **options)
    return state


night_flow: NightFlow = flow(
    name="night",
    flow_run_name="night {night}",
    persist_result=False,
)(run_night)
"""One night, started by hand."""


def is_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed step is tried again: only after a fault that may pass by itself."""
    return isinstance(state.result(raise_on_failure=False), TransientError)


def why_it_ended(error: BaseException) -> str:
    """Say why a night was not published, for whoever looks at it before it is run again."""
    if isinstance(error, Pause):
        return "an operator paused it: it goes on when its backfill is resumed"
    return describe_failure(error)


def _run_steps(
    request: NightRequest, retries: NightSettings, report: ProgressCallback
) -> NightOutcome:
    # `quote`: Prefect would walk through every row of the tables that are handed on.
    run = _step(open_night, retries)(quote(request))
    try:
        objects = run.inventory.num_rows
        report(Progress("list", objects, objects))
        spark = make_session(request.engine, "mri-triage")
        scored = _step(score_shards, retries)(quote(run), quote(spark), quote(report))
        explained = _step(explain_sample, retries)(
            quote(run),
            quote(scored),
            quote(spark),
            quote(report),
        )
        outcome = _step(publish_night, retries)(quote(run), quote(scored), quote(explained))
        report(Progress("publish", objects, objects))
    except BaseException as error:
        run.failed_because = why_it_ended(error)
        raise
    finally:
        close_night(run)
    return outcome


def _step(function: Callable[..., Answer], retries: NightSettings) -> Callable[..., Answer]:
    # What passes from step to step is never stored: it is large, holds locks, and names objects.
    make_task = task(
        name=function.__name__.replace("_", " "),
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=retries.step_retries,
        retry_delay_seconds=_back_off(retries),
        retry_condition_fn=is_transient,
    )
    # Prefect stores the text and the traceback of whatever leaves a step.
    return make_task(quoting_nothing()(function))


def _back_off(retries: NightSettings) -> list[float]:
    """Return the pauses before each new try, each twice as long as the one before."""
    return [retries.retry_delay_seconds * 2**number for number in range(retries.step_retries)]
