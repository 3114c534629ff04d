"""The counts of the nights before a night, from what their runs wrote down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from jobs.lake import Lake
from jobs.night_run import NightOutcome
from jobs.night_runs import PUBLISHED, RunRecord, list_runs
from jobs.publish import FAILED_REASONS


@dataclass(frozen=True)
class NightCounts:
    """A published night in numbers.

    Attributes:
        night: which.
        objects: listed.
        rows: images, and objects that could not be opened.
        by_decision: number of rows.
        by_reason: number of rows.
    """

    night: date
    objects: int
    rows: int
    by_decision: Mapping[str, int]
    by_reason: Mapping[str, int]

    @property
    def flagged(self) -> int:
        """Rows that were flagged, for whatever reason."""
        return self.by_decision.get("flagged", 0)

    @property
    def failed(self) -> int:
        """Rows that say that something is wrong with the job or its surroundings."""
        return sum(self.by_reason.get(str(reason), 0) for reason in FAILED_REASONS)


def counts_of(outcome: NightOutcome) -> NightCounts:
    """Return the counts of a night that was just published."""
    return NightCounts(
        outcome.night, outcome.objects, outcome.rows, outcome.by_decision, outcome.by_reason
    )


def read_history(lake: Lake, night: date, nights: int) -> list[NightCounts]:
    """Return the counts of those of the `nights` before a night that were published, oldest first.

    A run's record is small, and kept for a time only: a night whose record is gone is left out.
    """
    before = (night - timedelta(days=days) for days in range(nights, 0, -1))
    found = (_find_counts(lake, one) for one in before)
    return [counts for counts in found if counts is not None]


def _find_counts(lake: Lake, night: date) -> NightCounts | None:
    published = [run for run in list_runs(lake, night) if run.state == PUBLISHED]
    return _to_counts(night, published[-1]) if published else None


def _to_counts(night: date, run: RunRecord) -> NightCounts | None:
    try:
        return NightCounts(
            night=night,
            objects=run.objects,
            rows=int(run.outcome["rows"]),
            by_decision={str(name): int(n) for name, n in run.outcome["by_decision"].items()},
            by_reason={str(name): int(n) for name, n in run.outcome["by_reason"].items()},
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
