"""What readers' answers say of the job: sensitivity, misses, the threshold they ask for. Pure.

Two strata of studies are verified in two ways. *Flagged* ones are read anyway; what is answered of
them is counted as it is. Of the *cleared* ones a simple random sample of each night is read once
more; the share of it with a tumour, weighted by how many studies each night cleared, estimates how
many were missed. The interval is the exact one of Clopper and Pearson at the sample's effective
size (Korn and Graubard 1998), which holds for shares near zero, where these should be.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from scipy import stats

CONFIDENCE: Final = 0.95
TARGET_SENSITIVITY: Final = 0.99

LEAST_TUMORS: Final = 20
"""With fewer verified tumours no threshold is proposed: 1% of them is no study."""

THRESHOLD_DECIMALS: Final = 4


@dataclass(frozen=True)
class Estimate:
    """A share, 0..1, with its 95% interval; None where nothing is known."""

    value: float | None
    low: float
    high: float


@dataclass(frozen=True)
class VerifiedTumor:
    """A study with a tumour, as readers say.

    Attributes:
        probability: the highest of its images; None if it has none, and is flagged whatever the
            threshold.
        weight: how many such studies it stands for.
    """

    probability: float | None
    weight: float


@dataclass(frozen=True)
class NightAnswers:
    """The answers to one night's studies.

    Attributes:
        flagged: studies that the night flagged.
        confirmed: of those, with a tumour.
        rejected: of those, without one.
        unsure: of those, answered and left open.
        cleared: studies that the night cleared.
        sampled: of those, read in the random sample and decided on.
        missed: of `sampled`, with a tumour.
        sampled_unsure: of those, read in the random sample and left open.
        missed_elsewhere: cleared studies outside the sample in which a reader saw a tumour.
        disputed: studies in which readers disagree; a tumour seen by one of them counts.
        tumors: flagged with a tumour, and missed in the sample.
        cleared_probabilities: the highest of each cleared study's images.
    """

    flagged: int
    confirmed: int
    rejected: int
    unsure: int
    cleared: int
    sampled: int
    missed: int
    sampled_unsure: int
    missed_elsewhere: int
    disputed: int
    tumors: tuple[VerifiedTumor, ...] = ()
    cleared_probabilities: tuple[float, ...] = ()


@dataclass(frozen=True)
class ThresholdProposal:
    """A threshold that the answers ask for. Nothing applies it.

    Attributes:
        threshold: at most the one in use; None if there are too few tumours to say.
        current: the one in use.
        flagged_more: share of the cleared studies that it would flag besides.
        in_words: why.
    """

    threshold: float | None
    current: float
    flagged_more: float
    in_words: str


def estimate_precision(nights: Sequence[NightAnswers]) -> Estimate:
    """Estimate which share of the flagged studies holds a tumour (Wilson 1927)."""
    confirmed = sum(night.confirmed for night in nights)
    decided = confirmed + sum(night.rejected for night in nights)
    if not decided:
        return Estimate(None, 0.0, 1.0)
    interval = stats.binomtest(confirmed, decided).proportion_ci(CONFIDENCE, method="wilson")
    return Estimate(confirmed / decided, float(interval.low), float(interval.high))


def estimate_missed_share(nights: Sequence[NightAnswers]) -> Estimate:
    """Estimate which share of the cleared studies holds a tumour.

    Nights of which nothing was sampled are left out. The upper end counts studies that were read
    and left open as missed: not knowing is not the same as no tumour.
    """
    sampled = [night for night in nights if night.sampled + night.sampled_unsure]
    decided = [night for night in sampled if night.sampled]
    if not decided:
        return Estimate(None, 0.0, 1.0)
    strata = [(night.cleared, night.missed, night.sampled) for night in decided]
    worst = [
        (
            night.cleared,
            night.missed + night.sampled_unsure,
            night.sampled + night.sampled_unsure,
        )
        for night in sampled
    ]
    value, low, _ = _weighted_interval(strata)
    return Estimate(value, low, _weighted_interval(worst)[2])


def estimate_sensitivity(nights: Sequence[NightAnswers]) -> Estimate:
    """Estimate which share of the studies with a tumour was flagged.

    Only nights with a random sample count. Flagged studies that nobody answered count for nothing,
    so that an incomplete verification makes the estimate lower, never higher.
    """
    sampled = [night for night in nights if night.sampled]
    found = sum(night.confirmed for night in sampled)
    cleared = sum(night.cleared for night in sampled)
    share = estimate_missed_share(sampled)
    if share.value is None or not found:
        return Estimate(None, 0.0, 1.0)
    known = sum(night.missed + night.missed_elsewhere for night in sampled)
    return Estimate(
        found / (found + max(known, share.value * cleared)),
        found / (found + max(known, share.high * cleared)),
        found / (found + max(known, share.low * cleared)),
    )


def propose_threshold(
    nights: Sequence[NightAnswers],
    current: float,
    target: float = TARGET_SENSITIVITY,
) -> ThresholdProposal:
    """Choose the highest threshold that flags `target` of the tumours that readers saw.

    Args:
        nights: with their answers.
        current: the threshold in use; a higher one is never proposed.
        target: sensitivity to reach, 0..1.
    """
    tumors = [tumor for night in nights for tumor in night.tumors]
    if len(tumors) < LEAST_TUMORS:
        words = (
            f"{len(tumors)} studies with a tumor are verified, {LEAST_TUMORS} are needed before "
            "any threshold can be proposed"
        )
        return ThresholdProposal(None, current, 0.0, words)
    total = sum(tumor.weight for tumor in tumors)
    candidates = [current, *_just_below(tumors, current)]
    reached = [one for one in candidates if _caught(tumors, one) >= target * total - 1e-9]
    chosen = max(reached, default=min(candidates))
    cleared = [value for night in nights for value in night.cleared_probabilities]
    more = sum(1 for value in cleared if chosen <= value < current) / max(1, len(cleared))
    share = _caught(tumors, chosen) / total
    if chosen == current:
        words = f"the one in use, {current:.4g}, flags {share:.1%} of the tumors seen: keep it"
    else:
        words = (
            f"{chosen:.4g} would flag {share:.1%} of the tumors seen, the one in use, "
            f"{current:.4g}, flags {_caught(tumors, current) / total:.1%}; {more:.1%} of the "
            "cleared studies would be flagged besides; nothing is changed: whoever agrees sets "
            "bundle.threshold"
        )
    return ThresholdProposal(chosen, current, more, words)


def exact_interval(successes: float, trials: float) -> tuple[float, float]:
    """Return the 95% interval of Clopper and Pearson (1934), also for counts with fractions."""
    doubt = (1.0 - CONFIDENCE) / 2.0
    failures = trials - successes
    low = 0.0 if successes <= 0 else float(stats.beta.ppf(doubt, successes, failures + 1.0))
    high = 1.0 if failures <= 0 else float(stats.beta.ppf(1 - doubt, successes + 1.0, failures))
    return low, high


def _weighted_interval(strata: Sequence[tuple[int, int, int]]) -> tuple[float, float, float]:
    """Return a share over strata (size, successes, sample) and its interval."""
    total = sum(size for size, _, _ in strata)
    if not total:
        return 0.0, 0.0, 1.0
    share = sum(size * hits / sample for size, hits, sample in strata) / total
    # The size of a simple random sample that would know as much (Kish 1965).
    spread = sum(size**2 / sample for size, _, sample in strata)
    effective = total**2 / spread
    low, high = exact_interval(share * effective, effective)
    return share, low, high


def _just_below(tumors: Sequence[VerifiedTumor], current: float) -> list[float]:
    scale = 10**THRESHOLD_DECIMALS
    known = (tumor.probability for tumor in tumors if tumor.probability is not None)
    rounded = (math.floor(value * scale) / scale for value in known if value < current)
    return [value for value in rounded if value > 0.0]


def _caught(tumors: Sequence[VerifiedTumor], threshold: float) -> float:
    return sum(
        tumor.weight
        for tumor in tumors
        if tumor.probability is None or tumor.probability >= threshold
    )
