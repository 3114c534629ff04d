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

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
Codes = npt.NDArray[np.int64]

DEALS: Final = 1999
"""Times that the studies are dealt out anew; the least p is 1/2000."""

DEALS_AT_ONCE: Final = 250

MOST_STUDIES: Final = 4000
"""Of a larger pool a random part is judged: a difference that such a part does not show is none."""

LEAST_OF_A_SCANNER: Final = 30
"""Images, tonight and before, from which on a scanner is judged by itself."""

MOST_SCANNERS: Final = 8
MOST_VALUES: Final = 12
"""Of scanners and sizes told apart; the rarer ones are one."""

BINS: Final = 10
LEAST_INDEX: Final = 0.01
"""Below this stability index nobody would act, however sure it is; 0.1 counts as moderate."""

MOST_SET_ASIDE: Final = 4
"""At most every fourth of the nights before is no reference because it stands out itself."""

OUTLYING: Final = 2.0
"""So many times farther from usual than most nights: such a night is no reference."""

OTHER: Final = "other"

PROBABILITY: Final = "probability"
FLAGGED: Final = "flagged"
BRIGHTNESS: Final = "brightness"
RESOLUTION: Final = "resolution"
SCANNERS: Final = "scanners"
SCOPE: Final = "scope"
MEASURES: Final = (PROBABILITY, FLAGGED, BRIGHTNESS, RESOLUTION, SCANNERS, SCOPE)
BY_SCANNER: Final = (PROBABILITY, FLAGGED, BRIGHTNESS, SCOPE)


@dataclass(frozen=True)
class NightImages:
    """The images of a night, (n,) each.

    Attributes:
        night: which.
        studies: number of each image's study within the night, from 0.
        probability: 0..1; NaN where there is no score.
        flagged: whatever the reason.
        out_of_scope: by the scope gate.
        brightness: mean gray 0..1; NaN where it is not known.
        resolution: width and height, as ``256x256``; empty where the image was not opened.
        scanner: maker and model; empty where the image was not opened.
    """

    night: date
    studies: Codes
    probability: Floats
    flagged: Flags
    out_of_scope: Flags
    brightness: Floats
    resolution: Texts
    scanner: Texts

    @property
    def count(self) -> int:
        """How many images."""
        return len(self.studies)


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


@dataclass(frozen=True)
class _Measured:
    """A test's images in bins: which bin each image of the pool is in, -1 for none."""

    measure: str
    scanner: str | None
    codes: Codes
    names: tuple[str, ...]


@dataclass(frozen=True)
class _Pool:
    """All images of tonight and of the nights before, and their studies.

    Attributes:
        images: of all nights.
        night_of: (n,) position of each image's night; tonight is the last.
        study_of: (n,) number of each image's study in the pool.
        night_of_study: (s,) position of each study's night.
    """

    images: NightImages
    night_of: Codes
    study_of: Codes
    night_of_study: Codes


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
    pool = _sample(_join([*before, tonight]), random)
    measured = _measure(pool)
    counts = [_count(one, pool) for one in measured]
    last = len(before)
    is_tonight = pool.night_of_study == last
    observed = np.array([_statistics(of[is_tonight].sum(0)[None], of.sum(0))[0] for of in counts])
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


def _join(nights: Sequence[NightImages]) -> _Pool:
    sizes = [night.count for night in nights]
    studies = [int(night.studies.max()) + 1 for night in nights]
    starts = np.concatenate([[0], np.cumsum(studies)[:-1]])
    joined = NightImages(
        nights[-1].night,
        np.concatenate([one.studies + start for one, start in zip(nights, starts, strict=True)]),
        np.concatenate([one.probability for one in nights]),
        np.concatenate([one.flagged for one in nights]),
        np.concatenate([one.out_of_scope for one in nights]),
        np.concatenate([one.brightness for one in nights]),
        np.concatenate([one.resolution for one in nights]),
        np.concatenate([one.scanner for one in nights]),
    )
    positions = np.arange(len(nights))
    return _Pool(joined, np.repeat(positions, sizes), joined.studies, np.repeat(positions, studies))


