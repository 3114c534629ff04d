"""Retention: remove what was kept long enough from runs/, explanations/, dicom/ and feedback/.

What is published, in results/ and studies/, is never touched, and neither is the audit log. A
night is cleaned under its lease, as a run would hold it, so that no run is at work meanwhile; the
lease itself stays. A night counts as used when it was last *run*: cleaning right after a backfill
of old nights does not throw their explanations away.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

import pyarrow as pa

from jobs.audit_log import Fact, record_event
from jobs.lake import Lake, LakeObject
from jobs.lease import LeaseRecord, LeaseTerms, NightLease
from jobs.night_keys import explanations_index_key, lease_key
from jobs.parquet_objects import read_table
from model.errors import NightTakenError, NotRetrievedError

Kind = Literal["runs", "explanations", "feedback", "dicom", "backfills"]
Outcome = Literal["would be removed", "removed", "kept: a run is at work"]

FOLDERS: Final[Mapping[Kind, str]] = {
    "runs": "runs/{night}/",
    "explanations": "explanations/night={night}/",
    "feedback": "feedback/night={night}/",
    "dicom": "dicom/night={night}/",
}

_NIGHT: Final = re.compile(r"(?:runs/|(?:explanations|feedback|dicom)/night=)(\d{4}-\d{2}-\d{2})/")
_RUN: Final = re.compile(r"(\d{8})T\d{6}-[0-9a-f]+")
"""A run's id; see `flows.night_request.make_run_id`."""


@dataclass(frozen=True)
class Retention:
    """For how many days each kind is kept; None for ever.

    Attributes:
        runs: inventories, shards and records of runs.
        explanations: pictures, weights and their index.
        feedback: what radiologists answered.
        dicom: segmentations and reports, which name patients.
    """

    runs: int | None
    explanations: int | None
    feedback: int | None
    dicom: int | None = None

    def days_of(self, kind: Kind) -> int | None:
        """Return the days of a kind."""
        days: int | None = getattr(self, kind)
        return days


@dataclass(frozen=True)
class ExpiredFolder:
    """One kind of one night, older than it is kept.

    Attributes:
        kind: see `FOLDERS`; or a backfill.
        night: whose; of a backfill the first that it set out to run.
        last_used: the night itself, or the day of its last run if that is later.
        kept_days: what the retention says.
        objects: to be removed, the first one first.
    """

    kind: Kind
    night: date
    last_used: date
    kept_days: int
    objects: tuple[LakeObject, ...]

    @property
    def size_bytes(self) -> int:
        """Of all objects together."""
        return sum(item.size_bytes for item in self.objects)


@dataclass(frozen=True)
class Cleaned:
    """What became of an expired folder."""

    folder: ExpiredFolder
    outcome: Outcome


def find_nights(lake: Lake) -> list[date]:
    """List the nights of which something lies in a folder that is cleaned, the oldest first.

    Whatever else lies there belongs to no night, and is left alone.
    """
    tops = (folder.partition("/")[0] + "/" for folder in FOLDERS.values())
    keys = (item.key for top in tops for item in lake.list_objects(top))
    matches = (_NIGHT.match(key) for key in keys)
    days = {_day_of(match[1], "%Y-%m-%d") for match in matches if match}
    return sorted(day for day in days if day is not None)


def clean_night(
    lake: Lake,
    night: date,
    retention: Retention,
    today: date,
    terms: LeaseTerms,
) -> list[Cleaned]:
    """Remove what is expired of a night, unless a run is at work on it.

    The audit log tells of each folder before its first object goes.

    Args:
        lake: where.
        night: which.
        retention: how long each kind is kept.
        today: the date in the hospital's time zone.
        terms: of the lease under which the night is cleaned.

    Raises:
        OutputError: if the lake does not let objects go.
    """
    found = find_expired(lake, night, retention, today)
    if not found:
        return []
    lease = NightLease(lake, night, f"clean-{terms.now():%Y%m%dT%H%M%S}", terms)
    try:
        lease.take()
    except NightTakenError:
        return [Cleaned(folder, "kept: a run is at work") for folder in found]
    try:
        # Again, now that nobody else works on the night: a run may have ended in between.
        held = find_expired(lake, night, retention, today)
        for folder in held:
            _remove(lake, lease, folder, terms.now())
    finally:
        lease.release()
    return [Cleaned(folder, "removed") for folder in held]


