"""What became of a night, as the lake tells it: published, late images, failed, running ..."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

import pyarrow as pa
import pyarrow.compute as pc

from jobs.inventory import list_night
from jobs.lake import Lake
from jobs.lease import LeaseRecord
from jobs.night_keys import lease_key, results_key
from jobs.night_runs import PUBLISHED, RunRecord, list_runs
from jobs.parquet_objects import read_table
from model.errors import NotRetrievedError

KILLED = "the run ended without a word: its process was killed, or its machine went away"


class NightStatus(StrEnum):
    """What an operator wants to know of a night first."""

    PUBLISHED = "published"
    LATE_IMAGES = "late images"
    FAILED = "failed"
    RUNNING = "running"
    MISSING = "missing"
    EMPTY = "empty"


@dataclass(frozen=True)
class NightState:
    """A night as it is in the lake.

    Attributes:
        night: which.
        status: `LATE_IMAGES`: published, but objects came or changed since. `FAILED`: the last run
            did not publish. `MISSING`: holds objects and was never run. `EMPTY`: holds none.
        listed_objects: in the night's folder now.
        published_objects: in the published rows; None if never published.
        late_objects: listed, but not in the published rows with that etag.
        bundle: name and version that the published rows were scored with.
        bundle_digest: of the same.
        flagged: published rows.
        cleared: published rows.
        run_id: of the run that published, or that holds the night.
        finished_at: of the last run that ended; None if unknown.
        failed_because: of the last run, if it failed.
    """

    night: date
    status: NightStatus
    listed_objects: int
    published_objects: int | None = None
    late_objects: int = 0
    bundle: str | None = None
    bundle_digest: str | None = None
    flagged: int | None = None
    cleared: int | None = None
    run_id: str | None = None
    finished_at: datetime | None = None
    failed_because: str | None = None


@dataclass(frozen=True)
class _Published:
    versions: pa.Table
    metadata: Mapping[str, str]


def inspect_night(lake: Lake, night: date, template: str, now: datetime) -> NightState:
    """Look at one night.

    Memory grows with the night's keys, as Arrow columns; nothing is opened but the results.

    Args:
        lake: where.
        night: which.
        template: the folder of a night's objects, with ``{night}``.
        now: with a time zone; leases are judged by it.

    Raises:
        LakeNotFoundError: if there is no lake, or no folder of nights in it.
        StorageUnavailableError: if the storage does not answer.
    """
    inventory = list_night(lake, night, template)
    published = _read_published(lake, night)
    runs = list_runs(lake, night)
    holder = _find_holder(lake, night, now)
    last = runs[-1] if runs else None
    metadata = {} if published is None else published.metadata
    late = 0 if published is None else _count_late(inventory, published.versions)
    failed = holder is None and _has_failed(last, metadata.get("run_id"))
    return NightState(
        night=night,
        status=_choose_status(
            running=holder is not None,
            failed=failed,
            published=published is not None,
            late=late,
            listed=inventory.num_rows,
        ),
        listed_objects=inventory.num_rows,
        published_objects=_number(metadata.get("objects")),
        late_objects=late,
        bundle=metadata.get("bundle"),
        bundle_digest=metadata.get("bundle_digest"),
        flagged=_number(metadata.get("flagged")),
        cleared=_number(metadata.get("cleared")),
        run_id=holder or metadata.get("run_id"),
        finished_at=None if last is None else last.written_at,
        failed_because=(last.failed_because or KILLED) if failed and last is not None else None,
    )


def nights_between(first: date, last: date) -> Iterator[date]:
    """Yield the nights from the first to the last, both included."""
    return (first + timedelta(days=day) for day in range((last - first).days + 1))


def _choose_status(
    *,
    running: bool,
    failed: bool,
    published: bool,
    late: int,
    listed: int,
) -> NightStatus:
    if running:
        return NightStatus.RUNNING
    if failed:
        return NightStatus.FAILED
    if published:
        return NightStatus.LATE_IMAGES if late else NightStatus.PUBLISHED
    return NightStatus.MISSING if listed else NightStatus.EMPTY


def _has_failed(last: RunRecord | None, published_by: str | None) -> bool:
    """Whether the last run ended without publishing; an older one that failed is forgotten."""
    if last is None or last.state == PUBLISHED:
        return False
    # Published, and killed before it could write that down.
    return published_by is None or last.run_id > published_by


def _read_published(lake: Lake, night: date) -> _Published | None:
    try:
        versions, metadata = read_table(lake, results_key(night), columns=["object_key", "etag"])
    except (NotRetrievedError, pa.ArrowException, ValueError, KeyError, OSError):
        # What cannot be read is not published: a run puts it right.
        return None
    return _Published(versions, metadata)


def _count_late(inventory: pa.Table, published: pa.Table) -> int:
    is_known = pc.is_in(_versions(inventory), value_set=_versions(published))
    late: int = inventory.num_rows - (pc.sum(is_known).as_py() or 0)
    return late


def _versions(objects: pa.Table) -> pa.ChunkedArray:
    # A line break cannot stand in an etag, so that no two pairs look the same.
    return pc.binary_join_element_wise(objects["object_key"], objects["etag"], "\n")


def _find_holder(lake: Lake, night: date, now: datetime) -> str | None:
    """Return the run that holds the night's lease, or None."""
    try:
        record = LeaseRecord.from_json(lake.read(lease_key(night)))
    except (NotRetrievedError, ValueError):
        return None
    return None if record.is_free(now) else record.run_id


def _number(text: str | None) -> int | None:
    return None if text is None else int(text)
