"""The threshold: chosen for sensitivity on a calibration part that nothing was fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import optimize, stats

TARGET_SENSITIVITY: Final = 0.99
"""Share of the calibration part's tumour slices that must be flagged."""

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ThresholdChoice:
    """A threshold and what it does on the part that it was chosen on.

    Attributes:
        threshold: probability; at or above it a slice is flagged.
        sensitivity: share of tumour slices flagged.
        specificity: share of normal slices not flagged.
        groups: groups with a tumour slice.
        missed_groups: groups with at least one tumour slice that is not flagged.
        group_sensitivity_bound: exact one-sided 95% lower bound of the share of groups without a
            miss (Clopper and Pearson 1934).
    """

    threshold: float
    sensitivity: float
    specificity: float
    groups: int
    missed_groups: int
    group_sensitivity_bound: float


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """Return the number by which logits, (n,), are divided for the least log loss."""

    def loss(log_temperature: float) -> float:
        return cross_entropy(logits / np.exp(log_temperature), labels)

    found = optimize.minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded")
    return float(np.exp(found.x))


def cross_entropy(logits: Floats, labels: Labels) -> float:
    """Return the mean log loss of logits, (n,), for labels, (n,) 0 or 1, in nats."""
    return float(np.mean(np.logaddexp(0.0, logits) - labels * logits))


def choose_threshold(
    probabilities: Floats,
    labels: Labels,
    groups: npt.NDArray[np.str_],
    target: float = TARGET_SENSITIVITY,
) -> ThresholdChoice:
    """Choose the highest threshold that flags at least `target` of the tumour slices.

    Args:
        probabilities: (n,) of the calibration part.
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice.
        target: sensitivity to reach, 0..1.

    Returns:
        The threshold, halfway (in log-odds) to the next lower score, so that it does not sit on
        one slice's own score, and what it does.
    """
    positives = np.sort(probabilities[labels == 1])
    allowed = int(np.floor((1.0 - target) * len(positives) + 1e-9))
    kept = float(positives[allowed])
    lower = probabilities[probabilities < kept]
    below = float(lower.max()) if lower.size else kept / 2.0
    threshold = _between(below, kept)
    flagged = probabilities >= threshold
    missed = {str(g) for g in groups[(labels == 1) & ~flagged]}
    with_tumor = {str(g) for g in groups[labels == 1]}
    return ThresholdChoice(
        threshold=threshold,
        sensitivity=float(flagged[labels == 1].mean()),
        specificity=float((~flagged[labels == 0]).mean()) if (labels == 0).any() else float("nan"),
        groups=len(with_tumor),
        missed_groups=len(missed),
        group_sensitivity_bound=lower_bound(len(with_tumor) - len(missed), len(with_tumor)),
    )


def lower_bound(successes: int, trials: int, confidence: float = 0.95) -> float:
    """Return the exact one-sided lower bound of a share (Clopper and Pearson 1934)."""
    if successes == 0:
        return 0.0
    return float(stats.beta.ppf(1.0 - confidence, successes, trials - successes + 1))


def _between(low: float, high: float) -> float:
    tiny = 1e-9
    odds = [np.log(max(p, tiny) / max(1.0 - p, tiny)) for p in (low, high)]
    return float(1.0 / (1.0 + np.exp(-(odds[0] + odds[1]) / 2.0)))
