from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path

import pytest

from jobs.audit_log import read_events, record_event
from jobs.lake import Lake
from model.errors import OutputError
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, folder_lake


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return folder_lake(tmp_path)


def test_events_come_back_in_the_order_of_time(lake: Lake) -> None:
    later = FOUR_O_CLOCK + timedelta(days=40)
    record_event(lake, "promote", {"version": "1.2.0", "digest": "ab12", "forced": True}, later)
    record_event(lake, "publish", {"night": "2026-11-20", "objects": 3}, FOUR_O_CLOCK)

    publish, promote = read_events(lake)

    assert (publish.action, promote.action) == ("publish", "promote")
    assert publish.at == "2026-11-21T04:00:00.000000+00:00"
    assert publish.facts == {"night": "2026-11-20", "objects": 3}
    assert promote.facts == {"version": "1.2.0", "digest": "ab12", "forced": True}
    assert publish.account
    assert publish.host


def test_two_events_of_one_moment_are_both_kept(lake: Lake) -> None:
    keys = {record_event(lake, "locate", {"image_id": "x"}, FOUR_O_CLOCK) for _ in range(20)}

    assert len(keys) == 20
    assert len(list(read_events(lake))) == 20


def test_an_event_is_never_written_over(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "00000000")
    key = record_event(lake, "locate", {"image_id": "first"}, FOUR_O_CLOCK)

    with pytest.raises(OutputError, match="three were taken"):
        record_event(lake, "locate", {"image_id": "second"}, FOUR_O_CLOCK)

    assert json.loads(lake.read(key))["facts"] == {"image_id": "first"}


@pytest.mark.parametrize(
    "text",
    [
        "incoming/night=2026-11-20/a.dcm",
        "Doe^Jane",
        "Jane Doe",
        "Jöhn",
        "a\nb",
        "x" * 129,
        "C:\\a",
    ],
)
def test_a_text_that_may_be_a_key_or_a_name_is_refused_and_not_repeated(
    lake: Lake,
    text: str,
) -> None:
    with pytest.raises(ValueError, match="refuses the text of 'what'") as refused:
        record_event(lake, "locate", {"what": text}, FOUR_O_CLOCK)

    assert text not in str(refused.value)
    assert list(lake.list_objects("")) == []


@pytest.mark.parametrize("action", ["", "Publish", "../publish", "a b"])
def test_an_action_that_is_no_word_is_refused(lake: Lake, action: str) -> None:
    with pytest.raises(ValueError, match="named by small letters"):
        record_event(lake, action, {}, FOUR_O_CLOCK)


def test_the_time_is_told_in_utc_whatever_the_zone_of_the_caller(lake: Lake) -> None:
    zone = timezone(timedelta(hours=9))

    key = record_event(lake, "locate", {}, datetime(2026, 11, 21, 3, 0, tzinfo=zone))

    assert key.startswith("audit/2026-11-20/180000.000000-locate-")


def test_the_first_day_can_be_chosen(lake: Lake) -> None:
    for day in (19, 20, 21):
        record_event(lake, "locate", {"day": day}, datetime(2026, 11, day, 12, tzinfo=UTC))

    days = [event.facts["day"] for event in read_events(lake, since=date(2026, 11, 20))]

    assert days == [20, 21]


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"at": "yesterday"}'])
def test_an_event_that_was_tampered_with_is_named(lake: Lake, text: str) -> None:
    key = record_event(lake, "locate", {}, FOUR_O_CLOCK)
    lake.write(key, text.encode())

    with pytest.raises(OutputError, match="who changed the audit log") as refused:
        list(read_events(lake))

    assert key in str(refused.value)
