"""The registry of models as tables and sentences for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from jobs.registry import RegisteredVersion
from jobs.registry_record import Current
from model.bundle import Bundle
from model.promotion import Comparison, Difference

DIGEST_CHARACTERS = 12
"""Enough to tell bundles apart by eye; `model show` prints all of it."""


def versions_table(
    versions: Sequence[RegisteredVersion],
    current: Mapping[str, Current | None],
) -> Table:
    """Return what is registered, with the figures of the cards.

    Args:
        versions: one row each.
        current: by the name of the model, what ``CURRENT`` says.
    """
    table = Table(title="Registered bundles", caption="figures of each card's own test part")
    for heading in ("model", "version", "current", "date"):
        table.add_column(heading)
    for heading in ("AUC", "sensitivity", "specificity", "spec. at 99%"):
        table.add_column(heading, justify="right")
    for entry in versions:
        of_model = current[entry.name]
        mark = "CURRENT" if of_model and of_model.version == entry.version else ""
        if entry.card is None:
            table.add_row(entry.name, entry.version, mark, escape(entry.problem or ""))
            continue
        overall: Mapping[str, Any] = entry.card.metrics.get("overall", {})
        intervals = (
            overall.get("auc"),
            overall.get("sensitivity"),
            overall.get("specificity"),
            overall.get("specificity_at_sensitivity", {}).get("0.99"),
        )
        figures = [f"{interval['value']:.3f}" if interval else "-" for interval in intervals]
        table.add_row(entry.name, entry.version, mark, entry.card.date, *figures)
    return table


def comparison_table(comparison: Comparison, current: str, candidate: str) -> Table:
    """Return two bundles side by side.

    Args:
        comparison: of the two.
        current: version that scores now.
        candidate: the other version.
    """
    table = Table(title=f"{candidate} against {current}", caption=comparison.method)
    table.add_column("")
    for heading in (current, candidate, "difference (95%)"):
        table.add_column(heading, justify="right")
    table.add_column("")
    for difference in comparison.differences:
        table.add_row(difference.metric, *_cells(difference))
    return table


def bundle_lines(bundle: Bundle) -> list[str]:
    """Return what a card says, in a few lines."""
    card = bundle.card
    return [
        f"{card.name} {card.version} of {card.date}",
        f"digest       {bundle.digest}",
        f"threshold    {card.threshold:.4f}. {card.threshold_method}",
        f"trained on   split {card.data_digest}",
        f"code         {card.code_version}",
        f"intended use {card.intended_use}",
    ]


def history_table(current: Current) -> Table:
    """Return every promotion and rollback, the latest first."""
    table = Table(title="Promotions and rollbacks, the latest first")
    for heading in ("when (UTC)", "what", "version", "digest", "because"):
        table.add_column(heading)
    for change in reversed(current.changes):
        overruled = f" (overruled: {'; '.join(change.overruled)})" if change.overruled else ""
        table.add_row(
            change.at,
            change.action,
            change.version,
            change.digest[:DIGEST_CHARACTERS],
            escape(f"{change.because or ''}{overruled}"),
        )
    return table


def _cells(difference: Difference) -> tuple[str, str, str, str]:
    if difference.value is None:
        return "-", "-", "-", ""
    return (
        f"{difference.current:.3f}",
        f"{difference.candidate:.3f}",
        f"{difference.value:+.3f} ({difference.low:+.3f} to {difference.high:+.3f})",
        "worse" if difference.is_worse else "",
    )
