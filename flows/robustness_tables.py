"""Shift tables and leave-one-source-out tables for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from model.left_out_report import name_bar, name_rows
from model.picture_changes import BACKGROUND, PAINTED


def shift_table(content: Mapping[str, Any]) -> Table:
    """Return the rows of a shift table, changes of one family together."""
    table = Table(
        title=f"shift table, {content['data']['part']}, threshold {content['threshold']:.4g}",
        caption="95% over groups",
    )
    table.add_column("change")
    headings = (
        "slices",
        "AUC",
        "tumours flagged",
        "by scope gate",
        "tumours lost",
        "normals cleared",
        "decisions changed",
        "bars",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    _add_row(table, "unchanged", content["unchanged"])
    family = ""
    for name, row in content["changes"].items():
        if row["family"] != family:
            table.add_section()
            family = row["family"]
        _add_row(table, name, row)
    return table


def shift_notes(content: Mapping[str, Any]) -> list[str]:
    """Return what stands below the table: bars that are missed, painted lesions, comparison."""
    rows = content["changes"]
    missed = [
        f"{name} ({figure.replace('_', ' ')} {row[figure]['value']:.3f})"
        for name, row in rows.items()
        for figure, bar in row["bars"].items()
        if not bar["met"]
    ]
    notes = [f"bars missed: {', '.join(missed)}" if missed else "every bar is met"]
    painted = [
        f"{name} {row['newly_flagged']['value']:.3f}"
        for name, row in rows.items()
        if row["family"] == PAINTED and row["newly_flagged"]
    ]
    if painted:
        notes.append(
            "painted lesions, flagged among the slices that are cleared without: "
            f"{', '.join(painted)}",
        )
    for network, by_change in content["compared"].items():
        changed = ", ".join(
            f"{name} {row['flips']['value']:.3f}" for name, row in by_change.items()
        )
        notes.append(f"decisions that another background changes for {network}: {changed}")
    if any(row["family"] == BACKGROUND for row in rows.values()) and not content["compared"]:
        notes.append("--compared sets the comparison's plain CNN beside the background's rows")
    return notes


def left_out_table(content: Mapping[str, Any]) -> Table:
    """Return the rows of a leave-one-source-out table."""
    table = Table(
        title=f"leave one source out, {content['minutes']:g} minutes each",
        caption="95% over groups",
    )
    table.add_column("")
    headings = (
        "slices",
        "tumours",
        "groups",
        "AUC",
        "tumours flagged",
        "by scope gate",
        "normals cleared",
        "out of scope",
        "bar",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for name, row in name_rows(content).items():
        figures = ("auc", "tumors_flagged", "by_scope_gate", "normals_cleared", "out_of_scope")
        table.add_row(
            escape(name),
            *(str(row[key]) for key in ("n", "positives", "groups")),
            *(_figure(row[key]) for key in figures),
            name_bar(row),
        )
    return table


def _add_row(table: Table, name: str, row: Mapping[str, Any]) -> None:
    bars = row.get("bars", {})
    painted = row.get("family") == PAINTED  # the row holds the slices as they were, too
    table.add_row(
        escape(name),
        str(row["positives" if painted else "n"]),
        _figure(row["auc"]),
        _figure(row["tumors_flagged"]),
        _figure(row["by_scope_gate"]),
        str(row.get("tumors_lost", "")),
        _figure(row["normals_cleared"]),
        _figure(row.get("flips")),
        "\n".join("met" if bar["met"] else "missed" for bar in bars.values()),
    )


def _figure(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}\n{interval['low']:.3f}-{interval['high']:.3f}"
