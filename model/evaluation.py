"""How good are the scores: ranking, decisions at the threshold, and where the map points.

Intervals are bootstrapped over groups, because slices of one patient are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from sklearn.metrics import roc_auc_score

BOOTSTRAPS: Final = 1000

Floats = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
Metric = Callable[[Floats, Labels], float]


@dataclass(frozen=True)
class ScoredSlices:
    """Scores of n labelled slices.

    Attributes:
        probabilities: (n,) 0..1.
        flagged: (n,) whether the whole chain (scope gate and threshold) flags the slice.
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice.
        sources: (n,) source of each slice.
    """

    probabilities: Floats
    flagged: npt.NDArray[np.bool_]
    labels: Labels
    groups: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]

    def where(self, chosen: npt.NDArray[np.bool_]) -> ScoredSlices:
        """Return the slices for which `chosen`, (n,), is true."""
        return ScoredSlices(
            self.probabilities[chosen],
            self.flagged[chosen],
            self.labels[chosen],
            self.groups[chosen],
            self.sources[chosen],
        )


def summarise(slices: ScoredSlices, seed: int) -> dict[str, Any]:
    """Return the metrics of all slices and of each source, as plain values for JSON."""
    by_source = {
        str(source): metrics_of(slices.where(slices.sources == source), seed)
        for source in sorted(set(slices.sources.tolist()))
    }
    return {"overall": metrics_of(slices, seed), "by": {"source": by_source}}


def metrics_of(slices: ScoredSlices, seed: int) -> dict[str, Any]:
    """Return counts and metrics with 95% intervals; None where a class is missing."""
    flagged = slices.flagged.astype(np.float64)
    return {
        "n": len(slices.labels),
        "positives": int(slices.labels.sum()),
        "groups": len(set(slices.groups.tolist())),
        "auc": with_interval(auc, slices.probabilities, slices, seed),
        "sensitivity": with_interval(sensitivity, flagged, slices, seed),
        "specificity": with_interval(specificity, flagged, slices, seed),
        "specificity_at_sensitivity": {
            "0.99": with_interval(specificity_at_99, slices.probabilities, slices, seed),
        },
    }


def auc(scores: Floats, labels: Labels) -> float:
    """Area under the ROC curve; NaN if a class is missing."""
    if len(np.unique(labels)) < 2:  # noqa: PLR2004 - two classes
        return float("nan")
    return float(roc_auc_score(labels, scores))


def sensitivity(flagged: Floats, labels: Labels) -> float:
    """Share of tumour slices that are flagged; NaN without tumours."""
    chosen = flagged[labels == 1]
    return float(chosen.mean()) if chosen.size else float("nan")


def specificity(flagged: Floats, labels: Labels) -> float:
    """Share of normal slices that are not flagged; NaN without normals."""
    chosen = flagged[labels == 0]
    return float(1.0 - chosen.mean()) if chosen.size else float("nan")


def specificity_at_99(scores: Floats, labels: Labels) -> float:
    """Share of normals below the threshold that keeps 99% of these same tumours: optimistic."""
    positives, negatives = np.sort(scores[labels == 1]), scores[labels == 0]
    if positives.size == 0 or negatives.size == 0:
        return float("nan")
    threshold = positives[int(np.floor(0.01 * positives.size + 1e-9))]
    return float((negatives < threshold).mean())


def with_interval(
    metric: Metric,
    scores: Floats,
    slices: ScoredSlices,
    seed: int,
) -> dict[str, float] | None:
    """Return value, low and high (95%, bootstrapped over groups), or None if not defined."""
    value = metric(scores, slices.labels)
    if not np.isfinite(value):
        return None
    names, positions = np.unique(slices.groups, return_inverse=True)
    members = [np.flatnonzero(positions == number) for number in range(len(names))]
    random = np.random.default_rng(seed)
    drawn = [_resampled(metric, scores, slices.labels, members, random) for _ in range(BOOTSTRAPS)]
    finite = [number for number in drawn if np.isfinite(number)]
    low, high = np.percentile(finite, (2.5, 97.5)) if finite else (value, value)
    return {"value": round(value, 4), "low": round(float(low), 4), "high": round(float(high), 4)}


def _resampled(
    metric: Metric,
    scores: Floats,
    labels: Labels,
    members: Sequence[npt.NDArray[np.int64]],
    random: np.random.Generator,
) -> float:
    chosen = random.integers(len(members), size=len(members))
    rows = np.concatenate([members[number] for number in chosen])
    return metric(scores[rows], labels[rows])


def dice_of(
    tumor_map: npt.NDArray[np.float32], outline: npt.NDArray[np.bool_], limit: float
) -> float:
    """Overlap of a map, (m, m), with an outline, (m, m): 0 none, 1 the same."""
    seen = tumor_map >= limit
    total = int(seen.sum()) + int(outline.sum())
    return 2.0 * int((seen & outline).sum()) / total if total else 1.0


def points_into(tumor_map: npt.NDArray[np.float32], outline: npt.NDArray[np.bool_]) -> bool:
    """Pointing game: does the map's highest cell lie in the outline, both (m, m)?"""
    return bool(outline.ravel()[int(np.argmax(tumor_map))])
