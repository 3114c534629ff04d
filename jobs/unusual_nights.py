"""Is this night unlike those before it? Pure: counts in, sentences out.

Shares are compared as log-odds and numbers as logarithms. The spread between nights is their
median absolute deviation; the chance of a small night is added to it, so that two of five flagged
images are no alarm, and two of five hundred against the usual fifty are one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from jobs.night_history import NightCounts

LEAST_SPREAD: Final = 0.1
"""Of log-odds between nights: a lake whose nights are all alike is not held to it exactly."""

LEAST_NUMBER_SPREAD: Final = 0.5
"""Of the logarithm of a night's images: hospitals do far less on Sundays, and that is usual."""

NORMAL_SPREAD: Final = 1.4826
"""Median absolute deviation to standard deviation, for a normal distribution."""


@dataclass(frozen=True)
class UnusualLimits:
    """What is unusual.

    Attributes:
        least_nights: of history; with fewer, nothing is.
        deviations: robust standard deviations.
    """

    least_nights: int
    deviations: float


def find_unusual(
    tonight: NightCounts,
    history: Sequence[NightCounts],
    limits: UnusualLimits,
) -> list[str]:
    """Say what is unusual about a night, and what to do next; empty if nothing is.

    Args:
        tonight: the night.
        history: of the nights before it, those that were published.
        limits: what is unusual.
    """
    with_images = [night for night in history if night.rows]
    if len(with_images) < limits.least_nights:
        return []
    if not tonight.rows:
        usual = round(median(night.rows for night in with_images))
        return [f"no images came, usually about {usual}: ask whether the scanners deliver"]
    checks = (
        _check_share(
            tonight,
            with_images,
            limits,
            lambda night: night.flagged,
            "flagged",
            "look at the worst cases, and whether one scanner or sequence is new",
        ),
        _check_share(
            tonight,
            with_images,
            limits,
            lambda night: night.failed,
            "not readable",
            "look at the table of failures: one cause is likelier than many accidents",
        ),
        _check_number(tonight, with_images, limits),
    )
    return [sentence for sentence in checks if sentence is not None]


def _check_share(  # noqa: PLR0913 - one check, told in words
    tonight: NightCounts,
    history: Sequence[NightCounts],
    limits: UnusualLimits,
    count: Callable[[NightCounts], int],
    what: str,
    advice: str,
) -> str | None:
    usual = [_log_odds(count(night), night.rows) for night in history]
    now = _log_odds(count(tonight), tonight.rows)
    share = 1.0 / (1.0 + math.exp(-median(usual)))
    chance = 1.0 / math.sqrt((tonight.rows + 1) * share * (1.0 - share))
    if abs(now - median(usual)) <= limits.deviations * math.hypot(_spread(usual), chance):
        return None
    counted = f"{count(tonight)} of {tonight.rows} images ({count(tonight) / tonight.rows:.0%})"
    return f"{counted} are {what}, usually {share:.0%}: {advice}"


def _check_number(
    tonight: NightCounts,
    history: Sequence[NightCounts],
    limits: UnusualLimits,
) -> str | None:
    usual = [math.log(night.rows) for night in history]
    chance = 1.0 / math.sqrt(math.exp(median(usual)))
    away = abs(math.log(tonight.rows) - median(usual))
    if away <= limits.deviations * math.hypot(_spread(usual, LEAST_NUMBER_SPREAD), chance):
        return None
    return (
        f"{tonight.rows} images came, usually about {round(math.exp(median(usual)))}: ask whether "
        "all scanners deliver, and to the right night"
    )


def _log_odds(count: int, total: int) -> float:
    return math.log((count + 0.5) / (total - count + 0.5))


def _spread(values: Sequence[float], least: float = LEAST_SPREAD) -> float:
    middle = median(values)
    deviation = NORMAL_SPREAD * median(abs(value - middle) for value in values)
    return max(least, deviation)
