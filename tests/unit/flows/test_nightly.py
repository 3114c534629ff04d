from __future__ import annotations

import os
from datetime import date, timedelta
from pathlib import Path

import pytest

from conf.settings import Settings, load_settings, override_settings
from flows.local_prefect import keep_quiet

keep_quiet(os.environ)  # before Prefect is imported for the first time

from prefect.logging import disable_run_logger  # noqa: E402
from prefect.states import Completed, Failed  # noqa: E402

from flows.nightly import (  # noqa: E402
    describe_lateness,
    find_drift_of,
    find_unfinished,
    needs_a_run,
    summarise,
)
from jobs.night_drift import read_drift  # noqa: E402
from jobs.night_states import NightState, NightStatus  # noqa: E402
from tests.unit.jobs.night_builders import folder_lake  # noqa: E402
from tests.unit.jobs.test_night_drift import night, publish_night  # noqa: E402

NIGHT = date(2026, 11, 20)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "incoming").mkdir()
    return override_settings(load_settings("demo", {}), {"lake.url": str(tmp_path)})


def arrive(settings: Settings, night: date) -> None:
    folder = Path(settings.lake.url) / f"incoming/night={night}"
    folder.mkdir()
    (folder / "image.jpg").write_bytes(b"picture")


def test_earlier_nights_with_images_that_nobody_scored_are_found_newest_first(
    settings: Settings,
) -> None:
    for days in (0, 1, 3, 4):
        arrive(settings, NIGHT - timedelta(days=days))

    found = find_unfinished(settings, NIGHT, nights=3)

    assert [state.night for state in found] == [NIGHT - timedelta(days=1), date(2026, 11, 17)]


@pytest.mark.parametrize(
    ("status", "listed", "runs"),
    [
        (NightStatus.LATE_IMAGES, 3, True),
        (NightStatus.MISSING, 3, True),
        (NightStatus.FAILED, 3, True),
        (NightStatus.FAILED, 0, False),
        (NightStatus.PUBLISHED, 3, False),
        (NightStatus.RUNNING, 3, False),
        (NightStatus.EMPTY, 0, False),
    ],
)
def test_a_night_runs_again_where_images_wait(status: NightStatus, listed: int, runs: bool) -> None:
    assert needs_a_run(NightState(NIGHT, status, listed_objects=listed)) is runs


def test_many_late_images_are_told_and_a_few_are_not(settings: Settings) -> None:
    def lateness(late: int) -> list[str]:
        state = NightState(NIGHT, NightStatus.LATE_IMAGES, listed_objects=90, late_objects=late)
        return describe_lateness(state, settings)

    assert lateness(settings.alerts.late_objects - 1) == []
    [sentence] = lateness(settings.alerts.late_objects)
    assert sentence.startswith("50 objects came or changed after it was published: ask why")


def test_one_failed_night_fails_the_run_and_is_named() -> None:
    earlier = NIGHT - timedelta(days=1)

    state = summarise({NIGHT: Completed(), earlier: Failed(message="no")})

    assert state.is_failed()
    assert state.message == "1 of 2 nights failed: 2026-11-19"


def test_published_nights_are_named() -> None:
    assert summarise({NIGHT: Completed()}).message == "published: 2026-11-20"


def test_a_night_that_came_too_dark_is_told_and_written_down(
    settings: Settings, tmp_path: Path
) -> None:
    lake = folder_lake(tmp_path)
    for number in range(7):
        publish_night(lake, number, brightness=0.2 if number == 6 else 0.3)

    with disable_run_logger():
        told = {number: find_drift_of(night(number), Completed(), settings) for number in (5, 6)}

    assert told[5] == []
    assert any(one.startswith("drift: images are darker") for one in told[6])
    written = read_drift(lake, night(6))
    assert written is not None
    assert written.alarms


def test_what_goes_wrong_with_drift_does_not_fail_a_published_night(settings: Settings) -> None:
    with disable_run_logger():
        assert find_drift_of(NIGHT, Completed(), settings) == []
        assert find_drift_of(NIGHT, Failed(), settings) == []
