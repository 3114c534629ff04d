"""The flow ``nightly``: the steps of a night as tasks of Prefect."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from prefect import Task, flow, task
from prefect.artifacts import create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.utilities.annotations import quote
from rich.console import Console

from conf.settings import NightSettings
from flows.arguments import resolve_settings
from flows.night_request import make_night_request
from flows.progress import ProgressCallback, show_progress
from flows.reports import artifact_key, format_markdown, list_counts
from jobs.night_run import NightOutcome, NightRequest, Progress
from jobs.score_night import (
    close_night,
    explain_sample,
    open_night,
    publish_night,
    score_shards,
)
from jobs.spark_session import make_session
from model.errors import TransientError
from model.unforeseen import quoting_nothing

Answer = TypeVar("Answer")

LOG = logging.getLogger(__name__)


@flow(name="nightly", flow_run_name="night {night}", persist_result=False)
def nightly(
    night: date,
    lake: str | None = None,
    place: str = "base",
    threshold: float | None = None,
    allow_fewer: bool = False,
    publish_anyway: bool = False,
) -> NightOutcome:
    """Score the images of a night and publish it.

    Args:
        night: The date that the images belong to.
        lake: Folder, file:///folder or s3://bucket/prefix; empty for the place's own.
        place: Settings by name (demo, hospital) or a YAML file.
        threshold: Flag from this probability on; a higher one than the bundle's is refused.
        allow_fewer: Publish though the night holds fewer objects than were published before.
        publish_anyway: Publish though too many images could not be read.

    Returns:
        What was published.
    """
    settings = resolve_settings(place, os.environ, lake=lake, threshold=threshold)
    request = make_night_request(
        settings,
        night,
        os.environ,
        allow_fewer=allow_fewer,
        publish_anyway=publish_anyway,
    )
    with show_progress(Console(stderr=True)) as report:
        outcome = _run_steps(request, settings.night, report)
    _store_report(outcome)
    return outcome


def is_transient(_task: Task[Any, Any], _run: TaskRun, state: State[Any]) -> bool:
    """Whether a failed step is tried again: only after a fault that may pass by itself."""
    return isinstance(state.result(raise_on_failure=False), TransientError)


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
        retry_delay_seconds=retries.retry_delay_seconds,
        retry_condition_fn=is_transient,
    )
    # Prefect stores the text and the traceback of whatever leaves a step.
    return make_task(quoting_nothing()(function))


def _store_report(outcome: NightOutcome) -> None:
    key = artifact_key(outcome.night)
    try:
        create_markdown_artifact(format_markdown(outcome), key=key, description="The night")
        create_table_artifact(list_counts(outcome), key=f"{key}-counts", description="Counts")
    except Exception as error:  # noqa: BLE001 - the night is published, whatever becomes of this
        LOG.warning("the report of the night could not be stored: %s", type(error).__name__)
