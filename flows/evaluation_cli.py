"""The commands ``mri-triage evaluate`` and ``mri-triage threshold``.

As in `flows.cli`, heavy imports stand inside the commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flows.options import BundleOption, DataOption, JsonOption, PartOption

if TYPE_CHECKING:
    from rich.console import Console

WIDTH_OF_A_FILE = 200
"""Columns where the output is no terminal: the tables are wide, and a log is searched by line."""


def register_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("evaluate")(evaluate)
    app.command("threshold")(study_threshold)


def evaluate(
    data: DataOption,
    bundle: BundleOption = None,
    part: PartOption = None,
    prevalence: Annotated[
        float,
        typer.Option(help="Share of slices with a tumour for which the NPV is stated."),
    ] = 0.05,
    json_file: JsonOption = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with plots here.")] = None,
) -> None:
    """Measure a bundle on labelled images, with intervals over groups."""
    from flows.evaluation import (
        evaluate_with_bar,
        format_json,
        refuse_unwritable,
        tell,
        write_text,
    )
    from flows.evaluation_tables import evaluation_notes, evaluation_table

    console = make_console()
    refuse_unwritable(json_file, html)
    evaluation = evaluate_with_bar(bundle, data, part, prevalence, console)
    console.print(evaluation_table(evaluation))
    tell(evaluation_notes(evaluation), console)
    if json_file is not None:
        write_text(json_file, format_json(evaluation.content))
    if html is not None:
        from model.evaluation_report import render_evaluation

        write_text(html, render_evaluation(evaluation))


def study_threshold(
    data: DataOption,
    bundle: BundleOption = None,
    json_file: JsonOption = None,
) -> None:
    """Show which thresholds the calibration part offers; the bundle is not changed."""
    from flows.evaluation import (
        format_json,
        refuse_unwritable,
        study_with_bar,
        tell,
        write_text,
    )
    from flows.evaluation_tables import study_notes, study_table

    console = make_console()
    refuse_unwritable(json_file)
    study = study_with_bar(bundle, data, console)
    console.print(study_table(study))
    tell(study_notes(study), console)
    if json_file is not None:
        write_text(json_file, format_json(study))


def make_console() -> Console:
    """Return a console that is wide where it is no terminal."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDTH_OF_A_FILE)
