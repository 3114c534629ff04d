"""Has a night drifted from those before it? Pure: columns of images in, tests and sentences out.

Every test compares how images are spread over bins (of the probability, the brightness ...),
tonight and in the nights before, by the population stability index times ``n m / (n + m)``, which
under no drift does not grow with the size of the nights. What is usual for nights of this size is
found by dealing the *studies* out anew: images of one study stay together, for they are alike.

All tests are judged together: a test's p is the share of the deals in which *any* test stands out
as much (Westfall and Young 1993, single step), so that ``false_alarms`` is the share of usual
nights with any alarm at all. Nights of one hospital may differ by more than such deals; how much
more, the nights before tell of themselves (Devlin and Roeder 1999, genomic control), and tonight is
held to it: an alarm also stands out more than any night before does, outliers apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from model.drift_images import (
    Codes,
    Flags,
    Floats,
    NightImages,
    Pool,
    join_nights,
    sample_studies,
)
from model.drift_measures import (
    Measured,
    count_by_study,
    drift_statistics,
    measure_pool,
    stability_index,
)
from model.drift_words import tell_difference

DEALS: Final = 1999
"""Times that the studies are dealt out anew; the least p is 1/2000."""

DEALS_AT_ONCE: Final = 250


LEAST_INDEX: Final = 0.01
"""Below this stability index nobody would act, however sure it is; 0.1 counts as moderate."""

MOST_SET_ASIDE: Final = 4
"""At most every fourth of the nights before is no reference because it stands out itself."""

OUTLYING: Final = 2.0
"""So many times farther from usual than most nights: such a night is no reference."""


@dataclass(frozen=True)
class DriftLimits:
    """What is drift.

    Attributes:
        least_nights: of history; with fewer, nothing is.
        false_alarms: share of usual nights with any alarm.
        deals: see `DEALS`.
        seed: of the deals.
    """

    least_nights: int = 5
    false_alarms: float = 0.01
    deals: int = DEALS
    seed: int = 20261124


@dataclass(frozen=True)
class DriftTest:
    """One test.

    Attributes:
        measure: of `MEASURES`.
        scanner: that it is about, or None for all images.
        stability_index: population stability index; 0 is the same, 0.25 counts as large.
        p: chance of any test standing out so much on a usual night.
        alarm: whether that is drift.
        sentence: what is different, and where to look; told also without an alarm.
    """

    measure: str
    scanner: str | None
    stability_index: float
    p: float
    alarm: bool
    sentence: str


@dataclass(frozen=True)
class DriftVerdict:
    """What is said of a night.

    Attributes:
        night: which.
        reference_nights: what it was held to; empty if there were too few.
        set_aside: nights before that stand out themselves.
        tests: those that stand out most first.
    """

    night: date
    reference_nights: tuple[date, ...]
    set_aside: tuple[date, ...]
    tests: tuple[DriftTest, ...]

    @property
    def alarms(self) -> list[str]:
        """The sentences of the tests that are alarms."""
        return [test.sentence for test in self.tests if test.alarm]


def judge_drift(
    tonight: NightImages,
    history: Sequence[NightImages],
    limits: DriftLimits,
) -> DriftVerdict:
    """Judge a night against the nights before it.

    Args:
        tonight: the night.
        history: nights before it, the oldest first; those without images are left out.
        limits: what is drift.
    """
    before = [night for night in history if night.count]
    if not tonight.count or len(before) < limits.least_nights:
        return DriftVerdict(tonight.night, (), (), ())
    random = np.random.default_rng(limits.seed)
    judged = _judge(tonight, before, limits, random)
    outliers = judged.outliers[: len(before) // MOST_SET_ASIDE]
    if outliers:
        kept = [night for number, night in enumerate(before) if number not in outliers]
        judged = _judge(tonight, kept, limits, random)
    nights = [night.night for night in before]
    aside = sorted(nights[number] for number in outliers)
    reference = tuple(night for night in nights if night not in aside)
    tests = sorted(judged.tests, key=lambda test: (test.p, -test.stability_index))
    return DriftVerdict(tonight.night, reference, tuple(aside), tuple(tests))


@dataclass(frozen=True)
class _Judged:
    tests: list[DriftTest]
    outliers: list[int]


def _judge(
    tonight: NightImages,
    before: Sequence[NightImages],
    limits: DriftLimits,
    random: np.random.Generator,
) -> _Judged:
    pool = sample_studies(join_nights([*before, tonight]), random)
    measured = measure_pool(pool)
    counts = [count_by_study(one, pool) for one in measured]
    last = len(before)
    is_tonight = pool.night_of_study == last
    observed = np.array(
        [drift_statistics(of[is_tonight].sum(0)[None], of.sum(0))[0] for of in counts]
    )
    dealt = _deal(counts, int(is_tonight.sum()), limits.deals, random)  # (deals, tests)
    own = _each_against_the_rest(counts, pool.night_of_study, last)  # (nights before, tests)

    usual = np.median(dealt, axis=0)
    typical = np.median(own, axis=0)
    inflation = np.maximum(1.0, np.divide(typical, usual, out=np.ones_like(usual), where=usual > 0))
    centre, spread = _standard(np.vstack([dealt, observed / inflation]))
    worst = ((np.cbrt(dealt) - centre) / spread).max(axis=1)
    heights = (np.cbrt(observed / inflation) - centre) / spread
    p = (1 + (worst[:, None] >= heights[None]).sum(axis=0)) / (1 + limits.deals)

    limit = float(np.quantile(worst, 1.0 - limits.false_alarms))
    before_heights = ((np.cbrt(own / inflation) - centre) / spread).max(axis=1)
    alarms = (p <= limits.false_alarms) & (heights > _highest(before_heights, limit))
    tests = [
        _describe(one, of, is_tonight, pool, float(chance), is_alarm=bool(alarm))
        for one, of, chance, alarm in zip(measured, counts, p, alarms, strict=True)
    ]
    return _Judged(tests, _find_outliers(before_heights, limit))


def _find_outliers(heights: Floats, limit: float) -> list[int]:
    """Return the nights that stand out far from the rest, the farthest first."""
    least = max(limit, OUTLYING * float(np.quantile(heights, 0.75)))
    return [int(number) for number in np.argsort(-heights) if heights[number] > least]


def _highest(heights: Floats, limit: float) -> float:
    """Return how far the nights before stand out, those apart that are set aside."""
    outliers = _find_outliers(heights, limit)
    usual = np.delete(heights, outliers)
    return float(usual.max()) if usual.size else limit


def _deal(
    counts: Sequence[Floats],
    studies: int,
    deals: int,
    random: np.random.Generator,
) -> Floats:
    """Deal `studies` of all studies out to a night, over and over; return (deals, tests)."""
    number = len(counts[0])
    joined = np.concatenate(counts, axis=1)
    edges = np.cumsum([of.shape[1] for of in counts])[:-1]
    parts = []
    for start in range(0, deals, DEALS_AT_ONCE):
        rows = min(DEALS_AT_ONCE, deals - start)
        draw = random.random((rows, number))
        chosen = np.argpartition(draw, studies - 1, axis=1)[:, :studies]
        mask = np.zeros((rows, number))
        np.put_along_axis(mask, chosen, 1.0, axis=1)
        drawn = np.split(mask @ joined, edges, axis=1)
        pairs = zip(drawn, counts, strict=True)
        parts.append(np.stack([drift_statistics(one, of.sum(0)) for one, of in pairs], axis=1))
    return np.concatenate(parts)


def _each_against_the_rest(counts: Sequence[Floats], night_of: Codes, last: int) -> Floats:
    """Return (nights before, tests): each night's statistic against the others before tonight."""
    before = night_of < last
    columns = []
    for of in counts:
        by_night = np.zeros((last, of.shape[1]))
        np.add.at(by_night, night_of[before], of[before])
        columns.append(drift_statistics(by_night, by_night.sum(0)))
    return np.stack(columns, axis=1)


def _standard(statistics: Floats) -> tuple[Floats, Floats]:
    """Return centre and spread of the cube roots, which are nearly normal (Wilson and Hilferty)."""
    roots = np.cbrt(statistics)
    return roots.mean(axis=0), np.maximum(roots.std(axis=0), 1e-9)


def _describe(  # noqa: PLR0913 - a test, and what became of it
    measured: Measured,
    counts: Floats,
    is_tonight: Flags,
    pool: Pool,
    p: float,
    *,
    is_alarm: bool,
) -> DriftTest:
    now, before = counts[is_tonight].sum(0), counts[~is_tonight].sum(0)
    index = (
        float(stability_index(now[None], before[None])[0]) if now.sum() and before.sum() else 0.0
    )
    return DriftTest(
        measure=measured.measure,
        scanner=measured.scanner,
        stability_index=max(0.0, index),
        p=p,
        alarm=is_alarm and index >= LEAST_INDEX,
        sentence=tell_difference(measured, now, before, pool),
    )
