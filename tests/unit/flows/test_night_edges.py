"""Which night a run is for, where the hospital's clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from flows.arguments import choose_last_night

QUARTER_OF_AN_HOUR = timedelta(minutes=15)


@pytest.mark.parametrize(
    ("zone", "start"),
    [
        ("Europe/Berlin", datetime(2026, 3, 27, tzinfo=UTC)),  # an hour is left out
        ("Europe/Berlin", datetime(2026, 10, 23, tzinfo=UTC)),  # an hour comes twice
        ("America/Santiago", datetime(2026, 9, 4, tzinfo=UTC)),  # midnight itself is left out
        ("Pacific/Kiritimati", datetime(2026, 12, 30, tzinfo=UTC)),  # 14 hours ahead
        ("Asia/Kathmandu", datetime(2026, 2, 27, tzinfo=UTC)),  # five hours and three quarters
    ],
)
def test_night_follows_night_without_a_gap_or_a_step_back_when_clocks_change(
    zone: str,
    start: datetime,
) -> None:
    moments = [start + count * QUARTER_OF_AN_HOUR for count in range(4 * 24 * 4)]

    nights = [choose_last_night(moment, ZoneInfo(zone)) for moment in moments]

    steps = {after - before for before, after in pairwise(nights)}
    assert steps == {timedelta(0), timedelta(days=1)}


@pytest.mark.parametrize(
    ("moment", "night"),
    [
        (datetime(2026, 3, 28, 22, 59, tzinfo=UTC), date(2026, 3, 27)),  # 23:59
        (datetime(2026, 3, 28, 23, 0, tzinfo=UTC), date(2026, 3, 28)),  # midnight
        (datetime(2026, 3, 29, 1, 0, tzinfo=UTC), date(2026, 3, 28)),  # 3 o'clock, after 1:59
        (datetime(2026, 3, 29, 22, 0, tzinfo=UTC), date(2026, 3, 29)),  # midnight, after 23 hours
        (datetime(2026, 10, 25, 0, 30, tzinfo=UTC), date(2026, 10, 24)),  # half past two
        (datetime(2026, 10, 25, 1, 30, tzinfo=UTC), date(2026, 10, 24)),  # half past two again
        (datetime(2026, 10, 25, 22, 59, tzinfo=UTC), date(2026, 10, 24)),  # 23:59, of 25 hours
        (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), date(2026, 10, 25)),  # midnight
        (datetime(2026, 12, 31, 23, 0, tzinfo=UTC), date(2026, 12, 31)),  # the new year
    ],
)
def test_the_night_ends_at_the_hospitals_midnight_also_when_clocks_change(
    moment: datetime,
    night: date,
) -> None:
    assert choose_last_night(moment, ZoneInfo("Europe/Berlin")) == night
