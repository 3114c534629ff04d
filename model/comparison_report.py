"""The HTML page of a comparison: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from model.comparison_plots import draw_comparison
from model.comparison_words import Row, compare_heads, describe_calls, describe_making
from model.html_page import render_page, render_pictures, render_section, render_table

DRAWINGS: Final = {"balanced": "balanced", "as_they_lie": "as they lie"}
SIGHTS: Final = {"head": "head", "whole_picture": "whole picture"}
METRICS: Final = {
    "accuracy": "accuracy",
    "log_loss": "loss",
    "precision": "precision",
    "sensitivity": "recall",
    "auc": "AUC",
}

WIDE_STYLE: Final = "figure { max-width: none; }"


def render_comparison(content: Mapping[str, Any]) -> str:
    """Render the finished rows as one page.

    Args:
        content: what stands in ``compare.json``.
    """
    rows: Sequence[Row] = content["rows"]
    sections = (
        _words(describe_making(content)),
        render_section("All rows", _metrics_table(rows) + _words(compare_heads(rows))),
        render_section("At the threshold of one half", _half_table(rows)),
        render_section("Tumour every time", _words(describe_calls(rows))),
        render_section("How the rows were made", _making_table(rows)),
        render_section("Curves", render_pictures(draw_comparison(rows))),
    )
    return render_page("Comparison of networks", sections, WIDE_STYLE)


def _metrics_table(rows: Sequence[Row]) -> str:
    heads = (
        "",
        "pretrained",
        "pixels",
        *METRICS.values(),
        "specificity at 99% sensitivity",
        "specificity",
        "parameters",
        "images a second",
        "training pictures seen",
    )
    body = [
        (
            escape(row["title"]),
            "yes" if row["pretrained"] else "no",
            str(row["size"]),
            *(_cell(row["test"]["overall"][key]) for key in METRICS),
            _cell(row["test"]["overall"]["specificity_at_sensitivity"]["0.99"]),
            _cell(row["test"]["overall"]["specificity"]),
            f"{row['parameters']:,}",
            f"{row['images_a_second']:,.0f}",
            f"{row['pictures_seen']:,}",
        )
        for row in rows
    ]
    return render_table("Test part, at each row's own threshold", heads, body)


def _half_table(rows: Sequence[Row]) -> str:
    keys = {**METRICS, "specificity": "specificity"}
    del keys["auc"], keys["log_loss"]
    body = [(escape(row["title"]), *(_cell(row["at_half"][key]) for key in keys)) for row in rows]
    return render_table("Test part, as the first project decided", ("", *keys.values()), body)


def _making_table(rows: Sequence[Row]) -> str:
    heads = ("", "sees", "classes drawn", "threshold", "first weights (SHA-256 of a file)")
    body = [
        (
            escape(row["title"]),
            SIGHTS[row["sees"]],
            DRAWINGS[row["drawing"]],
            f"{row['threshold']:.4g}",
            f"<code>{escape(row['settings']['first_weights'][:12])}</code>",
        )
        for row in rows
    ]
    return render_table("Inputs and weights", heads, body)


def _words(paragraphs: Sequence[str]) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in paragraphs)


def _cell(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}<small>{interval['low']:.3f}-{interval['high']:.3f}</small>"
