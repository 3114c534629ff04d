from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from jobs.backfill_record import BackfillRecord, read_record, write_record
from jobs.lake import Lake, LakeAddress, open_lake
from model.errors import OutputError

FIRST, SECOND = date(2026, 11, 19), date(2026, 11, 20)
TODAY = date(2026, 11, 21)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(LakeAddress(tmp_path.as_uri()))


def test_a_record_is_read_as_it_was_written_and_keeps_its_order(lake: Lake) -> None:
    record = BackfillRecord((SECOND, FIRST)).with_finished(SECOND, "run")
    write_record(lake, "id", record, TODAY)

    assert read_record(lake, "id") == replace(record, written_on=TODAY)
    assert record.left == [FIRST]


def test_a_record_of_an_earlier_release_does_not_say_when_it_was_written(lake: Lake) -> None:
    lake.write("backfills/id.json", b'{"planned": ["2026-11-19"], "finished": {}}')

    assert read_record(lake, "id") == BackfillRecord((FIRST,))


def test_a_backfill_that_has_not_begun_has_no_record(lake: Lake) -> None:
    assert read_record(lake, "id") is None


@pytest.mark.parametrize("data", [b"", b"[]", b'{"planned": ["soon"], "finished": {}}', b"{}"])
def test_what_is_no_record_is_named(lake: Lake, data: bytes) -> None:
    lake.write("backfills/id.json", data)

    with pytest.raises(OutputError, match=r"backfills/id\.json is not the record of a backfill"):
        read_record(lake, "id")
