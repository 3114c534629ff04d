"""The command ``mri-triage compare``.

As in `flows.cli`, heavy imports stand inside the command.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.options import DataOption, ImagenetOption


def register_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("compare")(compare)


def compare(
    data: DataOption,
    imagenet: ImagenetOption,
    out: Annotated[
        Path,
        typer.Option(help="Folder of the rows and the table; rows finished there are kept."),
    ],
    minutes: Annotated[
        float,
        typer.Option(help="Training time of each row, the same for all."),
    ] = 15.0,
    row: Annotated[
        list[str] | None,
        typer.Option(help="Make only this row, by its name; may be repeated. Else all rows."),
    ] = None,
    resnet_weights: Annotated[
        str,
        typer.Option(
            help="First weights of ResNet-50: none, a file of them without the top, or imagenet "
            "(downloads them).",
        ),
    ] = "none",
) -> None:
    """Train the first project's networks and today's alike, and put them into one table.

    Rows: dense_64_as_they_lie, dense_64, dense_deep_dropout, cnn_dropout,
    cnn_dropout_whole_picture, cnn_l2, resnet50, efficientnet_lite0, two_headed. A comparison that
    was stopped goes on with the rows that are not finished.
    """
    from flows.comparison import ComparisonRequest, compare_with_bars
    from flows.comparison_tables import comparison_notes, comparison_table
    from flows.evaluation import tell
    from flows.evaluation_cli import make_console

    console = make_console()
    request = ComparisonRequest(data, imagenet, out, minutes, tuple(row or ()), resnet_weights)
    content = compare_with_bars(request, console)
    console.print(comparison_table(content))
    tell(comparison_notes(content, out), console)