def _sample(pool: _Pool, random: np.random.Generator) -> _Pool:
    """Return a random part of the studies of a pool that is very large."""
    count = len(pool.night_of_study)
    if count <= MOST_STUDIES:
        return pool
    kept = np.sort(random.choice(count, MOST_STUDIES, replace=False))
    number = np.full(count, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    chosen = number[pool.study_of] >= 0
    images = pool.images
    part = replace(
        images,
        **{
            name: getattr(images, name)[chosen]
            for name in (
                "studies",
                "probability",
                "flagged",
                "out_of_scope",
                "brightness",
                "resolution",
                "scanner",
            )
        },
    )
    return _Pool(
        part, pool.night_of[chosen], number[pool.study_of[chosen]], pool.night_of_study[kept]
    )


def _measure(pool: _Pool) -> list[_Measured]:
    images = pool.images
    opened = images.resolution != ""
    scored = np.isfinite(images.probability)
    everything = np.ones(images.count, dtype=bool)
    bins: Mapping[str, tuple[Codes, tuple[str, ...]]] = {
        PROBABILITY: _cut(images.probability),
        FLAGGED: (_where(images.flagged, everything), ("not flagged", "flagged")),
        BRIGHTNESS: _cut(images.brightness),
        RESOLUTION: _name(images.resolution, opened),
        SCANNERS: _name(images.scanner, opened),
        SCOPE: (_where(images.out_of_scope, scored), ("in scope", "out of scope")),
    }
    measured = [_Measured(name, None, *bins[name]) for name in MEASURES]
    for scanner in _scanners_to_judge(pool):
        of_scanner = images.scanner == scanner
        for name in BY_SCANNER:
            codes, names = bins[name]
            measured.append(_Measured(name, scanner, np.where(of_scanner, codes, -1), names))
    return measured


def _cut(values: Floats) -> tuple[Codes, tuple[str, ...]]:
    """Cut values at the quantiles of the whole pool, which knows nothing of nights."""
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(values), -1, dtype=np.int64), ("all",)
    edges = np.unique(np.quantile(values[known], np.arange(1, BINS) / BINS))
    codes = np.where(known, np.searchsorted(edges, values, side="right"), -1)
    return codes.astype(np.int64), tuple(f"bin {number}" for number in range(len(edges) + 1))


def _where(flags: Flags, among: Flags) -> Codes:
    return np.where(among, flags.astype(np.int64), -1)


def _name(texts: Texts, among: Flags) -> tuple[Codes, tuple[str, ...]]:
    names, counts = np.unique(texts[among], return_counts=True)
    common = [str(name) for name in names[np.argsort(-counts, kind="stable")][:MOST_VALUES]]
    codes = np.full(len(texts), len(common), dtype=np.int64)
    for number, name in enumerate(common):
        codes[texts == name] = number
    return np.where(among, codes, -1), (*common, OTHER)


def _scanners_to_judge(pool: _Pool) -> list[str]:
    last = pool.night_of.max()
    tonight = pool.night_of == last
    scanners, counts = np.unique(pool.images.scanner[tonight], return_counts=True)
    before = dict(zip(*np.unique(pool.images.scanner[~tonight], return_counts=True), strict=True))
    enough = [
        (count, str(name))
        for name, count in zip(scanners, counts, strict=True)
        if name and min(count, before.get(name, 0)) >= LEAST_OF_A_SCANNER
    ]
    # A single scanner is what all images are about already.
    chosen = [name for _, name in sorted(enough, reverse=True)[:MOST_SCANNERS]]
    return chosen if len(scanners) > 1 or len(before) > 1 else []


def _count(measured: _Measured, pool: _Pool) -> Floats:
    """Return (studies, bins), how many images of each study are in each bin."""
    counts = np.zeros((len(pool.night_of_study), len(measured.names)))
    known = measured.codes >= 0
    np.add.at(counts, (pool.study_of[known], measured.codes[known]), 1.0)
    return counts


