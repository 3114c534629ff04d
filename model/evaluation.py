"""How good are the scores of labelled slices: overall, and in every stratum of them.

Intervals are bootstrapped over groups, because slices of one patient are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.metrics import (
    Flags,
    Floats,
    Labels,
    Metric,
    make_accuracy,
    make_auc,
    make_log_loss,
    make_npv,
    make_precision,
    make_sensitivity,
    make_specificity,
    make_specificity_at,
    resample_groups,
    with_intervals,
)
from model.thresholds import lower_bound

SENSITIVITY_TARGETS: Final = (0.98, 0.99, 0.995, 0.999)

DEFAULT_PREVALENCE: Final = 0.05
"""Share of slices with a tumour for which the NPV is stated, if nobody says another one."""

Strata = Mapping[str, npt.NDArray[np.str_]]
"""By the name of a division (source, plane ...): (n,) the stratum of each slice."""


@dataclass(frozen=True)
class ScoredSlices:
    """Scores of n labelled slices.

    Attributes:
        probabilities: (n,) 0..1.
        flagged: (n,) whether the whole chain (scope gate and threshold) flags the slice.
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice.
        strata: see `Strata`.
    """

    probabilities: Floats
    flagged: Flags
    labels: Labels
    groups: npt.NDArray[np.str_]
    strata: Strata

    def where(self, chosen: Flags) -> ScoredSlices:
        """Return the slices for which `chosen`, (n,), is true."""
        return ScoredSlices(
            self.probabilities[chosen],
            self.flagged[chosen],
            self.labels[chosen],
            self.groups[chosen],
            {division: names[chosen] for division, names in self.strata.items()},
        )


def summarise(
    slices: ScoredSlices,
    seed: int,
    prevalence: float = DEFAULT_PREVALENCE,
) -> dict[str, Any]:
    """Return the metrics of all slices and of each stratum, as plain values for JSON.

    Args:
        slices: what is measured.
        seed: of the bootstrap.
        prevalence: share of slices with a tumour for which the NPV is stated, above 0, below 1.
    """
    by = {
        division: {
            str(name): metrics_of(slices.where(names == name), seed, prevalence)
            for name in sorted(set(names.tolist()))
        }
        for division, names in slices.strata.items()
    }
    return {"overall": metrics_of(slices, seed, prevalence), "by": by}


def metrics_of(
    slices: ScoredSlices,
    seed: int,
    prevalence: float = DEFAULT_PREVALENCE,
) -> dict[str, Any]:
    """Return counts and metrics with 95% intervals; None where a class is missing.

    ``normals_cleared`` is the specificity under the name that a worklist gives it;
    ``tumor_groups`` counts a group as missed if any tumour slice of it is cleared, with the exact
    one-sided 95% bound: where nothing was missed a bootstrap knows no doubt.
    """
    resamples = resample_groups(slices.groups, seed)
    at_sensitivity = {
        str(target): make_specificity_at(slices.probabilities, slices.labels, target)
        for target in SENSITIVITY_TARGETS
    }
    figures = with_intervals(_metrics(slices, prevalence) | at_sensitivity, resamples)
    at = {target: figures.pop(target) for target in at_sensitivity}
    return {
        "n": len(slices.labels),
        "positives": int(slices.labels.sum()),
        "groups": len(set(slices.groups.tolist())),
        **figures,
        "normals_cleared": figures["specificity"],
        "specificity_at_sensitivity": at,
        "tumor_groups": count_missed_groups(slices.flagged, slices.labels, slices.groups),
    }


def count_missed_groups(
    flagged: Flags,
    labels: Labels,
    groups: npt.NDArray[np.str_],
) -> dict[str, float | int] | None:
    """Count groups with a tumour slice, and those of them with a tumour slice that is cleared.

    Returns:
        groups, missed, and the exact one-sided 95% lower bound of the share without a miss; None
        without tumours.
    """
    with_tumor = set(groups[labels == 1].tolist())
    missed = set(groups[(labels == 1) & ~flagged].tolist())
    if not with_tumor:
        return None
    bound = lower_bound(len(with_tumor) - len(missed), len(with_tumor))
    return {"groups": len(with_tumor), "missed": len(missed), "lower_bound": round(bound, 4)}


def _metrics(slices: ScoredSlices, prevalence: float) -> dict[str, Metric]:
    probabilities, flagged, labels = slices.probabilities, slices.flagged, slices.labels
    return {
        "auc": make_auc(probabilities, labels),
        "accuracy": make_accuracy(flagged, labels),
        "log_loss": make_log_loss(probabilities, labels),
        "precision": make_precision(flagged, labels),
        "sensitivity": make_sensitivity(flagged, labels),
        "specificity": make_specificity(flagged, labels),
        "npv": make_npv(flagged, labels, prevalence),
    }