def preview_night(
    lake: Lake,
    night: date,
    retention: Retention,
    today: date,
    terms: LeaseTerms,
) -> list[Cleaned]:
    """Say what `clean_night` would do. Nothing is written, not even a lease."""
    found = find_expired(lake, night, retention, today)
    free = not found or _is_free(lake, night, terms.now())
    return [
        Cleaned(folder, "would be removed" if free else "kept: a run is at work")
        for folder in found
    ]


def find_expired(
    lake: Lake,
    night: date,
    retention: Retention,
    today: date,
) -> list[ExpiredFolder]:
    """List what of a night is older than it is kept."""
    expired: list[ExpiredFolder] = []
    for kind, template in FOLDERS.items():
        days = retention.days_of(kind)
        # The night is never later than its last run: most nights need not be looked into.
        if days is None or (today - night).days <= days:
            continue
        listed = lake.list_objects(template.format(night=night.isoformat()))
        objects = tuple(item for item in listed if item.key != lease_key(night))
        last_used = _last_used(lake, kind, night, objects)
        if objects and (today - last_used).days > days:
            expired.append(
                ExpiredFolder(kind, night, last_used, days, _index_first(night, objects))
            )
    return expired


def _last_used(lake: Lake, kind: Kind, night: date, objects: tuple[LakeObject, ...]) -> date:
    texts: Iterator[str] = iter(())
    if kind == "runs":
        texts = (item.key for item in objects)
    elif kind == "explanations":
        texts = iter([_run_of_index(lake, night)])
    days = (_day_of(match[1], "%Y%m%d") for text in texts for match in _RUN.finditer(text))
    return max([night, *(day for day in days if day is not None)])


def _day_of(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - a date has no zone
    except ValueError:
        return None


def _run_of_index(lake: Lake, night: date) -> str:
    try:
        _, metadata = read_table(lake, explanations_index_key(night), columns=["run_id"])
    except (NotRetrievedError, pa.ArrowException, OSError, ValueError):
        return ""  # no index, or none that can be read: pictures that nobody can find their way to
    return metadata.get("run_id", "")


def _index_first(night: date, objects: tuple[LakeObject, ...]) -> tuple[LakeObject, ...]:
    # A reader must not find an index whose pictures are gone.
    index = explanations_index_key(night)
    return tuple(sorted(objects, key=lambda item: (item.key != index, item.key)))


def _is_free(lake: Lake, night: date, now: datetime) -> bool:
    try:
        return LeaseRecord.from_json(lake.read(lease_key(night))).is_free(now)
    except NotRetrievedError:
        return True  # never taken
    except ValueError:
        return False  # as `NightLease.take`, which refuses what it cannot read


def _remove(lake: Lake, lease: NightLease, folder: ExpiredFolder, now: datetime) -> None:
    lease.assert_held()
    remove_objects(lake, folder, now)


def remove_objects(lake: Lake, folder: ExpiredFolder, now: datetime) -> None:
    """Remove what is expired, and tell the audit log before the first object goes.

    Args:
        lake: where.
        folder: what.
        now: with a time zone.

    Raises:
        OutputError: if the lake does not let an object go.
    """
    facts: dict[str, Fact] = {
        "folder": folder.kind,
        "night": folder.night.isoformat(),
        "objects": len(folder.objects),
        "size_bytes": folder.size_bytes,
        "kept_days": folder.kept_days,
    }
    record_event(lake, "clean", facts, now)
    for item in folder.objects:
        lake.delete(item.key)
