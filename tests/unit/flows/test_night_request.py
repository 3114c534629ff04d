from __future__ import annotations

import re
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from conf.settings import Settings, load_settings
from flows.night_request import make_night_request, make_run_id
from jobs.registry_bundles import RegisteredBundle
from model.bundle import packaged_bundle_folder
from model.errors import ConfigurationError

NIGHT = date(2026, 11, 20)
KEY = {"MRI_TRIAGE_IDENTIFIER_KEY": "0123456789abcdef"}


def settings_with(place: str = "base", **changes: str) -> Settings:
    return load_settings(place, {f"MRI_TRIAGE__{name}": text for name, text in changes.items()})


def test_every_setting_reaches_the_request() -> None:
    settings = settings_with(
        LAKE__URL="s3://images",
        LAKE__NIGHT_TEMPLATE="'mr/{night}/'",
        NIGHT__STUDY_FROM="folder",
        DECODING__MAXIMUM_FRAMES="7",
        DECODING__TIMEOUT_SECONDS="3",
        DECODING__MEMORY_BYTES="123",
        ENGINE__CORES="2",
        BUNDLE__LOCATION="/srv/bundle",
        BUNDLE__THRESHOLD="0.01",
        EXPLANATION__SAMPLE_SIZE="4",
        PUBLISH__LEASE_SECONDS="99",
    )

    request = make_night_request(settings, NIGHT, KEY)

    assert request.night == NIGHT
    assert request.lake.url == "s3://images"
    assert request.night_template == "mr/{night}/"
    assert request.study_from == "folder"
    assert request.decoding.limits.maximum_frames == 7
    assert request.decoding.timeout_seconds == 3
    assert request.decoding.memory_bytes == 123
    assert request.engine.cores == 2
    assert request.bundle == Path("/srv/bundle")
    assert request.threshold == 0.01
    assert request.explanation.sample_size == 4
    assert request.publish.lease_seconds == 99


def test_without_a_location_the_packaged_bundle_scores() -> None:
    request = make_night_request(settings_with("demo"), NIGHT, {})

    assert request.bundle == packaged_bundle_folder()


def test_the_name_of_a_model_means_its_current_bundle_in_the_registry() -> None:
    settings = settings_with("demo", BUNDLE__NAME="lite0", BUNDLE__CACHE="/var/cache/bundles")

    request = make_night_request(settings, NIGHT, {})

    assert request.bundle == RegisteredBundle("lite0", None, Path("/var/cache/bundles"))


def test_a_version_pins_a_bundle_of_the_registry() -> None:
    settings = settings_with("demo", BUNDLE__NAME="lite0", BUNDLE__VERSION="'1.10'")

    request = make_night_request(settings, NIGHT, {})

    assert isinstance(request.bundle, RegisteredBundle)
    assert request.bundle.version == "1.10"
    assert request.bundle.cache == Path.home() / ".cache" / "mri-triage" / "bundles"


@pytest.mark.parametrize("name", ["../models", "CURRENT", "a b", "", "x" * 65])
def test_a_name_that_can_be_no_models_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot name a folder of the registry"):
        make_night_request(settings_with("demo", BUNDLE__NAME=f"'{name}'"), NIGHT, {})


def test_nothing_is_published_against_the_rules_unless_asked() -> None:
    careful = make_night_request(settings_with(), NIGHT, KEY)
    bold = make_night_request(settings_with(), NIGHT, KEY, allow_fewer=True, publish_anyway=True)

    assert (careful.publish.allow_fewer, careful.publish.publish_anyway) == (False, False)
    assert (bold.publish.allow_fewer, bold.publish.publish_anyway) == (True, True)


def test_outside_the_demo_the_identifier_key_is_asked_for() -> None:
    with pytest.raises(ConfigurationError, match="MRI_TRIAGE_IDENTIFIER_KEY"):
        make_night_request(settings_with(), NIGHT, {})


def test_the_request_never_shows_the_identifier_key() -> None:
    assert "0123456789abcdef" not in repr(make_night_request(settings_with(), NIGHT, KEY))


def test_runs_are_named_by_their_time_and_differ_within_a_second() -> None:
    now = datetime(2026, 11, 21, 4, 15, tzinfo=UTC)

    first, second = make_run_id(now), make_run_id(now)

    assert re.fullmatch(r"20261121T041500-[0-9a-f]{6}", first)
    assert first != second


def test_the_clock_of_a_request_knows_its_zone() -> None:
    assert make_night_request(settings_with("demo"), NIGHT, {}).now().tzinfo is UTC
