"""The commands ``mri-triage shifts`` and ``mri-triage leave-one-out``.

As in `flows.cli`, heavy imports stand inside the commands.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.evaluation_cli import make_console
from flows.options import BundleOption, DataOption, ImagenetOption, JsonOption, PartOption


def register_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("shifts")(measure_shifts)
    app.command("leave-one-out")(leave_one_out)


def measure_shifts(
    data: DataOption,
    bundle: BundleOption = None,
    part: PartOption = None,
    change: Annotated[
        list[str] | None,
        typer.Option(help="Only this change, by its name in the table; may be repeated."),
    ] = None,
    json_file: JsonOption = None,
    report: Annotated[
        Path | None,
        typer.Option(
            help="Write a page with plots here. It shows some of the images under every change: "
            "keep it where the images may be.",
        ),
    ] = None,
    compared: Annotated[
        Path | None,
        typer.Option(
            help="Folder of mri-triage compare: its plain CNN is shown other backgrounds too.",
        ),
    ] = None,
) -> None:
    """Measure a bundle on the same images delivered in other ways.

    Each change (skull removed, another framing, contrast, resolution, noise, orientation,
    background ...) is applied to the decoded image; then the bundle prepares, scores and decides
    as in a night. At least 97% of the tumours should stay flagged under every change, and another
    background should change at most 1% of the decisions.
    """
    from flows.evaluation import format_json, refuse_unwritable, tell, write_text
    from flows.robustness import measure_shifts_with_bar
    from flows.robustness_tables import shift_notes, shift_table

    console = make_console()
    refuse_unwritable(json_file, report)
    table = measure_shifts_with_bar(bundle, data, part, change, compared, console)
    console.print(shift_table(table.content))
    tell(shift_notes(table.content), console)
    if json_file is not None:
        write_text(json_file, format_json(table.content))
    if report is not None:
        from model.shift_table_report import render_shift_table

        write_text(report, render_shift_table(table))


def leave_one_out(
    data: DataOption,
    imagenet: ImagenetOption,
    out: Annotated[
        Path,
        typer.Option(help="Folder of bundles, checkpoints and table; goes on with what is there."),
    ],
    minutes: Annotated[float, typer.Option(help="Time of each training's steps.")] = 15.0,
    left_out: Annotated[
        list[str] | None,
        typer.Option(
            help="Source to leave out, or several joined by a plus; may be repeated. Else "
            "sartaj+cheng, lgg_flair and br35h+navoneel.",
        ),
    ] = None,
) -> None:
    """Train without a source, then measure on all of its images; a table of one line a source.

    The nearest that these data come to another hospital. At least 95% of the tumours of a source
    that the network never saw should be flagged, by threshold or scope gate. The bundles are for
    measuring, not for use.
    """
    from flows.evaluation import tell
    from flows.robustness import leave_out_with_bars
    from flows.robustness_tables import left_out_table

    console = make_console()
    content = leave_out_with_bars(data, imagenet, out, minutes, left_out, console)
    console.print(left_out_table(content))
    tell([f"written: {out / name}" for name in ("left_out.json", "left_out.html")], console)
