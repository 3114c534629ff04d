"""The plan and the outcome of a backfill, as Prefect's artifacts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from jobs.backfill_plan import BackfillMode, PlannedNight

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class BackfillPage:
    """What the artifacts of one backfill have in common.

    Attributes:
        first_night: of the range.
        last_night: of the range.
        mode: which nights run.
        zone: of the hospital; times are shown in it.
    """

    first_night: date
    last_night: date
    mode: BackfillMode
    zone: ZoneInfo

    @property
    def name(self) -> str:
        """The range, as it stands in an artifact's key."""
        return f"{self.first_night.isoformat()}-{self.last_night.isoformat()}"


@dataclass(frozen=True)
class NightOutcomeLine:
    """What became of a night.

    Attributes:
        night: which.
        planned: whether the backfill was to run it.
        run_id: that published it in this backfill; None if none did yet.
        failed_because: in a sentence; None if nothing failed.
        why: it was to run, or not.
    """

    night: date
    planned: bool
    run_id: str | None
    failed_because: str | None
    why: str

    @property
    def outcome(self) -> str:
        """In a word."""
        if self.failed_because is not None:
            return "failed"
        if self.run_id is not None:
            return "published"
        return "to do" if self.planned else "left as it is"


def store_plan(page: BackfillPage, planned: Sequence[PlannedNight], *, preview: bool) -> None:
    """Store what would be done with each night, and how to go on."""
    create_table_artifact(
        [plan_row(one, page.zone) for one in planned],
        key=f"backfill-plan-{page.name}",
        description=describe_plan(page, planned, preview=preview),
    )


def store_outcome(page: BackfillPage, lines: Sequence[NightOutcomeLine]) -> None:
    """Store what became of each night so far; a failure to do so is a warning."""
    try:
        create_markdown_artifact(
            format_outcome(page, lines),
            key=f"backfill-outcome-{page.name}",
            description=f"Backfill {page.first_night} to {page.last_night}: outcome",
        )
    except Exception as error:  # noqa: BLE001 - the nights are published, whatever becomes of this
        LOG.warning("the outcome could not be stored: %s", type(error).__name__)


def plan_row(one: PlannedNight, zone: ZoneInfo) -> dict[str, str | int]:
    """Return a night of the plan as a row of a table; unknown cells are empty."""
    state = one.state
    return {
        "night": state.night.isoformat(),
        "state": str(state.status),
        "plan": "run" if one.runs else "leave",
        "why": one.why,
        "objects": state.listed_objects,
        "published": _or_empty(state.published_objects),
        "flagged": _or_empty(state.flagged),
        "cleared": _or_empty(state.cleared),
        "bundle": _or_empty(state.bundle),
        "last run": _or_empty(_in_zone(state.finished_at, zone)),
    }


def describe_plan(page: BackfillPage, planned: Sequence[PlannedNight], *, preview: bool) -> str:
    """Say in a line what the plan comes to, and what to do next."""
    to_run = sum(one.runs for one in planned)
    nights = f"Nights {page.first_night} to {page.last_night}, mode {page.mode}"
    found = f"{nights}: {to_run} of {len(planned)} run"
    if not preview:
        return f"{found}."
    if not to_run:
        return f"{found}. Nothing was done, and nothing needs to be."
    return f"{found}. Nothing was done yet: run backfill again with preview switched off."


def format_outcome(page: BackfillPage, lines: Sequence[NightOutcomeLine]) -> str:
    """Write the outcome of each night as markdown."""
    done = sum(line.run_id is not None for line in lines)
    failed = sum(line.failed_because is not None for line in lines)
    rows = [
        f"| {line.night} | {line.outcome} | {line.failed_because or line.why} | "
        f"{line.run_id or '-'} |"
        for line in lines
    ]
    return "\n".join(
        [
            f"# Backfill {page.first_night} to {page.last_night}",
            "",
            f"{done} published, {failed} failed, of {len(lines)} nights; mode {page.mode}.",
            "",
            "| night | outcome | why | run |",
            "|---|---|---|---|",
            *rows,
        ],
    )


def _or_empty(value: str | int | None) -> str | int:
    return "" if value is None else value


def _in_zone(time: datetime | None, zone: ZoneInfo) -> str | None:
    return None if time is None else f"{time.astimezone(zone):%Y-%m-%d %H:%M}"
