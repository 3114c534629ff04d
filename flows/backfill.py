"""The flow ``backfill``: look at a range of nights, and run those that need it.

One run walks its nights. Hundreds of queued runs would starve every other deployment of the
server, and nobody could see what one backfill came to.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from prefect import flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import Pause
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from conf.settings import Settings
from flows.arguments import choose_last_night, make_lake_address, resolve_settings
from flows.backfill_artifacts import BackfillPage, NightOutcomeLine, store_outcome, store_plan
from flows.bundle_choice import choose_bundle
from flows.night import run_as_sub_run
from flows.notifications import describe_state, notify_of_nights
from jobs.backfill_plan import (
    BackfillMode,
    NightOrder,
    PlannedNight,
    check_range,
    plan_backfill,
)
from jobs.backfill_record import read_finished, write_finished
from jobs.lake import Lake, open_lake
from jobs.night_keys import nights_parent
from jobs.night_states import NightState, NightStatus, inspect_night, nights_between
from jobs.registry_bundles import open_source
from model.errors import ConfigurationError

WAIT_SECONDS: Final = 10.0
"""Between two looks at a night that another run holds."""

LONGEST_WAIT_SECONDS: Final = 1800.0

LOWER_PRIORITY: Final = 10
"""Added to the niceness of a backfill's process: tonight's run gets the machine first."""


def name_run() -> str:
    """Name a run after its nights; Prefect calls this when the run begins."""
    given = flow_run.parameters
    nights = f"{given['first_night']} to {given['last_night']}"
    kind = "preview" if given.get("preview", True) else str(given.get("mode", "missing"))
    return f"backfill {nights} ({kind})"


@dataclass
class _Walk:
    """One backfill under way."""

    settings: Settings
    store: Lake
    backfill_id: str
    options: dict[str, Any]
    page: BackfillPage
    finished: dict[date, str]
    states: dict[date, State[Any]] = field(default_factory=dict)


@flow(name="backfill", flow_run_name=name_run, persist_result=False)
def backfill(
    first_night: date,
    last_night: date,
    mode: BackfillMode = BackfillMode.MISSING,
    preview: bool = True,
    order: NightOrder = NightOrder.OLDEST_FIRST,
    bundle_version: str | None = None,
    allow_fewer: bool = False,
    publish_anyway: bool = False,
    lake: str | None = None,
    place: str = "base",
) -> State[Any]:
    """Look at a range of nights and, without preview, score and publish those that need it.

    Args:
        first_night: The first night of the range.
        last_night: The last night of the range, included; yesterday at the latest.
        mode: missing runs nights that were never published and nights that images came late for;
            missing_and_failed also those whose last run failed; all runs every night.
        preview: Only show what would be done and why. Look at the plan first, then run again
            without it.
        order: Which end of the range comes first.
        bundle_version: Score with this version of the lake's registry, and score published nights
            of another bundle again; empty for the current bundle.
        allow_fewer: Publish though a night holds fewer objects than were published before.
        publish_anyway: Publish though too many images could not be read.
        lake: Folder, file:///folder or s3://bucket/prefix; empty for the place's own.
        place: Settings by name (demo, hospital) or a YAML file.
    """
    settings = resolve_settings(place, os.environ, lake=lake, bundle_version=bundle_version)
    yesterday = choose_last_night(datetime.now(UTC), settings.night.zone)
    check_range(first_night, last_night, yesterday)
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require(nights_parent(settings.lake.night_template))
    rescore_with = find_digest(settings, store, bundle_version)

    def look(night: date) -> NightState:
        template = settings.lake.night_template
        return inspect_night(store, night, template, datetime.now(UTC))

    states = [look(night) for night in nights_between(first_night, last_night)]
    planned = plan_backfill(states, mode, order, rescore_with)
    page = BackfillPage(first_night, last_night, mode, settings.night.zone)
    store_plan(page, planned, preview=preview)
    if preview:
        to_run = sum(one.runs for one in planned)
        return Completed(message=f"preview: {to_run} of {len(planned)} nights would run")
    os.nice(LOWER_PRIORITY)
    backfill_id = str(flow_run.root_flow_run_id)
    walk = _Walk(
        settings=settings,
        store=store,
        backfill_id=backfill_id,
        options={
            "lake": lake,
            "place": place,
            "bundle_version": bundle_version,
            "allow_fewer": allow_fewer,
            "publish_anyway": publish_anyway,
        },
        page=page,
        finished=read_finished(store, backfill_id),
    )
    return _walk_nights(walk, planned, look)


def find_digest(settings: Settings, store: Lake, bundle_version: str | None) -> str | None:
    """Return the digest of the version that nights are scored again with; None without one.

    Raises:
        ConfigurationError: if the place scores with no model of the registry.
        BundleError: if there is no such version.
    """
    if bundle_version is None:
        return None
    if settings.bundle.name is None:
        message = (
            f"bundle version {bundle_version} was asked for, but this place scores with a bundle "
            "of the package or of a folder: expected bundle.name in its settings; set it, or leave "
            "the version empty"
        )
        raise ConfigurationError(message)
    return open_source(store, choose_bundle(settings.bundle)).digest


def _walk_nights(
    walk: _Walk,
    planned: Sequence[PlannedNight],
    look: Callable[[date], NightState],
) -> State[Any]:
    chosen = [one for one in planned if one.runs or one.state.status is NightStatus.RUNNING]
    free = [one.state.night for one in chosen if one.runs]
    held = [one.state.night for one in chosen if not one.runs]
    for night in [*free, *_until_free(held, look, walk)]:
        if night in walk.finished:
            continue
        _stop_if_paused()
        _run_night(walk, night)
        store_outcome(walk.page, _lines(walk, planned))
    notify_of_nights(walk.settings, walk.states)
    return _end(walk, planned)


def _until_free(
    nights: Sequence[date],
    look: Callable[[date], NightState],
    walk: _Walk,
) -> Iterator[date]:
    """Yield the nights that another run held, once it let go of them unpublished.

    That other run may be this backfill's own, from before it was stopped and started again.
    """
    for night in nights:
        end = time.monotonic() + LONGEST_WAIT_SECONDS
        state = look(night)
        while state.status is NightStatus.RUNNING and time.monotonic() < end:
            _stop_if_paused()
            time.sleep(WAIT_SECONDS)
            state = look(night)
        if state.status is NightStatus.PUBLISHED and state.run_id is not None:
            _keep(walk, night, state.run_id)
        else:
            yield night


def _run_night(walk: _Walk, night: date) -> None:
    state = run_as_sub_run(night, walk.settings, walk.options)
    walk.states[night] = state
    if state.is_completed():
        _keep(walk, night, str(state.result().run_id))
    else:
        get_run_logger().warning("night %s: %s", night, describe_state(state))


def _keep(walk: _Walk, night: date, run_id: str) -> None:
    walk.finished[night] = run_id
    write_finished(walk.store, walk.backfill_id, walk.finished)


def _stop_if_paused() -> None:
    """End this process if an operator paused the run; resuming starts another that goes on."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run.id).state
    if state is not None and state.is_paused():
        raise Pause(state=state)


def _lines(walk: _Walk, planned: Sequence[PlannedNight]) -> list[NightOutcomeLine]:
    return [
        NightOutcomeLine(
            night=one.state.night,
            planned=one.runs or one.state.night in walk.finished,
            run_id=walk.finished.get(one.state.night),
            failed_because=_failure(walk.states.get(one.state.night)),
            why=one.why,
        )
        for one in planned
    ]


def _failure(state: State[Any] | None) -> str | None:
    return None if state is None or state.is_completed() else describe_state(state)


def _end(walk: _Walk, planned: Sequence[PlannedNight]) -> State[Any]:
    lines = _lines(walk, planned)
    store_outcome(walk.page, lines)
    failed = [line.night.isoformat() for line in lines if line.failed_because]
    done = sum(line.run_id is not None for line in lines)
    if failed:
        return Failed(message=f"{done} nights published; failed: {', '.join(failed)}")
    skipped = len(lines) - done
    return Completed(message=f"{done} nights published, {skipped} needed nothing")
