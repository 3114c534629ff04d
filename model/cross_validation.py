"""Grouped cross-validation of the threshold: what it does to patients that it was not chosen on.

The network stays as it is; what is chosen anew in each fold is the threshold. The bundle's own is
chosen with it, and for sources with few groups it says what a hospital with so few patients can
expect of a threshold of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from model.evaluation import ScoredSlices
from model.metrics import make_sensitivity, make_specificity, resample_groups, with_intervals
from model.thresholds import (
    TARGET_SENSITIVITY,
    Floats,
    Labels,
    ThresholdChoice,
    choose_threshold,
)

FOLDS: Final = 5

REPEATS: Final = 10

ENOUGH_GROUPS: Final = 100
"""A source with fewer groups is cross-validated as well: one test part of it says little."""


@dataclass(frozen=True)
class SafeThreshold:
    """A threshold that reaches the target on groups that it was not chosen on.

    Attributes:
        choice: the threshold and what it does on the part that it was chosen on.
        aim: sensitivity that it was chosen for there, at least the target.
        cross_validated_sensitivity: of the same aim, on groups that had no part in the choice.
    """

    choice: ThresholdChoice
    aim: float
    cross_validated_sensitivity: float


def choose_safe_threshold(
    probabilities: Floats,
    labels: Labels,
    groups: npt.NDArray[np.str_],
    seed: int,
    target: float = TARGET_SENSITIVITY,
) -> SafeThreshold:
    """Choose the highest threshold whose kind reaches the target on other groups.

    A threshold that just reaches the target where it was chosen misses more elsewhere. So one
    slice after the other is taken from the misses that are allowed, until thresholds chosen with
    that many on four fifths of the groups reach the target on the other fifth, on average over
    `REPEATS` divisions.

    Args:
        probabilities: (n,) of the calibration part.
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice.
        seed: of the folds.
        target: sensitivity to reach, 0..1.

    Returns:
        The choice; without any allowed miss if the target is never reached.
    """
    positives = int(labels.sum())
    allowed = int(np.floor((1.0 - target) * positives + 1e-9))
    for misses in range(allowed, -1, -1):
        aim = 1.0 - misses / positives
        reached = _cross_validated_sensitivity(probabilities, labels, groups, seed, aim)
        if reached >= target or misses == 0:
            break
    return SafeThreshold(choose_threshold(probabilities, labels, groups, aim), aim, reached)


def _cross_validated_sensitivity(
    probabilities: Floats,
    labels: Labels,
    groups: npt.NDArray[np.str_],
    seed: int,
    aim: float,
) -> float:
    tumors = labels == 1
    scores, of_groups = probabilities[tumors], groups[tumors]
    if len(set(of_groups.tolist())) < FOLDS:
        return 0.0
    flagged = []
    for repeat in range(REPEATS):
        folds = GroupKFold(FOLDS, shuffle=True, random_state=seed + repeat)
        for chosen_on, measured_on in folds.split(scores, groups=of_groups):
            choice = choose_threshold(
                scores[chosen_on],
                labels[tumors][chosen_on],
                of_groups[chosen_on],
                aim,
            )
            flagged.append(scores[measured_on] >= choice.threshold)
    return float(np.concatenate(flagged).mean())


def cross_validate_threshold(slices: ScoredSlices, seed: int) -> dict[str, Any] | None:
    """Choose a threshold on four fifths of the groups, measure it on the others, five times.

    Args:
        slices: of one source.
        seed: of the folds and of the bootstrap.

    Returns:
        For JSON: number of folds, lowest and highest threshold, and sensitivity and specificity of
        all slices at the threshold that their own group had no part in, with 95% intervals over
        groups; None if a class is missing or is in fewer groups than there are folds.
    """
    groups_of_class = [set(slices.groups[slices.labels == label].tolist()) for label in (0, 1)]
    if min(map(len, groups_of_class)) < FOLDS:
        return None
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
    flagged = np.zeros(len(slices.labels), dtype=bool)
    thresholds = []
    for chosen_on, measured_on in folds.split(slices.labels, slices.labels, slices.groups):
        choice = choose_threshold(
            slices.probabilities[chosen_on],
            slices.labels[chosen_on],
            slices.groups[chosen_on],
        )
        thresholds.append(choice.threshold)
        flagged[measured_on] = slices.probabilities[measured_on] >= choice.threshold
    metrics = {
        "sensitivity": make_sensitivity(flagged, slices.labels),
        "specificity": make_specificity(flagged, slices.labels),
    }
    return {
        "folds": FOLDS,
        "lowest_threshold": min(thresholds),
        "highest_threshold": max(thresholds),
        **with_intervals(metrics, resample_groups(slices.groups, seed)),
    }


def cross_validate_sources(slices: ScoredSlices, seed: int) -> dict[str, dict[str, Any] | None]:
    """Cross-validate each source with fewer than `ENOUGH_GROUPS` groups; by name."""
    sources = slices.strata["source"]
    small = [
        str(name)
        for name in sorted(set(sources.tolist()))
        if len(set(slices.groups[sources == name].tolist())) < ENOUGH_GROUPS
    ]
    return {name: cross_validate_threshold(slices.where(sources == name), seed) for name in small}
