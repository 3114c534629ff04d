"""The HTML page of a leave-one-source-out table: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from model.html_page import render_page, render_pictures, render_section, render_table
from model.left_out import LEAST_TUMORS_FLAGGED
from model.robustness_plots import draw_rows
from model.shift_table_report import WIDE_PICTURES, format_figure

HEADS: Final = (
    "measured on",
    "slices",
    "tumours",
    "groups",
    "AUC",
    "tumours flagged",
    "of these by the scope gate",
    "normals cleared",
    "called out of scope",
    "bar",
)


def render_left_out(content: Mapping[str, Any]) -> str:
    """Render the table as one HTML page."""
    rows = name_rows(content)
    plot = draw_rows(rows, LEAST_TUMORS_FLAGGED, "Flagged and cleared")
    body = [
        (
            escape(name),
            str(row["n"]),
            str(row["positives"]),
            str(row["groups"]),
            *(
                format_figure(row[key])
                for key in (
                    "auc",
                    "tumors_flagged",
                    "by_scope_gate",
                    "normals_cleared",
                    "out_of_scope",
                )
            ),
            name_bar(row),
        )
        for name, row in rows.items()
    ]
    introduction = (
        "<p>For each line, a network was trained and calibrated without any image of the sources "
        f"named, for {content['minutes']:g} minutes, and then measured on all their images; beside "
        "it, what the same network reaches on the test part of the sources that it knows. At least "
        f"{LEAST_TUMORS_FLAGGED:.0%} of the tumours of sources that were left out should be "
        "flagged, by threshold or scope gate. In small print: 95% intervals, bootstrapped over "
        "groups.</p>"
    )
    sections = (
        introduction,
        render_section("At a glance", render_pictures([plot])),
        render_section("Every source", render_table("All slices", HEADS, body)),
    )
    return render_page("Leaving one source out", sections, WIDE_PICTURES)


def name_rows(content: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the rows of the table by what a reader calls them."""
    rows: dict[str, dict[str, Any]] = {}
    for name, trained in content["left_out"].items():
        rows[f"without {name}: {name}"] = {**trained["left_out"], "bars": trained["bars"]}
        if len(trained["by_source"]) > 1:
            for source, row in trained["by_source"].items():
                rows[f"without {name}: {source}"] = row
        if trained["own_test_part"] is not None:
            rows[f"without {name}: the others' test part"] = trained["own_test_part"]
    return rows


def name_bar(row: Mapping[str, Any]) -> str:
    """Say whether a row meets its bar; nothing where it has none."""
    bars = row.get("bars", {})
    return "; ".join("met" if bar["met"] else "missed" for bar in bars.values())
