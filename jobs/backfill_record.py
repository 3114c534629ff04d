"""What a backfill set out to do and has done, kept in the lake: started again, it goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

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
        written_on: the day in UTC on which it was last written; None if unknown.
    """

    planned: tuple[date, ...]
    finished: Mapping[date, str] = field(default_factory=dict)
    written_on: date | None = None

    @property
    def left(self) -> list[date]:
        """Nights that are not finished, in order."""
        return [night for night in self.planned if night not in self.finished]

    def with_finished(self, night: date, run_id: str) -> BackfillRecord:
        """Return the record with one more night done."""
        return replace(self, finished={**self.finished, night: run_id})


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
        return BackfillRecord(
            planned=tuple(date.fromisoformat(night) for night in content["planned"]),
            finished={date.fromisoformat(n): str(run) for n, run in content["finished"].items()},
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
    content = {
        "written_on": today.isoformat(),
        "planned": [night.isoformat() for night in record.planned],
        "finished": {night.isoformat(): run_id for night, run_id in record.finished.items()},
    }
    lake.write(backfill_key(backfill_id), json.dumps(content, indent=1).encode())


def _day_or_none(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
