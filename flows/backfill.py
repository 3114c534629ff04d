"""The flow ``backfill``: look at a range of nights, and run those that need it.

One run walks its nights. Hundreds of queued runs would starve every other deployment of the
server, and nobody could see what one backfill came to.
"""

from __future__ import annotations

import os
import time
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
from flows.recovery import outlive_serve
from jobs.backfill_plan import (
    BackfillMode,
    NightOrder,
    PlannedNight,
    check_range,
    find_published,
    plan_backfill,
    plan_the_rest,
)
from jobs.backfill_record import BackfillRecord, read_record, write_record
from jobs.lake import Lake, open_lake
from jobs.night_keys import nights_parent
from jobs.night_states import NightState, NightStatus, inspect_night, nights_between
from jobs.registry_bundles import open_source

WAIT_SECONDS: Final = 10.0
"""Between two looks at a night that another run holds."""

LONGEST_WAIT_SECONDS: Final = 1800.0


def name_run() -> str:
    """Name a run after its nights; Prefect calls this when the run begins."""
    given = flow_run.parameters
    nights = f"{given['first_night']} to {given['last_night']}"
    kind = "preview" if given.get("preview", True) else str(given.get("mode", "missing"))
    return f"backfill {nights} ({kind})"


@dataclass
class _Walk:
    """One backfill under way.

    Attributes:
        settings: of the place.
        store: its lake.
        backfill_id: names its record; the same when Prefect starts the run again.
        options: arguments of every night's run.
        page: of its artifacts.
        planned: all nights of the range, for the artifacts.
        record: how far it is.
        states: how its nights' runs ended, of this process.
    """

    settings: Settings
    store: Lake
    backfill_id: str
    options: dict[str, Any]
    page: BackfillPage
    planned: list[PlannedNight]
    record: BackfillRecord
    states: dict[date, State[Any]] = field(default_factory=dict)

    def look(self, night: date) -> NightState:
        """Inspect a night as it is now."""
        return look_at(self.settings, self.store, night)

    def keep(self, night: date, run_id: str) -> None:
        """Write down that a night is published."""
        self.record = self.record.with_finished(night, run_id)
        write_record(self.store, self.backfill_id, self.record, datetime.now(UTC).date())


@flow(name="backfill", flow_run_name=name_run, persist_result=False)
def backfill(
    first_night: date,
    last_night: date,
    mode: BackfillMode = BackfillMode.MISSING,
    preview: bool = True,
    order: NightOrder = NightOrder.OLDEST_FIRST,
    bundle_version: str = "",
    allow_fewer: bool = False,
    publish_anyway: bool = False,
    lake: str = "",
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
    outlive_serve()
    settings = resolve_settings(
        place,
        os.environ,
        lake=lake or None,
        bundle_version=bundle_version or None,
    )
    yesterday = choose_last_night(datetime.now(UTC), settings.night.zone)
    check_range(first_night, last_night, yesterday)
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require(nights_parent(settings.lake.night_template))
    rescore_with = find_digest(settings, store)
    states = [look_at(settings, store, night) for night in nights_between(first_night, last_night)]
    planned = plan_backfill(states, mode, order, rescore_with)
    page = BackfillPage(first_night, last_night, mode, settings.night.zone)
    if preview:
        store_plan(page, planned, preview=True)
        to_run = sum(one.runs for one in planned)
        return Completed(message=f"preview: {to_run} of {len(planned)} nights would run")
    backfill_id = str(flow_run.root_flow_run_id)
    record = read_record(store, backfill_id)
    if record is None:
        record = BackfillRecord(
            tuple(one.state.night for one in planned if one.runs),
            published_before=find_published(states),
        )
        write_record(store, backfill_id, record, datetime.now(UTC).date())
    else:
        record = record.with_published_since(find_published(states, rescore_with))
        planned = plan_the_rest(planned, record.planned, record.finished)
    store_plan(page, planned, preview=False)
    options = {
        "lake": lake or None,
        "place": place,
        "bundle_version": bundle_version or None,
        "allow_fewer": allow_fewer,
        "publish_anyway": publish_anyway,
    }
    # Of this process and of Spark's, which it starts: tonight's run gets the machine first.
    os.nice(settings.schedule.backfill_niceness)
    return _walk_nights(_Walk(settings, store, backfill_id, options, page, planned, record))


def look_at(settings: Settings, store: Lake, night: date) -> NightState:
    """Inspect a night as it is now."""
    return inspect_night(store, night, settings.lake.night_template, datetime.now(UTC))


def find_digest(settings: Settings, store: Lake) -> str | None:
    """Return the digest of the version that nights are scored again with; None without one.

    Raises:
        BundleError: if there is no such version.
    """
    if settings.bundle.version is None:
        return None
    return open_source(store, choose_bundle(settings.bundle)).digest


def _walk_nights(walk: _Walk) -> State[Any]:
    held = []
    for night in walk.record.left:
        _stop_if_paused()
        if walk.look(night).status is NightStatus.RUNNING:
            held.append(night)
        else:
            _run_night(walk, night)
    for night in held:
        _run_held_night(walk, night)
    notify_of_nights(walk.settings, walk.states)
    return _end(walk)


def _run_held_night(walk: _Walk, night: date) -> None:
    """Wait until another run lets go of a night, and run it unless that one published it.

    That other run may be this backfill's own, from before it was stopped and started again.
    """
    end = time.monotonic() + LONGEST_WAIT_SECONDS
    while (state := walk.look(night)).status is NightStatus.RUNNING and time.monotonic() < end:
        _stop_if_paused()
        time.sleep(WAIT_SECONDS)
    if state.status is NightStatus.PUBLISHED and state.run_id is not None:
        walk.keep(night, state.run_id)
    else:
        _run_night(walk, night)


def _run_night(walk: _Walk, night: date) -> None:
    state = run_as_sub_run(night, walk.settings, walk.options)
    walk.states[night] = state
    if state.is_completed():
        walk.keep(night, str(state.result().run_id))
    else:
        get_run_logger().warning("night %s: %s", night, describe_state(state))
    store_outcome(walk.page, _lines(walk))


def _stop_if_paused() -> None:
    """End this process if an operator paused the run; resuming starts another that goes on."""
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run.id).state
    if state is not None and state.is_paused():
        raise Pause(state=state)


def _lines(walk: _Walk) -> list[NightOutcomeLine]:
    return [
        NightOutcomeLine(
            night=one.state.night,
            planned=one.state.night in walk.record.planned,
            run_id=walk.record.finished.get(one.state.night),
            failed_because=_failure(walk.states.get(one.state.night)),
            why=one.why,
        )
        for one in walk.planned
    ]


def _failure(state: State[Any] | None) -> str | None:
    return None if state is None or state.is_completed() else describe_state(state)


def _end(walk: _Walk) -> State[Any]:
    store_outcome(walk.page, _lines(walk))
    done, left = len(walk.record.finished), [night.isoformat() for night in walk.record.left]
    if left:
        return Failed(message=f"{done} nights published; not: {', '.join(left)}. Retry runs those")
    skipped = len(walk.planned) - done
    return Completed(message=f"{done} nights published, {skipped} needed nothing")
