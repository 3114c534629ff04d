"""The one place that decides. Scope gate first, threshold second; whatever is left is flagged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.reasons import CLEARED_REASONS, Decision, Reason

DECIDED_BY_SCORE: Final = frozenset(
    {Reason.BELOW_THRESHOLD, Reason.TUMOR_SUSPECTED, Reason.NOT_BRAIN_MR, Reason.INVALID_SCORE},
)
"""Reasons that only `decide_reasons` may give; a failure handed to it is never one of these."""


@dataclass(frozen=True)
class DecisionLimits:
    """The two numbers that a decision hangs on.

    Attributes:
        threshold: probability in 0..1; at or above it an image is `tumor_suspected`.
        minimum_scope_score: scope score in 0..1; below it an image is `not_brain_mr`.
    """

    threshold: float
    minimum_scope_score: float

    def __post_init__(self) -> None:
        """Refuse limits that could not flag anything.

        Raises:
            ValueError: if a limit is not a finite number in 0..1, or the threshold is 0 or less.
        """
        if not 0.0 < self.threshold <= 1.0:
            message = f"threshold must be in (0, 1], found {self.threshold!r}"
            raise ValueError(message)
        if not 0.0 <= self.minimum_scope_score <= 1.0:
            message = f"minimum_scope_score must be in 0..1, found {self.minimum_scope_score!r}"
            raise ValueError(message)


def decide_reasons(
    failures: npt.NDArray[np.object_],
    probabilities: npt.NDArray[np.float64],
    scope_scores: npt.NDArray[np.float64],
    limits: DecisionLimits,
) -> npt.NDArray[np.object_]:
    """Give every image its reason.

    The order of the rules is the safety argument: an image is `below_threshold` only when no
    other rule claimed it, so that a NaN, an unknown failure or a missing score stays flagged.

    Args:
        failures: (n,) `Reason` values of images that could not be scored, else None.
        probabilities: (n,) tumour probability in 0..1; NaN where there is none.
        scope_scores: (n,) 0 (surely not brain MR) to 1; NaN where there is none.
        limits: threshold and scope limit.

    Returns:
        (n,) `Reason` values as plain strings.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    scope_scores = np.asarray(scope_scores, dtype=np.float64)
    failed = np.array([failure is not None for failure in failures], dtype=bool)
    valid = (
        np.isfinite(probabilities)
        & (probabilities >= 0.0)
        & (probabilities <= 1.0)
        & np.isfinite(scope_scores)
        & (scope_scores >= 0.0)
        & (scope_scores <= 1.0)
    )
    # Comparisons with NaN are false: each rule asks for the proof, never for its absence.
    in_scope = valid & (scope_scores >= limits.minimum_scope_score)
    below = in_scope & (probabilities < limits.threshold)

    reasons = np.full(len(failures), str(Reason.INVALID_SCORE), dtype=object)
    reasons[valid] = str(Reason.NOT_BRAIN_MR)
    reasons[in_scope] = str(Reason.TUMOR_SUSPECTED)
    reasons[below] = str(Reason.BELOW_THRESHOLD)
    for index in np.flatnonzero(failed):
        reasons[index] = _failure_reason(failures[index])
    return reasons


def decisions_of(reasons: npt.NDArray[np.object_]) -> npt.NDArray[np.object_]:
    """Turn reasons, (n,), into decisions, (n,): cleared for `CLEARED_REASONS`, else flagged."""
    return np.array(
        [
            str(Decision.CLEARED) if reason in CLEARED_REASONS else str(Decision.FLAGGED)
            for reason in reasons
        ],
        dtype=object,
    )


def _failure_reason(failure: object) -> str:
    try:
        reason = Reason(str(failure))
    except ValueError:
        return str(Reason.INVALID_SCORE)
    return str(Reason.INVALID_SCORE) if reason in DECIDED_BY_SCORE else str(reason)
