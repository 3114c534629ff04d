"""What the command ``mri-triage quality`` does: answers in, estimates with intervals out."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from rich.table import Table

from jobs.reader_answers import GatheredAnswers
from model.reader_quality import (
    Estimate,
    estimate_missed_share,
    estimate_precision,
    estimate_sensitivity,
    propose_threshold,
)

ADDED_UP = (
    "flagged",
    "confirmed",
    "rejected",
    "unsure",
    "cleared",
    "sampled",
    "missed",
    "sampled_unsure",
    "missed_elsewhere",
    "disputed",
)


def describe_quality(gathered: GatheredAnswers, threshold: float) -> dict[str, Any]:
    """Return counts, estimates and the proposal as plain values for JSON."""
    nights = list(gathered.nights.values())
    answers = Counter(str(one.answer) for one in gathered.answers)
    return {
        "answers": len(gathered.answers),
        "by_answer": dict(sorted(answers.items())),
        "readers": len({one.reader for one in gathered.answers}),
        "nights": len(nights),
        "unread_nights": [night.isoformat() for night in gathered.unread_nights],
        "outdated_answers": gathered.outdated,
        "studies": {name: sum(getattr(night, name) for night in nights) for name in ADDED_UP},
        "sensitivity": asdict(estimate_sensitivity(nights)),
        "missed_share_of_cleared": asdict(estimate_missed_share(nights)),
        "tumor_share_of_flagged": asdict(estimate_precision(nights)),
        "threshold": asdict(propose_threshold(nights, threshold)),
    }


def quality_tables(quality: dict[str, Any]) -> list[Table]:
    """Lay the counts and the estimates out."""
    studies = quality["studies"]
    counts = Table("studies", "flagged", "cleared", title=_title(quality))
    answered = studies["confirmed"] + studies["rejected"] + studies["unsure"]
    counts.add_row("published", str(studies["flagged"]), str(studies["cleared"]))
    counts.add_row("verified", str(answered), f"{studies['sampled']} of the random sample")
    counts.add_row("tumor seen", str(studies["confirmed"]), str(studies["missed"]))
    counts.add_row("no tumor seen", str(studies["rejected"]), _not_missed(studies))
    counts.add_row("left open", str(studies["unsure"]), str(studies["sampled_unsure"]))
    estimates = Table("estimate", "value", "95% interval", title="By studies")
    named = {
        "sensitivity: tumors that were flagged": "sensitivity",
        "miss rate: tumors that were cleared": "miss_rate",
        "tumors among the cleared": "missed_share_of_cleared",
        "tumors among the flagged": "tumor_share_of_flagged",
    }
    values = quality | {"miss_rate": _complement(quality["sensitivity"])}
    for text, name in named.items():
        estimates.add_row(text, *_tell(values[name]))
    return [counts, estimates]


def quality_notes(quality: dict[str, Any]) -> list[str]:
    """Say what the estimates rest on, and what they ask for."""
    studies = quality["studies"]
    notes = []
    answered = studies["confirmed"] + studies["rejected"] + studies["unsure"]
    if answered < studies["flagged"]:
        notes.append(
            f"{studies['flagged'] - answered} of {studies['flagged']} flagged studies have no "
            "answer: their tumors are not counted, so the sensitivity may be higher"
        )
    if not studies["sampled"]:
        notes.append(
            "no cleared study was double-read: nothing is known of misses; the worklist's page "
            "Double reading has a random sample of each night"
        )
    if studies["missed_elsewhere"]:
        notes.append(
            f"{studies['missed_elsewhere']} tumors were seen in cleared studies outside the random "
            "sample; they count as missed, and say nothing of the rate"
        )
    if studies["disputed"]:
        notes.append(
            f"in {studies['disputed']} studies readers disagree; a tumor seen by one of them counts"
        )
    if quality["outdated_answers"]:
        notes.append(
            f"{quality['outdated_answers']} answers are about studies that were published anew "
            "with another decision: left out"
        )
    if quality["unread_nights"]:
        notes.append(f"cannot be read: nights {', '.join(quality['unread_nights'])}")
    return [*notes, f"threshold: {quality['threshold']['in_words']}"]


def _title(quality: dict[str, Any]) -> str:
    told = ", ".join(f"{count} {name}" for name, count in quality["by_answer"].items())
    return (
        f"{quality['answers']} answers by {quality['readers']} readers in {quality['nights']} "
        f"nights: {told or 'none'}"
    )


def _not_missed(studies: dict[str, int]) -> str:
    return str(studies["sampled"] - studies["missed"])


def _complement(estimate: dict[str, float | None]) -> dict[str, float | None]:
    value, low, high = estimate["value"], estimate["low"], estimate["high"]
    return asdict(
        Estimate(None if value is None else 1.0 - value, 1.0 - (high or 0.0), 1.0 - (low or 0.0))
    )


def _tell(estimate: dict[str, float | None]) -> tuple[str, str]:
    if estimate["value"] is None:
        return "not known", "-"
    return f"{estimate['value']:.1%}", f"{estimate['low']:.1%} to {estimate['high']:.1%}"
