"""What a backfill would do with each night, and why. Pure: states in, plan out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from jobs.night_states import NightState, NightStatus
from model.errors import ConfigurationError

MOST_NIGHTS: Final = 366
"""Of one backfill: a year. A longer one is a slip of the calendar more often than meant."""


class BackfillMode(StrEnum):
    """Which nights a backfill runs."""

    MISSING = "missing"
    MISSING_AND_FAILED = "missing_and_failed"
    ALL = "all"


class NightOrder(StrEnum):
    """In which order a backfill walks."""

    OLDEST_FIRST = "oldest_first"
    NEWEST_FIRST = "newest_first"


@dataclass(frozen=True)
class PlannedNight:
    """A night of the plan.

    Attributes:
        state: as it is.
        runs: whether it will be scored and published.
        why: in words.
    """

    state: NightState
    runs: bool
    why: str


def plan_backfill(
    states: Sequence[NightState],
    mode: BackfillMode,
    order: NightOrder,
    rescore_with: str | None = None,
) -> list[PlannedNight]:
    """Decide for each night.

    Args:
        states: of the nights, in any order.
        mode: which nights run. Late images are missing from the published night, so that
            `MISSING` covers them.
        order: of the answer.
        rescore_with: digest of a bundle: published nights of another one run too.
    """
    planned = [PlannedNight(state, *_decide(state, mode, rescore_with)) for state in states]
    newest_first = order is NightOrder.NEWEST_FIRST
    return sorted(planned, key=lambda one: one.state.night, reverse=newest_first)


def find_published(states: Iterable[NightState], digest: str | None = None) -> dict[date, str]:
    """Return the nights that are published whole, and the runs that did it.

    Args:
        states: of the nights.
        digest: of the bundle that they must be scored with; None: any.
    """
    return {
        state.night: state.run_id
        for state in states
        if state.status is NightStatus.PUBLISHED
        and state.run_id is not None
        and digest in (None, state.bundle_digest)
    }


def plan_the_rest(
    planned: Sequence[PlannedNight],
    set_out: Collection[date],
    finished: Collection[date],
) -> list[PlannedNight]:
    """Plan a backfill that is started again: what it set out to do and has not finished.

    Args:
        planned: what would be done if it began now.
        set_out: nights that it set out to run.
        finished: those of them that are published.
    """
    return [_go_on(one, set_out, finished) for one in planned]


def _go_on(
    one: PlannedNight,
    set_out: Collection[date],
    finished: Collection[date],
) -> PlannedNight:
    night = one.state.night
    if night in finished:
        return replace(one, runs=False, why="published by this backfill")
    if night in set_out:
        return replace(one, runs=True, why="this backfill has not published it yet")
    return replace(one, runs=False)


def check_range(first: date, last: date, yesterday: date) -> None:
    """Refuse a range of nights that cannot be meant.

    Args:
        first: night.
        last: night, included.
        yesterday: the last night that is over in the hospital's time zone.

    Raises:
        ConfigurationError: if it is empty, too long, or not over yet.
    """
    if last < first:
        message = (
            f"the last night {last} is before the first night {first}: exchange the two, or give "
            "the same night twice for one night"
        )
        raise ConfigurationError(message)
    if last > yesterday:
        message = (
            f"the last night {last} is not over: expected {yesterday} at the latest, because the "
            "images of a later night are still arriving; choose an earlier one"
        )
        raise ConfigurationError(message)
    if (nights := (last - first).days + 1) > MOST_NIGHTS:
        message = f"{nights} nights were asked for: expected at most {MOST_NIGHTS}; take two parts"
        raise ConfigurationError(message)


def _decide(state: NightState, mode: BackfillMode, rescore_with: str | None) -> tuple[bool, str]:
    status = state.status
    with_failed = mode is not BackfillMode.MISSING
    other_bundle = None not in (rescore_with, state.bundle_digest) and (
        rescore_with != state.bundle_digest
    )
    late = f"{state.late_objects} objects came or changed since it was published"
    failed = f"its last run failed: {state.failed_because}"
    rules = (
        # The first that holds counts.
        (status is NightStatus.RUNNING, True, "another run holds it: waited for, at the end"),
        (status is NightStatus.LATE_IMAGES, True, late),
        (status is NightStatus.MISSING, True, "never published"),
        (status is NightStatus.FAILED and with_failed, True, failed),
        (other_bundle, True, f"scored with {state.bundle}, another bundle than asked for"),
        (mode is BackfillMode.ALL, True, "all nights were asked for"),
        (status is NightStatus.EMPTY, False, "holds no objects"),
        (status is NightStatus.FAILED, False, f"mode {mode} leaves it; {failed}"),
        (True, False, "published"),
    )
    return next((runs, why) for holds, runs, why in rules if holds)
