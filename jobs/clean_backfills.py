"""Retention: remove the records of backfills that nobody will go on with.

A record that goes early costs little: the backfill, retried, plans anew, and what it published
is published.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime

from jobs.backfill_record import read_record_at
from jobs.clean_lake import Cleaned, ExpiredFolder, remove_objects
from jobs.lake import Lake
from jobs.night_keys import BACKFILLS_PREFIX
from model.errors import NotRetrievedError, OutputError


def clean_backfills(
    lake: Lake,
    days: int | None,
    today: date,
    now: datetime,
    *,
    dry_run: bool,
) -> list[Cleaned]:
    """Remove the records that were last written more than `days` ago.

    Args:
        lake: where.
        days: for how many days a record is kept; None for ever.
        today: the date in the hospital's time zone.
        now: with a time zone, for the audit log.
        dry_run: only say what would be removed.

    Raises:
        OutputError: if the lake does not let an object go.
    """
    expired = [] if days is None else list(_find_expired(lake, days, today))
    for record in expired:
        if not dry_run:
            remove_objects(lake, record, now)
    return [Cleaned(record, "would be removed" if dry_run else "removed") for record in expired]


def _find_expired(lake: Lake, days: int, today: date) -> Iterator[ExpiredFolder]:
    for item in lake.list_objects(BACKFILLS_PREFIX):
        try:
            record = read_record_at(lake, item.key)
        except (NotRetrievedError, OutputError):
            continue  # whatever it is, it is none of ours
        last_used = record.written_on or max(record.planned, default=None)
        if last_used is not None and (today - last_used).days > days:
            night = min(record.planned, default=last_used)
            yield ExpiredFolder("backfills", night, last_used, days, (item,))