def _statistics(counts: Floats, total: Floats) -> Floats:
    """Return the statistic of (d, bins) counts against the rest of (bins,) in all."""
    index = stability_index(counts, total[None] - counts)
    images, others = counts.sum(axis=1), total.sum() - counts.sum(axis=1)
    both = images + others
    size = np.divide(images * others, both, out=np.zeros_like(both), where=both > 0)
    statistics: Floats = np.maximum(0.0, index * size)
    return statistics


def stability_index(counts: Floats, others: Floats) -> Floats:
    """Return the population stability index of two sets of counts, (d, bins) each.

    Half an image is added to every bin, so that an empty one makes no infinity.
    """
    share = (counts + 0.5) / (counts + 0.5).sum(axis=1, keepdims=True)
    usual = (others + 0.5) / (others + 0.5).sum(axis=1, keepdims=True)
    index: Floats = ((share - usual) * np.log(share / usual)).sum(axis=1)
    return index


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
        parts.append(np.stack([_statistics(one, of.sum(0)) for one, of in pairs], axis=1))
    return np.concatenate(parts)


def _each_against_the_rest(counts: Sequence[Floats], night_of: Codes, last: int) -> Floats:
    """Return (nights before, tests): each night's statistic against the others before tonight."""
    before = night_of < last
    columns = []
    for of in counts:
        by_night = np.zeros((last, of.shape[1]))
        np.add.at(by_night, night_of[before], of[before])
        columns.append(_statistics(by_night, by_night.sum(0)))
    return np.stack(columns, axis=1)


def _standard(statistics: Floats) -> tuple[Floats, Floats]:
    """Return centre and spread of the cube roots, which are nearly normal (Wilson and Hilferty)."""
    roots = np.cbrt(statistics)
    return roots.mean(axis=0), np.maximum(roots.std(axis=0), 1e-9)


def _describe(  # noqa: PLR0913 - a test, and what became of it
    measured: _Measured,
    counts: Floats,
    is_tonight: Flags,
    pool: _Pool,
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
        sentence=_tell(measured, now, before, pool),
    )


def _tell(measured: _Measured, now: Floats, before: Floats, pool: _Pool) -> str:
    of = "" if measured.scanner is None else f" of {measured.scanner}"
    shares, usual = now / max(1.0, now.sum()), before / max(1.0, before.sum())
    if measured.measure == PROBABILITY:
        here, there = _medians(pool.images.probability, measured, pool)
        return (
            f"probabilities{of} are spread differently: median {here:.3f}, usually {there:.3f}; "
            "look whether one kind of image is new, and at the images at both ends"
        )
    if measured.measure == BRIGHTNESS:
        here, there = _medians(pool.images.brightness, measured, pool)
        how = "darker" if here < there else "brighter" if here > there else "spread differently"
        return (
            f"images{of} are {how}: median brightness {here:.2f}, usually {there:.2f}; look at the "
            "window and the export of the scanners"
        )
    if measured.measure == FLAGGED:
        return f"{shares[1]:.0%} of the images{of} are flagged, usually {usual[1]:.0%}"
    if measured.measure == SCOPE:
        return (
            f"{shares[1]:.1%} of the images{of} are no brain MR to the scope gate, usually "
            f"{usual[1]:.1%}; look whether other parts of the body, or other pictures, come along"
        )
    most = int(np.argmax(np.abs(shares - usual)))
    name = measured.names[most]
    if measured.measure == RESOLUTION:
        return f"{shares[most]:.0%} of the images are {name} pixels, usually {usual[most]:.0%}"
    return (
        f"{shares[most]:.0%} of the images come from the scanner {name}, usually "
        f"{usual[most]:.0%}; ask what changed, and look at its images first"
    )


def _medians(values: Floats, measured: _Measured, pool: _Pool) -> tuple[float, float]:
    known = measured.codes >= 0
    tonight = pool.night_of == pool.night_of.max()
    here, there = values[known & tonight], values[known & ~tonight]
    return (
        float(np.median(here)) if here.size else float("nan"),
        float(np.median(there)) if there.size else float("nan"),
    )
