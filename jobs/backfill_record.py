"""What a backfill set out to do and has done, kept in the lake: started again, it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from jobs.lake import Lake
from jobs.night_keys import backfill_key
from model.errors import NotRetrievedError, OutputError


@dataclass(frozen=True)
class BackfillRecord:
    """How far a backfill is.

    Attributes:
        planned: nights that it runs, in its order. They stay planned when they fail: whoever
            retries the backfill wants those, whatever its mode says of failed nights.
        finished: nights that are published, and the runs that did it.
        published_before: nights that were published when it began, and the runs that did it; None
            if unknown.
        written_on: the day in UTC on which it was last written; None if unknown.
    """

    planned: tuple[date, ...]
    finished: Mapping[date, str] = field(default_factory=dict)
    published_before: Mapping[date, str] | None = None
    written_on: date | None = None

    @property
    def left(self) -> list[date]:
        """Nights that are not finished, in order."""
        return [night for night in self.planned if night not in self.finished]

    def with_finished(self, night: date, run_id: str) -> BackfillRecord:
        """Return the record with one more night done."""
        return replace(self, finished={**self.finished, night: run_id})

    def with_published_since(self, published: Mapping[date, str]) -> BackfillRecord:
        """Return the record with the planned nights done that were published since it began.

        A backfill may be stopped between a night's publication and its own record of it.

        Args:
            published: nights that are published now, and the runs that did it.
        """
        if self.published_before is None:
            return self
        since = {
            night: published[night]
            for night in self.left
            if night in published and published[night] != self.published_before.get(night)
        }
        return replace(self, finished={**self.finished, **since})


def read_record(lake: Lake, backfill_id: str) -> BackfillRecord | None:
    """Return how far a backfill is; None if it has not begun.

    Raises:
        OutputError: if the record is none.
    """
    try:
        return read_record_at(lake, backfill_key(backfill_id))
    except NotRetrievedError:
        return None


def read_record_at(lake: Lake, key: str) -> BackfillRecord:
    """Return the record that a key holds.

    Raises:
        NotRetrievedError: if there is nothing.
        OutputError: if it is no record.
    """
    try:
        content = json.loads(lake.read(key))
        before = content.get("published_before")
        return BackfillRecord(
            planned=tuple(date.fromisoformat(night) for night in content["planned"]),
            finished=_runs_by_night(content["finished"]),
            published_before=None if before is None else _runs_by_night(before),
            written_on=_day_or_none(content.get("written_on")),
        )
    except (ValueError, AttributeError, KeyError, TypeError):
        message = f"{key} is not the record of a backfill: delete it, and the backfill begins anew"
        raise OutputError(message) from None


def write_record(lake: Lake, backfill_id: str, record: BackfillRecord, today: date) -> None:
    """Keep how far a backfill is.

    Args:
        lake: where.
        backfill_id: whose.
        record: what is kept.
        today: the day in UTC.
    """
    content: dict[str, Any] = {
        "written_on": today.isoformat(),
        "planned": [night.isoformat() for night in record.planned],
        "finished": _as_json(record.finished),
    }
    if record.published_before is not None:
        content["published_before"] = _as_json(record.published_before)
    lake.write(backfill_key(backfill_id), json.dumps(content, indent=1).encode())


def _as_json(runs: Mapping[date, str]) -> dict[str, str]:
    return {night.isoformat(): run_id for night, run_id in runs.items()}


def _runs_by_night(content: Mapping[str, object]) -> dict[date, str]:
    return {date.fromisoformat(night): str(run_id) for night, run_id in content.items()}


def _day_or_none(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
