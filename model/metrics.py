"""Metrics of scores and decisions, each for many weightings of the same slices at once.

A weighting says how often each slice counts. Weights of one give the metric itself; the weights
of a bootstrap over groups give its interval. One definition serves both, and a thousand resamples
are a few products of matrices.

Shapes: n slices, b weightings. Labels are 1 for tumour. Where a metric is not defined (a class is
missing under a weighting) it is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

RESAMPLES: Final = 1000
AT_ONCE: Final = 100
"""Weightings in memory at once: 100 x 5,000 slices are 4 MB."""

CONFIDENCE_PERCENTILES: Final = (2.5, 97.5)
LEAST_PROBABILITY: Final = 1e-7
"""The log loss of a wrong, certain score is not infinite."""

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Weights = npt.NDArray[np.float64]
"""(b, n), how often each slice counts."""

Metric = Callable[[Weights], Floats]
"""From weights, (b, n), to values, (b,)."""

Interval = dict[str, float]
"""value, low and high (95%), for JSON."""


@dataclass(frozen=True)
class GroupResamples:
    """A bootstrap over groups: which group counts how often in each resample.

    Attributes:
        group_counts: (RESAMPLES, groups).
        group_of: (n,) position of each slice's group.
    """

    group_counts: Floats
    group_of: npt.NDArray[np.int64]

    def weights(self) -> Iterator[Weights]:
        """Return the weights of the slices, `AT_ONCE` resamples at a time."""
        for start in range(0, len(self.group_counts), AT_ONCE):
            yield self.group_counts[start : start + AT_ONCE][:, self.group_of]


def resample_groups(groups: npt.NDArray[np.str_], seed: int) -> GroupResamples:
    """Decide the resamples of a bootstrap over groups.

    Args:
        groups: (n,) group of each slice; slices of one group are drawn together.
        seed: the same seed gives the same resamples.
    """
    names, group_of = np.unique(groups, return_inverse=True)
    random = np.random.default_rng(seed)
    count = max(1, len(names))
    counts = random.multinomial(count, np.full(count, 1.0 / count), size=RESAMPLES)
    return GroupResamples(counts.astype(np.float64), group_of.astype(np.int64))


def with_intervals(
    metrics: Mapping[str, Metric],
    resamples: GroupResamples,
) -> dict[str, Interval | None]:
    """Return each metric with its 95% interval, or None where it is not defined.

    All are computed on the same resamples, which are looked up once.
    """
    count = len(resamples.group_of)
    if not count:
        return dict.fromkeys(metrics)
    values = {name: float(metric(np.ones((1, count)))[0]) for name, metric in metrics.items()}
    defined = {name: metrics[name] for name, value in values.items() if np.isfinite(value)}
    drawn: dict[str, list[Floats]] = {name: [] for name in defined}
    for weights in resamples.weights():
        for name, metric in defined.items():
            drawn[name].append(metric(weights))
    return {
        name: _interval(values[name], np.concatenate(drawn[name])) if name in defined else None
        for name in metrics
    }


def make_share(values: Flags | Floats, among: Flags) -> Metric:
    """Make the metric "mean of `values`, (n,), among the slices where `among`, (n,), is true"."""
    counted = among.astype(np.float64)
    summed = np.where(among, values, 0.0)

    def share(weights: Weights) -> Floats:
        return _divide(weights @ summed, weights @ counted)

    return share


def make_sensitivity(flagged: Flags, labels: Labels) -> Metric:
    """Make the share of tumour slices that is flagged (recall)."""
    return make_share(flagged, labels == 1)


def make_specificity(flagged: Flags, labels: Labels) -> Metric:
    """Make the share of normal slices that is not flagged: the reading that is taken away."""
    return make_share(~flagged, labels == 0)


def make_precision(flagged: Flags, labels: Labels) -> Metric:
    """Make the share of tumours among the flagged slices, as mixed as these slices are."""
    return make_share(labels == 1, flagged)


def make_accuracy(flagged: Flags, labels: Labels) -> Metric:
    """Make the share of slices that is decided as it is labelled."""
    return make_share(flagged == (labels == 1), np.ones(len(labels), dtype=bool))


def make_log_loss(probabilities: Floats, labels: Labels) -> Metric:
    """Make the mean of ``-log(probability of the true label)``, in nats."""
    certain = np.clip(probabilities, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY)
    losses = -np.log(np.where(labels == 1, certain, 1.0 - certain))
    return make_share(losses, np.ones(len(labels), dtype=bool))


def make_npv(flagged: Flags, labels: Labels, prevalence: float) -> Metric:
    """Make the negative predictive value where a share `prevalence` of the slices shows a tumour.

    Of a labelled collection itself it would say nothing: its mixture is nobody's ward. By Bayes:
    ``spec (1 - p) / (spec (1 - p) + (1 - sens) p)``.
    """
    sensitivity = make_sensitivity(flagged, labels)
    specificity = make_specificity(flagged, labels)

    def npv(weights: Weights) -> Floats:
        healthy_cleared = specificity(weights) * (1.0 - prevalence)
        tumors_cleared = (1.0 - sensitivity(weights)) * prevalence
        return _divide(healthy_cleared, healthy_cleared + tumors_cleared)

    return npv


def make_auc(scores: Floats, labels: Labels) -> Metric:
    """Make the area under the ROC curve; equal scores count half."""
    ranking = _rank(scores, labels)

    def auc(weights: Weights) -> Floats:
        tumors, normals = ranking.by_level(weights)
        lower = np.cumsum(normals, axis=1) - normals
        wins = (tumors * (lower + normals / 2.0)).sum(axis=1)
        return _divide(wins, tumors.sum(axis=1) * normals.sum(axis=1))

    return auc


def make_specificity_at(scores: Floats, labels: Labels, target: float) -> Metric:
    """Make the share of normals below the threshold that keeps `target` of these same tumours.

    The threshold is picked on the slices that it is then measured on, so the figure is optimistic.
    """
    ranking = _rank(scores, labels)

    def specificity_at(weights: Weights) -> Floats:
        tumors, normals = ranking.by_level(weights)
        total = tumors.sum(axis=1)
        missable = np.floor((1.0 - target) * total + 1e-9)
        first_kept = (np.cumsum(tumors, axis=1) > missable[:, None]).argmax(axis=1)
        lower = np.cumsum(normals, axis=1) - normals
        below = lower[np.arange(len(weights)), first_kept]
        return np.where(total > 0, _divide(below, normals.sum(axis=1)), np.nan)

    return specificity_at


@dataclass(frozen=True)
class _Ranking:
    """Slices in the order of their scores; equal scores are one level.

    Attributes:
        order: (n,) from the lowest score to the highest.
        starts: (levels,) position in `order` where each level begins.
        positive: (n,) in `order`, whether the slice shows a tumour.
    """

    order: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    positive: Flags

    def by_level(self, weights: Weights) -> tuple[Floats, Floats]:
        """Sum the weights of tumours and of normals at each level, (b, levels) each."""
        ordered = weights[:, self.order]
        tumors = np.add.reduceat(ordered * self.positive, self.starts, axis=1)
        normals = np.add.reduceat(ordered * ~self.positive, self.starts, axis=1)
        return tumors, normals


def _rank(scores: Floats, labels: Labels) -> _Ranking:
    order = np.argsort(scores, kind="stable").astype(np.int64)
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]).astype(np.int64)
    return _Ranking(order, starts, labels[order] == 1)


def _interval(value: float, drawn: Floats) -> Interval:
    finite = drawn[np.isfinite(drawn)]
    low, high = np.percentile(finite, CONFIDENCE_PERCENTILES) if finite.size else (value, value)
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _divide(above: Floats, below: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(below > 0, above / below, np.nan), dtype=np.float64)
