"""Grouped cross-validation of the threshold for sources with few groups.

The network stays as it is: what is chosen anew in each fold is the threshold. It says what a
hospital with so few patients can expect that chooses a threshold of its own on them.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from model.evaluation import ScoredSlices
from model.metrics import make_sensitivity, make_specificity, resample_groups, with_intervals
from model.thresholds import choose_threshold

FOLDS: Final = 5

ENOUGH_GROUPS: Final = 100
"""A source with fewer groups is cross-validated as well: one test part of it says little."""


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
