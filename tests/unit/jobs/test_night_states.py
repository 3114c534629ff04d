from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.lake import Lake, LakeAddress, open_lake
from jobs.lease import LeaseTerms, NightLease
from jobs.night_keys import results_key, run_prefix
from jobs.night_states import KILLED, NightState, NightStatus, inspect_night, nights_between
from jobs.parquet_objects import write_table
from model.errors import LakeNotFoundError

NIGHT = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 5, 0, tzinfo=UTC)
TEMPLATE = "incoming/night={night}/"
FIRST_RUN, SECOND_RUN = "20261121T041500-aaaaaa", "20261121T044500-bbbbbb"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "incoming").mkdir()
    return open_lake(LakeAddress(tmp_path.as_uri()))


def arrive(lake: Lake, *names: str) -> dict[str, str]:
    """Let objects arrive; returns their etags by key."""
    keys = [f"incoming/night={NIGHT}/{name}" for name in names]
    return {key: lake.write(key, key.encode()) for key in keys}


def publish(lake: Lake, versions: dict[str, str], run_id: str = FIRST_RUN) -> None:
    table = pa.table({"object_key": list(versions), "etag": list(versions.values())})
    metadata = {
        "run_id": run_id,
        "objects": str(len(versions)),
        "flagged": "1",
        "cleared": str(len(versions) - 1),
        "bundle": "lite0 1.0.0",
        "bundle_digest": "abc",
    }
    write_table(lake, results_key(NIGHT), table, metadata)


def write_run(lake: Lake, run_id: str, state: str, failed_because: str | None = None) -> None:
    content: dict[str, object] = {
        "run_id": run_id,
        "state": state,
        "written_at": "2026-11-21T04:16:00+00:00",
        "failed_because": failed_because,
        "objects": 2,
        "seconds": {},
        "outcome": None,
    }
    lake.write(f"{run_prefix(NIGHT, run_id)}run.json", json.dumps(content).encode())


def inspect(lake: Lake) -> NightState:
    return inspect_night(lake, NIGHT, TEMPLATE, NOW)


def test_a_night_without_objects_is_empty(lake: Lake) -> None:
    assert inspect(lake) == NightState(NIGHT, NightStatus.EMPTY, listed_objects=0)


def test_a_night_that_was_never_run_is_missing(lake: Lake) -> None:
    arrive(lake, "a.jpg", "b.jpg")

    assert inspect(lake) == NightState(NIGHT, NightStatus.MISSING, listed_objects=2)


def test_a_published_night_tells_its_counts_and_its_bundle(lake: Lake) -> None:
    publish(lake, arrive(lake, "a.jpg", "b.jpg"))
    write_run(lake, FIRST_RUN, "published")

    assert inspect(lake) == NightState(
        NIGHT,
        NightStatus.PUBLISHED,
        listed_objects=2,
        published_objects=2,
        late_objects=0,
        bundle="lite0 1.0.0",
        bundle_digest="abc",
        flagged=1,
        cleared=1,
        run_id=FIRST_RUN,
        finished_at=datetime(2026, 11, 21, 4, 16, tzinfo=UTC),
    )


def test_an_object_that_came_and_one_that_changed_are_late(lake: Lake) -> None:
    publish(lake, arrive(lake, "a.jpg", "b.jpg"))
    arrive(lake, "c.jpg")
    lake.write(f"incoming/night={NIGHT}/a.jpg", b"another picture")

    state = inspect(lake)

    assert (state.status, state.late_objects) == (NightStatus.LATE_IMAGES, 2)


def test_a_run_that_stopped_is_a_failure_with_its_reason(lake: Lake) -> None:
    arrive(lake, "a.jpg")
    write_run(lake, FIRST_RUN, "stopped", "AuditError: too many failed")

    state = inspect(lake)

    assert state.status is NightStatus.FAILED
    assert state.failed_because == "AuditError: too many failed"


def test_a_run_that_never_ended_was_killed(lake: Lake) -> None:
    arrive(lake, "a.jpg")
    write_run(lake, FIRST_RUN, "open")

    assert inspect(lake).failed_because == KILLED


def test_a_failure_after_a_publication_counts_and_one_before_it_does_not(lake: Lake) -> None:
    publish(lake, arrive(lake, "a.jpg"), SECOND_RUN)
    write_run(lake, FIRST_RUN, "stopped", "AuditError: too many failed")
    write_run(lake, SECOND_RUN, "published")
    assert inspect(lake).status is NightStatus.PUBLISHED

    write_run(lake, "20261121T050000-cccccc", "stopped", "StorageUnavailableError: away")
    assert inspect(lake).status is NightStatus.FAILED


def test_a_run_that_was_killed_right_after_it_published_has_not_failed(lake: Lake) -> None:
    publish(lake, arrive(lake, "a.jpg"))
    write_run(lake, FIRST_RUN, "open")

    assert inspect(lake).status is NightStatus.PUBLISHED


def test_a_night_under_a_lease_is_running(lake: Lake) -> None:
    arrive(lake, "a.jpg")
    write_run(lake, FIRST_RUN, "open")
    with NightLease(lake, NIGHT, SECOND_RUN, LeaseTerms(300, lambda: NOW)):
        state = inspect(lake)

    assert (state.status, state.run_id) == (NightStatus.RUNNING, SECOND_RUN)
    assert inspect(lake).status is NightStatus.FAILED


def test_results_that_cannot_be_read_are_not_published(lake: Lake) -> None:
    arrive(lake, "a.jpg")
    lake.write(results_key(NIGHT), b"not a table")

    assert inspect(lake).status is NightStatus.MISSING


def test_a_lake_without_nights_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LakeNotFoundError):
        inspect(open_lake(LakeAddress(tmp_path.as_uri())))


def test_nights_are_counted_with_both_ends_over_a_change_of_clocks() -> None:
    nights = list(nights_between(date(2026, 10, 24), date(2026, 10, 26)))

    assert nights == [date(2026, 10, 24), date(2026, 10, 25), date(2026, 10, 26)]
