"""Evaluations and threshold studies as tables and sentences for a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from model.cross_validation import ENOUGH_GROUPS
from model.evaluate_bundle import Evaluation
from model.threshold_study import propose_in_words
from model.thresholds import TARGET_SENSITIVITY

COLUMNS = ("auc", "log_loss", "accuracy", "precision", "sensitivity", "specificity", "npv")


def evaluation_table(evaluation: Evaluation) -> Table:
    """Return the figures of all slices and of each stratum as a table."""
    content = evaluation.content
    card = evaluation.bundle.card
    title = f"{card.name} {card.version}, {evaluation.part.name}, at threshold {card.threshold:.4g}"
    table = Table(title=title, caption=f"95% over groups; NPV at {content['prevalence']:.1%}")
    table.add_column("")
    for heading in ("slices", "groups", *(name.replace("_", " ") for name in COLUMNS)):
        table.add_column(heading, justify="right")
    _add_row(table, "all", content["overall"])
    for division, rows in content["by"].items():
        if len(rows) == 1:
            continue  # one stratum is the row above again
        table.add_section()
        for name, row in rows.items():
            _add_row(table, f"{division.replace('_', ' ')}: {name}", row)
    return table


def evaluation_notes(evaluation: Evaluation) -> list[str]:
    """Return what stands below the table: maps, shortcuts, what is not measured."""
    content = evaluation.content
    maps, shortcuts = content["localisation"], content["shortcuts"]
    notes = []
    if maps["n"]:
        notes.append(
            f"{maps['n']} outlined slices: Dice {maps['dice']:.3f}, IoU of the boxes "
            f"{maps['box_iou']:.3f}, pointing game {maps['pointing_game']:.3f}",
        )
    known = [
        f"{name.replace('_', ' ')} {row['auc']['value']:.3f}"
        for name, row in shortcuts.items()
        if row and row["auc"]
    ]
    if known:
        notes.append(f"AUC without looking at the brain: {', '.join(known)}")
    for name, row in content["cross_validation"].items():
        if row and row["sensitivity"] and row["specificity"]:
            notes.append(
                f"{name}, fewer than {ENOUGH_GROUPS} groups: with a threshold of its own, "
                f"cross-validated by group, sensitivity {row['sensitivity']['value']:.3f} and "
                f"specificity {row['specificity']['value']:.3f}",
            )
    return notes


def _scope_in_words(check: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    """Return what the scope gate calls out of scope, rightly and wrongly."""
    rightly, wrongly = (
        ", ".join(
            f"{name.replace('_', ' ')} {row['out_of_scope']} of {row['n']}"
            for name, row in check[side].items()
        )
        for side in ("not_brain_mr", "brain_mr")
    )
    return f"out of scope, of pictures that are not brain MR: {rightly}; of these slices: {wrongly}"


def study_table(study: Mapping[str, Any]) -> Table:
    """Return what each threshold does as a table."""
    table = Table(
        title=f"thresholds on {study['tumor_slices']} tumour slices of {study['tumor_groups']} "
        f"groups and {study['normal_slices']} normal slices of {study['normal_groups']}",
    )
    table.add_column("target")
    lengths = study["bundle"]["simulated_studies"]
    headings = (
        "threshold",
        "slice sensitivity",
        "groups missed",
        "group bound",
        "normals cleared",
        "with scope gate",
        *(f"studies of {length}*" for length in lengths),
    )
    for heading in headings:
        table.add_column(heading, justify="right")
    for target, row in study["targets"].items():
        _add_threshold(table, f"{float(target):.1%}", row)
    table.add_section()
    _add_threshold(table, "the bundle's", study["bundle"])
    return table


def study_notes(study: Mapping[str, Any]) -> list[str]:
    """Return what the figures can and cannot support, in words."""
    simulation = (
        "* A simulation, not a measurement: the share of normal studies of so many slices of "
        "which every slice is cleared, with studies put together from these normal slices, "
        "groups kept whole. In brackets: if all slices of a study were drawn independently, and "
        "if all came from one group. These data hold no whole studies, so there is no study score "
        "and no threshold of its own for studies."
    )
    optimism = (
        "Each threshold is measured on the slices that it was chosen on: on others it will do "
        "slightly worse. No scores of folds that were trained anew are pooled."
    )
    supports = [
        f"{float(target):.1%}: {row['in_words']}" for target, row in study["targets"].items()
    ]
    return [simulation, optimism, *supports, propose_in_words(study, TARGET_SENSITIVITY)]


def metrics_markdown(metrics: Mapping[str, Any]) -> list[str]:
    """Return the figures of all slices and of each source as lines of a markdown table.

    Args:
        metrics: of a card, or the content of an evaluation.
    """
    rows = {"all": metrics["overall"], **metrics["by"]["source"]}
    columns = ("auc", "sensitivity", "specificity")
    cells = {
        name: [str(row["n"]), str(row["groups"]), *(_figure(row[one]) for one in columns)]
        for name, row in rows.items()
    }
    return [
        "| source | slices | groups | AUC | sensitivity | specificity |",
        "|---|---|---|---|---|---|",
        # A figure stands in two lines on a terminal; a cell of markdown has one.
        *(
            f"| {name} | {' | '.join(cell.replace(chr(10), ', ') for cell in row)} |"
            for name, row in cells.items()
        ),
    ]


def _add_row(table: Table, name: str, row: Mapping[str, Any]) -> None:
    figures = [_figure(row[column]) for column in COLUMNS]
    table.add_row(escape(name), str(row["n"]), str(row["groups"]), *figures)


def _add_threshold(table: Table, name: str, row: Mapping[str, Any]) -> None:
    groups = row["groups"]
    table.add_row(
        name,
        f"{row['threshold']:.4g}",
        _figure(row["sensitivity"]),
        f"{groups['missed']} of {groups['groups']}",
        f"{groups['lower_bound']:.3f}",
        _figure(row["normals_cleared"]),
        _figure(row["normals_cleared_with_scope_gate"]),
        *(_simulated(one) for one in row["simulated_studies"].values()),
    )


def _simulated(row: Mapping[str, float] | None) -> str:
    if row is None:
        return "-"
    return f"{row['simulated']:.2f}\n[{row['if_independent']:.2f}, {row['if_one_group']:.2f}]"


def _figure(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}\n{interval['low']:.3f}-{interval['high']:.3f}"
