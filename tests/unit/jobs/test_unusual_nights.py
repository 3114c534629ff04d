from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from jobs.night_history import NightCounts
from jobs.unusual_nights import UnusualLimits, find_unusual

LIMITS = UnusualLimits(least_nights=5, deviations=4.0)
NIGHT = date(2026, 11, 20)


def night_of(rows: int, flagged: int, failed: int = 0, days_before: int = 0) -> NightCounts:
    return NightCounts(
        NIGHT - timedelta(days=days_before),
        rows,
        rows,
        {"flagged": flagged, "cleared": rows - flagged},
        {"unreadable": failed},
    )


def usual_nights(number: int = 14, rows: int = 500) -> list[NightCounts]:
    random = np.random.default_rng(3)
    return [
        night_of(rows, int(random.binomial(rows, 0.2)), int(random.binomial(rows, 0.01)), days)
        for days in range(number, 0, -1)
    ]


@pytest.mark.parametrize(
    ("tonight", "said"),
    [
        (night_of(500, 250, 5), "250 of 500 images (50%) are flagged, usually 2"),
        (night_of(500, 10, 5), "10 of 500 images (2%) are flagged"),
        (night_of(500, 100, 60), "60 of 500 images (12%) are not readable, usually 1%"),
        (night_of(40, 8), "40 images came, usually about 500"),
        (night_of(4000, 800, 40), "4000 images came, usually about 500"),
        (night_of(0, 0), "no images came, usually about 500"),
    ],
)
def test_what_is_unusual_is_said_with_what_to_do(tonight: NightCounts, said: str) -> None:
    [sentence] = find_unusual(tonight, usual_nights(), LIMITS)

    assert said in sentence
    assert ": " in sentence


def test_a_usual_night_is_not_unusual() -> None:
    assert find_unusual(night_of(480, 101, 4), usual_nights(), LIMITS) == []


def test_in_a_small_night_chance_is_no_alarm() -> None:
    small = usual_nights(rows=10)

    assert find_unusual(night_of(8, 4), small, LIMITS) == []


def test_too_short_a_history_calls_nothing_unusual() -> None:
    assert find_unusual(night_of(500, 500), usual_nights(4), LIMITS) == []


def test_hardly_any_of_many_usual_nights_is_called_unusual() -> None:
    random = np.random.default_rng(5)
    alarms = 0
    for _ in range(200):
        rows = int(random.integers(300, 600))
        tonight = night_of(rows, int(random.binomial(rows, 0.2)), int(random.binomial(rows, 0.01)))
        alarms += bool(find_unusual(tonight, usual_nights(), LIMITS))

    assert alarms <= 6


def test_a_quiet_sunday_is_not_unusual() -> None:
    assert find_unusual(night_of(120, 24, 1), usual_nights(), LIMITS) == []
