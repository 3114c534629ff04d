from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from conf.settings import load_settings
from flows.arguments import (
    choose_last_night,
    lake_url,
    make_lake_address,
    parse_night,
    resolve_settings,
)
from model.errors import ConfigurationError


def test_a_night_is_year_month_and_day() -> None:
    assert parse_night("2026-11-20") == date(2026, 11, 20)


@pytest.mark.parametrize("text", ["", "2026-13-01", "2026-11-31", "20261120", "2026-W47-5"])
def test_anything_else_is_no_night(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"is no date: write year, month and day"):
        parse_night(text)


def test_the_last_night_is_yesterday_where_the_hospital_is() -> None:
    before_midnight_in_greenwich = datetime(2026, 11, 20, 23, 30, tzinfo=UTC)

    assert choose_last_night(before_midnight_in_greenwich, ZoneInfo("UTC")) == date(2026, 11, 19)
    assert choose_last_night(before_midnight_in_greenwich, ZoneInfo("Asia/Tokyo")) == date(
        2026, 11, 20
    )


def test_the_last_night_is_right_on_the_day_after_clocks_change() -> None:
    early = datetime(2026, 10, 25, 3, 15, tzinfo=UTC)

    assert choose_last_night(early, ZoneInfo("Europe/Berlin")) == date(2026, 10, 24)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("s3://images/mr", "s3://images/mr"),
        ("file:///srv/lake", "file:///srv/lake"),
        ("/srv/lake", "file:///srv/lake"),
        ("lake", "file:///srv/here/lake"),
        ("../lake", "file:///srv/lake"),
        ("/srv/my lake", "file:///srv/my%20lake"),
    ],
)
def test_a_plain_folder_becomes_a_url_that_every_process_understands(text: str, url: str) -> None:
    assert lake_url(text, Path("/srv/here")) == url


def test_the_address_of_a_lake_carries_its_storage_options() -> None:
    settings = load_settings(
        "hospital",
        {"MRI_TRIAGE__LAKE__ATTEMPTS": "2", "MRI_TRIAGE__LAKE__READ_TIMEOUT_SECONDS": "9"},
    )

    address = make_lake_address(settings.lake, Path("/"))

    assert address.url == "s3://mri-lake"
    assert address.options.endpoint_url == "https://objects.hospital.example"
    assert address.options.region == "eu-central-1"
    assert address.options.attempts == 2
    assert address.options.read_timeout_seconds == 9


def test_arguments_go_over_the_settings_of_the_place() -> None:
    settings = resolve_settings("demo", {}, lake="s3://images", threshold=0.01)

    assert settings.lake.url == "s3://images"
    assert settings.bundle.threshold == 0.01
