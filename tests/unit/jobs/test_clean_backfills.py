from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from jobs.audit_log import read_events
from jobs.backfill_record import BackfillRecord, write_record
from jobs.clean_backfills import clean_backfills
from jobs.lake import Lake
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, NIGHT, folder_lake

WRITTEN = date(2026, 11, 21)
KEPT_DAYS = 90
LAST_DAY, A_DAY_LATER = date(2027, 2, 19), date(2027, 2, 20)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = folder_lake(tmp_path)
    write_record(made, "old", BackfillRecord((NIGHT,)), WRITTEN)
    write_record(made, "new", BackfillRecord((NIGHT,)), A_DAY_LATER)
    return made


def backfills(lake: Lake) -> set[str]:
    return {item.key for item in lake.list_objects("backfills/")}


def clean(lake: Lake, today: date, *, dry_run: bool = False) -> list[str]:
    cleaned = clean_backfills(lake, KEPT_DAYS, today, FOUR_O_CLOCK, dry_run=dry_run)
    return [f"{one.folder.kind} {one.folder.night}: {one.outcome}" for one in cleaned]


def test_a_record_goes_a_day_after_its_last_day_and_the_audit_log_tells(lake: Lake) -> None:
    assert clean(lake, LAST_DAY) == []
    assert clean(lake, A_DAY_LATER) == ["backfills 2026-11-20: removed"]

    assert backfills(lake) == {"backfills/new.json"}
    (event,) = read_events(lake)
    assert (event.action, event.facts["folder"]) == ("clean", "backfills")


def test_a_dry_run_says_the_same_and_removes_nothing(lake: Lake) -> None:
    assert clean(lake, A_DAY_LATER, dry_run=True) == ["backfills 2026-11-20: would be removed"]

    assert backfills(lake) == {"backfills/new.json", "backfills/old.json"}
    assert list(read_events(lake)) == []


def test_a_record_without_its_day_counts_from_its_last_night(lake: Lake) -> None:
    lake.write("backfills/old.json", b'{"planned": ["2026-11-21"], "finished": {}}')

    assert clean(lake, LAST_DAY) == []
    assert clean(lake, A_DAY_LATER) == ["backfills 2026-11-21: removed"]


def test_what_is_no_record_of_a_backfill_is_left_alone(lake: Lake) -> None:
    lake.write("backfills/notes.txt", b"mine")

    clean(lake, date(2127, 1, 1))

    assert backfills(lake) == {"backfills/notes.txt"}


def test_what_is_kept_for_ever_is_kept(lake: Lake) -> None:
    assert clean_backfills(lake, None, date(2127, 1, 1), FOUR_O_CLOCK, dry_run=False) == []
    assert len(backfills(lake)) == 2
