"""Is a bundle worse than the one that scores now, beyond noise?

On the same images both bundles are measured on the same resamples of the groups, so that what is
hard for both cancels out. From two cards alone, only the intervals that stand there can be
compared, and only if both were measured on one split.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from model.bundle import Bundle
from model.card import Card
from model.evaluated_part import EvaluatedPart, choose_part
from model.evaluation import ScoredSlices
from model.measurement import OnPrepared, prepare_part, score_part
from model.metrics import (
    Metric,
    Weights,
    make_auc,
    make_sensitivity,
    make_specificity,
    make_specificity_at,
    resample_groups,
    with_intervals,
)
from model.training_data import SPLIT_SEED

AUC: Final = "AUC"
SENSITIVITY: Final = "sensitivity at its own threshold"
SPECIFICITY_AT_99: Final = "specificity at 99% sensitivity"
SPECIFICITY: Final = "specificity at its own threshold"

JUDGED: Final = (AUC, SENSITIVITY, SPECIFICITY_AT_99)
"""The fourth is shown only: a lower threshold clears less and misses less, which is no fault."""


@dataclass(frozen=True)
class Difference:
    """One metric of two bundles; all None where it is not defined for both.

    Attributes:
        metric: its name.
        current: of the bundle that scores now, 0..1.
        candidate: of the other one.
        value: candidate minus current.
        low: lower end of the 95% interval of `value`.
        high: upper end.
    """

    metric: str
    current: float | None = None
    candidate: float | None = None
    value: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_worse(self) -> bool:
        """Whether the whole interval lies on the worse side."""
        return self.high is not None and self.high < 0.0


@dataclass(frozen=True)
class Comparison:
    """Two bundles side by side.

    Attributes:
        method: how they were compared, in words.
        differences: one a metric.
        objections: what speaks against the candidate, in words; empty if nothing does.
    """

    method: str
    differences: list[Difference]
    objections: list[str]


def compare_cards(current: Card, candidate: Card) -> Comparison:
    """Compare what two cards say, by the 95% intervals that stand there."""
    differences = [
        _difference_of_intervals(name, interval, _card_intervals(candidate)[name])
        for name, interval in _card_intervals(current).items()
    ]
    objections = _list_objections(differences)
    if current.data_digest != candidate.data_digest:
        objections.append(
            "the cards' figures were measured on different splits (data_digest), which cannot be "
            "compared; measure both on one folder with --data",
        )
    method = "the figures of the two cards, their intervals taken as independent"
    return Comparison(method, differences, objections)


def choose_compared_part(folder: Path, current: Card, candidate: Card) -> EvaluatedPart:
    """Choose what two bundles are compared on, as `choose_part` does for one.

    Returns:
        The test part, if the folder is the one that either was trained from; else all of it.

    Raises:
        TrainingDataError: if the folder cannot be used.
    """
    part = choose_part(folder, candidate, None)
    return part if part.is_training_folder else choose_part(folder, current, None)


def compare_on_images(
    current: Bundle,
    candidate: Bundle,
    part: EvaluatedPart,
    on_prepared: OnPrepared,
) -> Comparison:
    """Score the same images with both bundles and compare slice by slice.

    Raises:
        TrainingDataError: if an image cannot be read.
        BundleError: if a network cannot be loaded.
    """
    parameters = current.card.preprocessing
    prepared = prepare_part(part.images, parameters, on_prepared)
    scored_now = score_part(current, prepared)
    if candidate.card.preprocessing != parameters:
        prepared = prepare_part(part.images, candidate.card.preprocessing, on_prepared)
    method = (
        f"both bundles on {len(part.images)} images ({part.reason}), paired, resampled by group"
    )
    return compare_slices(scored_now.slices, score_part(candidate, prepared).slices, method)


def compare_slices(current: ScoredSlices, candidate: ScoredSlices, method: str) -> Comparison:
    """Compare two bundles' scores of the same slices, in the same order.

    Args:
        current: of the bundle that scores now.
        candidate: of the other one.
        method: how the scores came about, in words.
    """
    before, after = _metrics(current), _metrics(candidate)
    once = np.ones((1, len(current.labels)))
    intervals = with_intervals(
        {name: _subtract(after[name], before[name]) for name in before},
        resample_groups(current.groups, SPLIT_SEED),
    )
    differences = [
        Difference(
            name,
            current=float(before[name](once)[0]),
            candidate=float(after[name](once)[0]),
            **interval,
        )
        if interval is not None
        else Difference(name)
        for name, interval in intervals.items()
    ]
    return Comparison(method, differences, _list_objections(differences))


def _metrics(slices: ScoredSlices) -> dict[str, Metric]:
    return {
        AUC: make_auc(slices.probabilities, slices.labels),
        SENSITIVITY: make_sensitivity(slices.flagged, slices.labels),
        SPECIFICITY_AT_99: make_specificity_at(slices.probabilities, slices.labels, 0.99),
        SPECIFICITY: make_specificity(slices.flagged, slices.labels),
    }


def _subtract(after: Metric, before: Metric) -> Metric:
    def difference(weights: Weights) -> np.typing.NDArray[np.float64]:
        return after(weights) - before(weights)

    return difference


def _card_intervals(card: Card) -> dict[str, Mapping[str, float] | None]:
    overall: Mapping[str, Any] = card.metrics.get("overall", {})
    at_sensitivity: Mapping[str, Any] = overall.get("specificity_at_sensitivity", {})
    return {
        AUC: overall.get("auc"),
        SENSITIVITY: overall.get("sensitivity"),
        SPECIFICITY_AT_99: at_sensitivity.get("0.99"),
        SPECIFICITY: overall.get("specificity"),
    }


def _difference_of_intervals(
    metric: str,
    current: Mapping[str, float] | None,
    candidate: Mapping[str, float] | None,
) -> Difference:
    """Return the difference of two figures with the interval that follows from their own.

    The square-and-add method (MOVER: Zou and Donner, Statistics in Medicine 2008;27:1693), which
    takes the two as independent. Figures of one split are not, and their difference varies less:
    only what is clearly worse is called so.
    """
    if current is None or candidate is None:
        return Difference(metric)
    value = candidate["value"] - current["value"]
    below = math.hypot(
        candidate["value"] - candidate["low"],
        current["high"] - current["value"],
    )
    above = math.hypot(
        candidate["high"] - candidate["value"],
        current["value"] - current["low"],
    )
    return Difference(
        metric,
        current=current["value"],
        candidate=candidate["value"],
        value=value,
        low=value - below,
        high=value + above,
    )


def _list_objections(differences: list[Difference]) -> list[str]:
    judged = [difference for difference in differences if difference.metric in JUDGED]
    return [text for difference in judged if (text := _objection(difference)) is not None]


def _objection(difference: Difference) -> str | None:
    if difference.value is None:
        return f"{difference.metric} is not known of both bundles"
    if not difference.is_worse:
        return None
    return (
        f"{difference.metric} is {difference.candidate:.3f} instead of {difference.current:.3f} "
        f"(difference {difference.value:+.3f}, 95% {difference.low:+.3f} to {difference.high:+.3f})"
    )
