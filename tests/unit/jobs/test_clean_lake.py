from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.audit_log import read_events
from jobs.clean_lake import Retention, clean_night, find_nights, preview_night
from jobs.lake import Lake
from jobs.lease import LeaseRecord, LeaseTerms, NightLease
from jobs.lease_holder import Holder
from jobs.parquet_objects import write_table
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, NIGHT, folder_lake

KEPT = Retention(runs=30, explanations=100, feedback=None)
TERMS = LeaseTerms(300, lambda: FOUR_O_CLOCK)
RUN = "runs/2026-11-20/20261121T040000-aaaaaa/run.json"
SHARD = "runs/2026-11-20/shards/s.parquet"
INDEX = "explanations/night=2026-11-20/index.parquet"
PICTURE = "explanations/night=2026-11-20/image/overlay.png"
ANSWER = "feedback/night=2026-11-20/answer.json"
PUBLISHED = (
    "results/night=2026-11-20/results.parquet",
    "studies/night=2026-11-20/studies.parquet",
    "incoming/night=2026-11-20/a.dcm",
    "models/lite0/1.0.0/card.json",
    "audit/2020-01-01/event.json",
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = folder_lake(tmp_path)
    for key in (RUN, SHARD, PICTURE, ANSWER, *PUBLISHED):
        made.write(key, b"x")
    index = pa.table({"run_id": ["20261121T040000-aaaaaa"]})
    write_table(made, INDEX, index, {"run_id": "20261121T040000-aaaaaa"})
    return made


def keys_of(lake: Lake) -> set[str]:
    return {item.key for item in lake.list_objects("")}


def test_only_what_is_older_than_it_is_kept_goes(lake: Lake) -> None:
    before = keys_of(lake)

    (cleaned,) = clean_night(lake, NIGHT, KEPT, date(2026, 12, 22), TERMS)

    assert (cleaned.folder.kind, cleaned.outcome) == ("runs", "removed")
    gone = before - keys_of(lake)
    assert gone == {RUN, SHARD}


def test_what_is_published_is_never_removed_however_old(lake: Lake) -> None:
    shortest = Retention(runs=1, explanations=1, feedback=1)

    clean_night(lake, NIGHT, shortest, date(2126, 11, 20), TERMS)

    left = {key for key in keys_of(lake) if not key.startswith("audit/2026")}
    assert left == {*PUBLISHED, "runs/2026-11-20/lease.json"}


def test_the_last_day_still_counts(lake: Lake) -> None:
    # The night's last run was a day after it: that is when the days begin.
    assert clean_night(lake, NIGHT, KEPT, date(2026, 12, 21), TERMS) == []
    assert clean_night(lake, NIGHT, KEPT, date(2026, 12, 22), TERMS) != []


def test_an_old_night_that_was_run_lately_is_kept(lake: Lake) -> None:
    lake.write("runs/2026-11-20/20270301T040000-bbbbbb/run.json", b"x")
    index = pa.table({"run_id": ["20270301T040000-bbbbbb"]})
    write_table(lake, INDEX, index, {"run_id": "20270301T040000-bbbbbb"})

    assert clean_night(lake, NIGHT, KEPT, date(2027, 3, 20), TERMS) == []


def test_dicom_objects_which_name_patients_go_after_their_days(lake: Lake) -> None:
    segmentation = "dicom/night=2026-11-20/image/segmentation.dcm"
    lake.write(segmentation, b"x")
    kept = Retention(runs=None, explanations=None, feedback=None, dicom=30)

    assert clean_night(lake, NIGHT, kept, date(2026, 12, 20), TERMS) == []
    (cleaned,) = clean_night(lake, NIGHT, kept, date(2026, 12, 21), TERMS)

    assert (cleaned.folder.kind, cleaned.outcome) == ("dicom", "removed")
    assert segmentation not in keys_of(lake)


def test_what_is_kept_for_ever_is_kept(lake: Lake) -> None:
    clean_night(lake, NIGHT, KEPT, date(2126, 1, 1), TERMS)

    assert ANSWER in keys_of(lake)


def test_a_night_that_a_run_is_at_work_on_is_left_alone(lake: Lake) -> None:
    elsewhere = Holder(host="other-machine", namespace="pid:[1]@b", pid=77, started=1.0)
    before = keys_of(lake)
    with NightLease(lake, NIGHT, "run", TERMS, elsewhere):
        said = preview_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)
        cleaned = clean_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)

    assert {one.outcome for one in (*said, *cleaned)} == {"kept: a run is at work"}
    assert len(said) == len(cleaned) == 2
    assert keys_of(lake) - before == {"runs/2026-11-20/lease.json"}


def test_a_lease_that_nobody_can_read_protects_its_night(lake: Lake) -> None:
    lake.write("runs/2026-11-20/lease.json", b"no JSON")

    said = preview_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)
    cleaned = clean_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)

    assert {one.outcome for one in (*said, *cleaned)} == {"kept: a run is at work"}
    assert {RUN, PICTURE} <= keys_of(lake)


def test_the_lease_of_a_run_that_has_ended_does_not_protect_its_night(lake: Lake) -> None:
    elsewhere = Holder(host="other-machine", namespace="pid:[1]@b", pid=77, started=1.0)
    record = asdict(LeaseRecord("run", elsewhere, "2026-11-20T00:00:00+00:00"))
    lake.write("runs/2026-11-20/lease.json", json.dumps(record).encode())

    cleaned = clean_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)

    assert {one.outcome for one in cleaned} == {"removed"}


def test_a_preview_says_the_same_and_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    said = preview_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)

    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    cleaned = clean_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)
    assert [one.folder for one in said] == [one.folder for one in cleaned]
    assert {one.outcome for one in said} == {"would be removed"}


def test_the_index_goes_before_its_pictures(lake: Lake) -> None:
    said = preview_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)

    folder = next(one.folder for one in said if one.folder.kind == "explanations")
    assert [item.key for item in folder.objects] == [INDEX, PICTURE]


def test_each_folder_is_told_to_the_audit_log_once(lake: Lake) -> None:
    clean_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)
    clean_night(lake, NIGHT, KEPT, date(2027, 11, 20), TERMS)

    lake.delete("audit/2020-01-01/event.json")
    events = {event.facts["folder"]: event for event in read_events(lake)}
    assert len(list(read_events(lake))) == 2
    assert {event.action for event in events.values()} == {"clean"}
    assert events.keys() == {"runs", "explanations"}
    assert events["runs"].facts["objects"] == 2


def test_what_belongs_to_no_night_is_left_alone(lake: Lake) -> None:
    for key in ("runs/notes.txt", "runs/2026-99-99/x", "feedback/all/x", "explanations/2026/x"):
        lake.write(key, b"x")

    assert find_nights(lake) == [NIGHT]
