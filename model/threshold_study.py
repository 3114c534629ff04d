"""Which thresholds the calibration part offers, what they cost, and what it cannot show.

Proposes only: a bundle is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from model.bundle import Bundle
from model.evaluated_part import EvaluatedPart
from model.evaluation import ScoredSlices, count_missed_groups
from model.measurement import OnPrepared, prepare_part, score_part
from model.metrics import (
    Flags,
    make_sensitivity,
    make_specificity,
    resample_groups,
    with_intervals,
)
from model.study_simulation import STUDY_LENGTHS, NormalSlices, simulate_cleared_share
from model.thresholds import choose_threshold, lower_bound
from model.training_data import SPLIT_SEED

TARGETS: Final = (0.98, 0.99, 0.995, 0.999)

DOUBT: Final = 0.05
"""One-sided: what is claimed with 95% confidence is wrong one time in twenty."""


def study_bundle(bundle: Bundle, part: EvaluatedPart, on_prepared: OnPrepared) -> dict[str, Any]:
    """Prepare and score a part and return the study of its thresholds, for JSON.

    Raises:
        TrainingDataError: if an image or an outline cannot be used.
        BundleError: if the network cannot be loaded.
    """
    prepared = prepare_part(part.images, bundle.card.preprocessing, on_prepared)
    scored = score_part(bundle, prepared)
    # As in `decide_reasons`: a comparison with NaN is false, so what has no score is out of scope.
    in_scope = scored.raw.scope_scores >= bundle.card.minimum_scope_score
    in_scope &= np.isfinite(scored.raw.probabilities)
    return {
        "bundle_digest": bundle.digest,
        "data": {"part": part.name, "reason": part.reason, "warning": part.warning},
        **study_thresholds(scored.slices, in_scope, bundle.card.threshold, SPLIT_SEED),
    }


def study_thresholds(
    slices: ScoredSlices,
    in_scope: Flags,
    bundle_threshold: float,
    seed: int,
) -> dict[str, Any]:
    """Return, for JSON, what each target's threshold does and what the groups support.

    Args:
        slices: of the calibration part, with at least one tumour.
        in_scope: (n,) False where the scope gate flags a slice whatever its probability.
        bundle_threshold: the one that the bundle carries, for comparison.
        seed: of the bootstrap and of the simulation.
    """
    tumors = slices.labels == 1
    chosen = {
        str(target): choose_threshold(
            slices.probabilities,
            slices.labels,
            slices.groups,
            target,
        ).threshold
        for target in TARGETS
    }
    targets = {
        name: {
            **measure_threshold(slices, in_scope, threshold, seed),
            **describe_support(slices, threshold, float(name)),
        }
        for name, threshold in chosen.items()
    }
    return {
        "slices": len(slices.labels),
        "tumor_slices": int(tumors.sum()),
        "normal_slices": int((~tumors).sum()),
        "tumor_groups": len(set(slices.groups[tumors].tolist())),
        "normal_groups": len(set(slices.groups[~tumors].tolist())),
        "targets": targets,
        "bundle": measure_threshold(slices, in_scope, bundle_threshold, seed),
    }


def measure_threshold(
    slices: ScoredSlices,
    in_scope: Flags,
    threshold: float,
    seed: int,
) -> dict[str, Any]:
    """Measure one threshold on the slices.

    Sensitivity and groups count what the threshold flags by itself: a tumour must not owe its
    flag to the scope gate. Normals are counted both without and with the gate, and studies with
    it, as a night flags them.
    """
    by_threshold = slices.probabilities >= threshold
    by_chain = by_threshold | ~in_scope
    resamples = resample_groups(slices.groups, seed)
    normal = slices.labels == 0
    normals = NormalSlices(
        cleared=~by_chain[normal],
        groups=slices.groups[normal],
        sources=slices.strata["source"][normal],
    )
    metrics = {
        "sensitivity": make_sensitivity(by_threshold, slices.labels),
        "normals_cleared": make_specificity(by_threshold, slices.labels),
        "normals_cleared_with_scope_gate": make_specificity(by_chain, slices.labels),
    }
    return {
        "threshold": threshold,
        **with_intervals(metrics, resamples),
        "groups": count_missed_groups(by_threshold, slices.labels, slices.groups),
        "simulated_studies": {
            str(length): simulate_cleared_share(normals, length, seed) for length in STUDY_LENGTHS
        },
    }


def describe_support(slices: ScoredSlices, threshold: float, target: float) -> dict[str, Any]:
    """Say what these groups can show of a target, and what they cannot.

    Returns:
        supported: whether the exact bound over groups reaches the target; groups_needed: how many
        groups without a miss would show it; in_words.
    """
    tumors = slices.labels == 1
    flagged = slices.probabilities >= threshold
    groups = len(set(slices.groups[tumors].tolist()))
    missed = len(set(slices.groups[tumors & ~flagged].tolist()))
    bound = lower_bound(groups - missed, groups)
    needed = groups_needed(target)
    missed_in_words = (
        f"{missed} of {groups} groups have a tumour slice below the threshold: with 95% "
        f"confidence at least {bound:.1%} of such groups have none."
    )
    sentences = (
        missed_in_words,
        _resolution_in_words(int(tumors.sum()), target),
        _groups_in_words(groups, needed, bound, target),
    )
    return {
        "supported": bound >= target,
        "groups_needed": needed,
        "in_words": " ".join(sentences),
    }


def groups_needed(target: float) -> int:
    """Return how many groups without a single miss show `target` with 95% confidence.

    From ``target ** n <= 0.05``; 0.99 needs 299.
    """
    return int(np.ceil(np.log(DOUBT) / np.log(target)))


def _resolution_in_words(tumor_slices: int, target: float) -> str:
    allowed = int(np.floor((1.0 - target) * tumor_slices + 1e-9))
    if allowed == 0:
        return (
            f"With {tumor_slices} tumour slices none may be missed at {target:.1%}: the threshold "
            "hangs on the single lowest score and will differ on the next collection."
        )
    return f"{allowed} of {tumor_slices} tumour slices may be missed at {target:.1%}."


def _groups_in_words(groups: int, needed: int, bound: float, target: float) -> str:
    if bound >= target:
        return f"So {target:.1%} is supported for groups as well as for slices."
    best = lower_bound(groups, groups)
    if groups < needed:
        return (
            f"{target:.1%} of groups cannot be shown with {groups} groups, whatever the threshold: "
            f"even without a miss they show {best:.1%}; it takes {needed} groups without a miss."
        )
    return (
        f"{target:.1%} is reached for slices, not shown for groups; {needed} groups without a "
        f"miss would show it, so a lower threshold could."
    )


def propose_in_words(study: Mapping[str, Any], target: float) -> str:
    """Say which threshold the target asks for beside the one that the bundle carries."""
    proposed, current = study["targets"][str(target)]["threshold"], study["bundle"]["threshold"]
    compared = "equals" if np.isclose(proposed, current, rtol=1e-3, atol=0.0) else "differs from"
    return (
        f"For {target:.1%} of tumour slices these images ask for a threshold of {proposed:.4g}, "
        f"which {compared} the bundle's {current:.4g}. The bundle is not changed; a night may "
        "use a lower threshold than the bundle's, never a higher one."
    )
