"""What an operator reads after a night: the summary, the Prefect artifacts, the settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from statistics import median
from typing import TYPE_CHECKING, Final

import yaml

from conf.settings import Settings
from model.reasons import CLEARED_REASONS, Decision

if TYPE_CHECKING:
    from flows.night_artifacts import WorstCase
    from jobs.night_history import NightCounts
    from jobs.night_run import NightOutcome

Row = tuple[str, ...]

DISCLAIMER: Final = (
    "Flagged first for a radiologist. Cleared means not flagged: every study is still read."
)

SECRET_VARIABLES: Final = (
    "MRI_TRIAGE_IDENTIFIER_KEY",
    "MRI_TRIAGE_WORKLIST_KEY",
    "MRI_TRIAGE_PROXY_SECRET",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)


def format_summary(outcome: NightOutcome) -> str:
    """Write the night for a terminal: counts, time, model, places, warnings."""
    size = f"{_count(outcome.objects, 'object')}, {_count(outcome.rows, 'image')}"
    lines = [
        f"Night {outcome.night.isoformat()}: {size}",
        "",
        *_align(_decision_rows(outcome)),
        "",
        *_align(_fact_rows(outcome)),
        *(f"WARNING: {warning}" for warning in outcome.warnings),
        "",
        DISCLAIMER,
    ]
    return "\n".join(lines)


def format_night_page(
    outcome: NightOutcome,
    history: Sequence[NightCounts],
    unusual: Sequence[str],
    worst: Sequence[WorstCase],
) -> str:
    """Write the night for Prefect's artifact page.

    Args:
        outcome: of the night.
        history: counts of the nights before it.
        unusual: sentences about what is unlike those nights.
        worst: flagged images with pictures, the worst first.
    """
    size = f"{_count(outcome.objects, 'object')}, {_count(outcome.rows, 'image')}"
    lines = [
        f"# Night {outcome.night.isoformat()}",
        "",
        *(f"> **Warning:** {warning}\n" for warning in outcome.warnings),
        *(f"> **Unusual:** {sentence}.\n" for sentence in unusual),
        f"{size}. *{DISCLAIMER}*",
        "",
        *_markdown_table(_compared_rows(outcome, history)),
        "",
        *_history_note(history),
        *_worst_lines(worst),
        "## The run",
        "",
        *_markdown_table([("what", "value"), *_fact_rows(outcome)]),
        *_stage_lines(outcome),
    ]
    return "\n".join(lines)


def list_counts(outcome: NightOutcome) -> list[dict[str, str | int]]:
    """List the counts for Prefect's table: one row a reason, one a decision of the studies."""
    rows: list[dict[str, str | int]] = [
        {"of": "images", "decision": decision_of(reason), "reason": reason, "count": count}
        for reason, count in _by_size(outcome.by_reason)
    ]
    rows.extend(
        {"of": "studies", "decision": decision, "reason": "", "count": count}
        for decision, count in sorted(outcome.studies_by_decision.items())
    )
    return rows


