from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from jobs.backfill_record import BackfillRecord, read_record, write_record
from jobs.lake import Lake, LakeAddress, open_lake
from model.errors import OutputError

FIRST, SECOND, THIRD = date(2026, 11, 19), date(2026, 11, 20), date(2026, 11, 21)
TODAY = date(2026, 11, 22)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(LakeAddress(tmp_path.as_uri()))


def test_a_record_is_read_as_it_was_written_and_keeps_its_order(lake: Lake) -> None:
    record = BackfillRecord((SECOND, FIRST)).with_finished(SECOND, "run")
    write_record(lake, "id", record, TODAY)

    assert read_record(lake, "id") == replace(record, written_on=TODAY)
    assert record.left == [FIRST]


def test_a_record_of_an_earlier_release_knows_less_and_runs_what_it_planned(lake: Lake) -> None:
    lake.write("backfills/id.json", b'{"planned": ["2026-11-19"], "finished": {}}')

    record = read_record(lake, "id")

    assert record == BackfillRecord((FIRST,))
    assert record.with_published_since({FIRST: "of whenever"}).left == [FIRST]


def test_a_night_published_just_before_a_stop_is_done_and_one_published_before_is_not(
    lake: Lake,
) -> None:
    record = BackfillRecord((FIRST, SECOND, THIRD), published_before={FIRST: "a", SECOND: "b"})
    write_record(lake, "id", record, TODAY)
    read = read_record(lake, "id")
    assert read is not None

    went_on = read.with_published_since({FIRST: "a", SECOND: "b again", TODAY: "not its own"})

    assert went_on.finished == {SECOND: "b again"}
    assert went_on.left == [FIRST, THIRD]


def test_a_backfill_that_has_not_begun_has_no_record(lake: Lake) -> None:
    assert read_record(lake, "id") is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"planned": ["soon"], "finished": {}}', b"{}"])
def test_what_is_no_record_is_named(lake: Lake, data: bytes) -> None:
    lake.write("backfills/id.json", data)

    with pytest.raises(OutputError, match=r"backfills/id\.json is not the record of a backfill"):
        read_record(lake, "id")
