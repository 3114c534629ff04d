"""A comparison as a table and sentences for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from model.comparison_report import METRICS
from model.comparison_words import compare_heads, describe_calls


def comparison_table(content: Mapping[str, Any]) -> Table:
    """Return the finished rows, measured on the test part, as a table."""
    table = Table(
        title=f"test part, {content['parts']['test']['n']} slices; {content['budget_minutes']:g} "
        "minutes of training a row",
        caption="at each row's threshold from the calibration part; 95% over groups",
    )
    table.add_column("")
    headings = (
        "pretrained",
        "pixels",
        *METRICS.values(),
        "spec. at 99%",
        "parameters",
        "images/s",
        "pictures seen",
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for row in content["rows"]:
        overall = row["test"]["overall"]
        table.add_row(
            row["title"],
            "yes" if row["pretrained"] else "no",
            str(row["size"]),
            *(_figure(overall[key]) for key in METRICS),
            _figure(overall["specificity_at_sensitivity"]["0.99"]),
            f"{row['parameters']:,}",
            f"{row['images_a_second']:,.0f}",
            f"{row['pictures_seen']:,}",
        )
    return table


def comparison_notes(content: Mapping[str, Any], out: Path) -> list[str]:
    """Return what stands below the table."""
    rows = content["rows"]
    return [*describe_calls(rows), *compare_heads(rows), f"the page: {out / 'compare.html'}"]


def _figure(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}\n{interval['low']:.3f}-{interval['high']:.3f}"