def format_settings(settings: Settings, environ: Mapping[str, str]) -> str:
    """Write settings as YAML that could be a place's file; of secrets only whether they are set."""
    text = yaml.safe_dump(settings.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    states = (f"# {name}: {'set' if environ.get(name) else 'not set'}" for name in SECRET_VARIABLES)
    return f"{text}# Of the environment, never shown:\n" + "\n".join(states)


def artifact_key(night: date) -> str:
    """Return the key of a night's artifacts: Prefect takes small letters, digits and dashes."""
    return f"night-{night.isoformat()}"


def decision_of(reason: str) -> str:
    """Return the decision that a reason leads to."""
    cleared = reason in CLEARED_REASONS
    return str(Decision.CLEARED if cleared else Decision.FLAGGED)


def _decision_rows(outcome: NightOutcome) -> list[Row]:
    total = max(outcome.rows, 1)
    rows: list[Row] = []
    for decision in Decision:
        count = outcome.by_decision.get(str(decision), 0)
        rows.append((str(decision), f"{count}", f"{count / total:.0%}"))
        rows.extend(
            (f"  {reason}", f"{of_reason}", "")
            for reason, of_reason in _by_size(outcome.by_reason)
            if decision_of(reason) == decision
        )
    return rows


def _compared_rows(outcome: NightOutcome, history: Sequence[NightCounts]) -> list[Row]:
    header = ("decision and reason", "images", "share", "nights before: median (range)")
    return [header, *(_with_usual(row, history) for row in _decision_rows(outcome))]


def _with_usual(row: Row, history: Sequence[NightCounts]) -> Row:
    name = row[0].strip()
    counts = [night.by_decision.get(name, night.by_reason.get(name, 0)) for night in history]
    usual = f"{median(counts):g} ({min(counts)}-{max(counts)})" if counts else "-"
    # Markdown has no indentation within a table: a decision stands out from its reasons by weight.
    title = f"**{name}**" if name in set(Decision) else f"· {name}"
    return (title, *row[1:], usual)


def _history_note(history: Sequence[NightCounts]) -> list[str]:
    if not history:
        return ["No night before it is on record.", ""]
    nights = f"{history[0].night} to {history[-1].night}"
    return [f"{_count(len(history), 'night')} before it are on record, {nights}.", ""]


def _worst_lines(worst: Sequence[WorstCase]) -> list[str]:
    if not worst:
        return []
    lines = [
        "## Highest probabilities among the explained images",
        "",
        "The slice, what moved its probability (LIME), and the model's own map.",
        "",
    ]
    for case in worst:
        lines += [
            f"**{case.probability:.2f}** image `{case.image_id}`, study `{case.study_id}`",
            "",
            f"![overlay of image {case.image_id}]({case.address})",
            "",
        ]
    return lines


def _stage_lines(outcome: NightOutcome) -> list[str]:
    """List where the time went; nothing if it was not measured."""
    total = sum(outcome.stages.values())
    if not total:
        return []
    rows: list[Row] = [("stage", "seconds of work", "share", "ms an image")]
    rows.extend(
        (
            stage,
            f"{spent:.1f}",
            f"{spent / total:.0%}",
            f"{1000 * spent / max(1, outcome.rows):.1f}",
        )
        for stage, spent in outcome.stages.items()
    )
    note = "Over all workers; stages overlap, and rows that were scored before cost nothing here."
    return ["", "## Where the time went", "", *_markdown_table(rows), "", note]


def _fact_rows(outcome: NightOutcome) -> list[Row]:
    studies = ", ".join(
        f"{outcome.studies_by_decision.get(str(decision), 0)} {decision}" for decision in Decision
    )
    model = f"{outcome.bundle}, digest {outcome.bundle_digest[:12]}"
    steps = ", ".join(f"{step} {seconds:.1f}" for step, seconds in outcome.seconds.items())
    return [
        ("studies", studies),
        ("seconds", f"{sum(outcome.seconds.values()):.1f} ({steps})"),
        ("images a second", f"{outcome.images_per_second:.1f}"),
        ("shards", f"{outcome.shards_scored} scored, {outcome.shards_reused} reused"),
        ("model", model),
        ("threshold", f"{outcome.threshold:.4g}"),
        ("run", outcome.run_id),
        ("results", outcome.results_url),
        ("studies table", outcome.studies_url),
        ("explanations", outcome.explanations_url),
    ]


def _by_size(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _align(rows: Sequence[Row]) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    return ["  " + _pad(row, widths).rstrip() for row in rows]


def _pad(row: Row, widths: Sequence[int]) -> str:
    cells = [
        # Numbers to the right, so that their digits stand below each other.
        cell.rjust(width) if cell.isdigit() else cell.ljust(width)
        for cell, width in zip(row, widths, strict=False)
    ]
    return "  ".join([*cells, row[-1]])


def _markdown_table(rows: Iterable[Row]) -> list[str]:
    header, *body = rows
    lines = [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    lines.extend(f"| {' | '.join(cell.strip() for cell in row)} |" for row in body)
    return lines
