"""The flow ``nightly``: last night, and the nights before it that images came late for."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from conf.settings import Settings
from flows.arguments import choose_last_night, make_lake_address, resolve_settings
from flows.drift import judge_and_write
from flows.night import run_as_sub_run
from flows.night_artifacts import hold_against_history
from flows.notifications import notify_of_nights
from flows.recovery import outlive_serve
from jobs.lake import Lake, open_lake
from jobs.night_states import NightState, NightStatus, inspect_night

NEEDS_A_RUN = frozenset({NightStatus.LATE_IMAGES, NightStatus.MISSING, NightStatus.FAILED})
"""Of the earlier nights; one that failed or was left out would else wait for a person."""


def name_run() -> str:
    """Name a run after its night; Prefect calls this when the run begins."""
    return f"nightly {flow_run.parameters.get('night') or 'of the night before'}"


@flow(name="nightly", flow_run_name=name_run, persist_result=False)
def nightly(
    night: date | None = None,
    relist_nights: int | None = None,
    lake: str = "",
    place: str = "base",
    threshold: float | None = None,
    allow_fewer: bool = False,
    publish_anyway: bool = False,
) -> State[Any]:
    """Score last night, then the nights before it that hold images which were not published.

    Args:
        night: The night to score; empty for the one before the day on which the run was due, in
            the hospital's time zone.
        relist_nights: How many earlier nights are looked at for late images; empty for the
            place's own number.
        lake: Folder, file:///folder or s3://bucket/prefix; empty for the place's own.
        place: Settings by name (demo, hospital) or a YAML file.
        threshold: Flag from this probability on; a higher one than the bundle's is refused.
        allow_fewer: Publish though a night holds fewer objects than were published before.
        publish_anyway: Publish though too many images could not be read.
    """
    outlive_serve()
    settings = resolve_settings(place, os.environ, lake=lake or None, threshold=threshold)
    # A run that starts late, because the server was down, is still about the night it was for.
    due = flow_run.scheduled_start_time or datetime.now(UTC)
    last = night or choose_last_night(due, settings.night.zone)
    options = {
        "lake": lake or None,
        "place": place,
        "threshold": threshold,
        "allow_fewer": allow_fewer,
        "publish_anyway": publish_anyway,
    }
    states = {last: run_as_sub_run(last, settings, options)}
    earlier = settings.night.relist_nights if relist_nights is None else relist_nights
    unusual: dict[date, list[str]] = {}
    for state in find_unfinished(settings, last, earlier):
        get_run_logger().info("night %s: %s, run again", state.night, state.status)
        states[state.night] = run_as_sub_run(state.night, settings, options)
        unusual[state.night] = describe_lateness(state, settings)
    # The oldest first: each night is held to those before it, as they are published now.
    drifts = {one: find_drift_of(one, states[one], settings) for one in sorted(states)}
    unusual[last] = find_unusual_of(states[last], settings) + drifts[last]
    notify_of_nights(settings, states, unusual)
    return summarise(states)


def describe_lateness(state: NightState, settings: Settings) -> list[str]:
    """Say if unusually many images of a published night came late, and what to do."""
    if state.late_objects < settings.alerts.late_objects:
        return []
    came = f"{state.late_objects} objects came or changed after it was published"
    return [f"{came}: ask why they were late; they are scored now, and published"]


def find_unusual_of(state: State[Any], settings: Settings) -> list[str]:
    """Say what is unusual about a night that was just published; nothing if it failed."""
    if not state.is_completed():
        return []
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    try:
        _, unusual = hold_against_history(store, state.result(), settings)
    except Exception as error:  # noqa: BLE001 - the night is published, whatever becomes of this
        get_run_logger().warning("the night was not compared: %s", type(error).__name__)
        return []
    return unusual


def find_drift_of(night: date, state: State[Any], settings: Settings) -> list[str]:
    """Judge a night that was just published for drift, and say what stands out of it."""
    if not state.is_completed():
        return []
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    try:
        found = judge_and_write(store, night, settings).alarms
    except Exception as error:  # noqa: BLE001 - the night is published, whatever becomes of this
        get_run_logger().warning("drift was not judged: %s", type(error).__name__)
        return []
    for sentence in found:
        get_run_logger().warning("night %s, drift: %s", night, sentence)
    return [f"drift: {sentence}" for sentence in found]


def find_unfinished(settings: Settings, last: date, nights: int) -> list[NightState]:
    """Return those of the nights before `last` that need a run, the newest first."""
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    return [
        state
        for days in range(1, nights + 1)
        if needs_a_run(state := _inspect(store, last - timedelta(days=days), settings))
    ]


def needs_a_run(state: NightState) -> bool:
    """Whether a night holds images that nobody has triaged."""
    return state.status in NEEDS_A_RUN and state.listed_objects > 0


def summarise(states: dict[date, State[Any]]) -> State[Any]:
    """Return how a run over several nights ended: failed if any of them did, and which."""
    failed = sorted(night for night, state in states.items() if not state.is_completed())
    if failed:
        names = ", ".join(night.isoformat() for night in failed)
        return Failed(message=f"{len(failed)} of {len(states)} nights failed: {names}")
    names = ", ".join(night.isoformat() for night in sorted(states))
    return Completed(message=f"published: {names}" if states else "nothing to do")


def _inspect(store: Lake, night: date, settings: Settings) -> NightState:
    return inspect_night(store, night, settings.lake.night_template, datetime.now(UTC))
