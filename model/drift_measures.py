"""What drift is measured by: bins that images fall into, and how two sets of them differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from model.drift_images import Codes, Flags, Floats, Pool, Texts

LEAST_OF_A_SCANNER: Final = 30
"""Images, tonight and before, from which on a scanner is judged by itself."""

MOST_SCANNERS: Final = 8

MOST_VALUES: Final = 12
"""Of scanners and sizes told apart; the rarer ones are one."""

BINS: Final = 10

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
class Measured:
    """A test's images in bins: which bin each image of the pool is in, -1 for none."""

    measure: str
    scanner: str | None
    codes: Codes
    names: tuple[str, ...]


def measure_pool(pool: Pool) -> list[Measured]:
    """Put every image of a pool into the bins of every test."""
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
    measured = [Measured(name, None, *bins[name]) for name in MEASURES]
    for scanner in _scanners_to_judge(pool):
        of_scanner = images.scanner == scanner
        for name in BY_SCANNER:
            codes, names = bins[name]
            measured.append(Measured(name, scanner, np.where(of_scanner, codes, -1), names))
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


def _scanners_to_judge(pool: Pool) -> list[str]:
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


def count_by_study(measured: Measured, pool: Pool) -> Floats:
    """Return (studies, bins), how many images of each study are in each bin."""
    counts = np.zeros((len(pool.night_of_study), len(measured.names)))
    known = measured.codes >= 0
    np.add.at(counts, (pool.study_of[known], measured.codes[known]), 1.0)
    return counts


def drift_statistics(counts: Floats, total: Floats) -> Floats:
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
