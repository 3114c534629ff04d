"""The command ``mri-triage predict``. As in `flows.cli`, heavy imports stand inside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.options import QUIET, BundleOption, PlaceOption


def register_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("predict")(predict)


def predict(
    files: Annotated[
        list[Path],
        typer.Argument(help="JPEG, PNG, DICOM, NIfTI ...; each frame is a row.", metavar="FILE..."),
    ],
    place: PlaceOption = "base",
    bundle: BundleOption = None,
    threshold: Annotated[
        float | None,
        typer.Option(help="Flag from this probability; a higher one than the bundle's is refused."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    overlays: Annotated[
        Path | None,
        typer.Option(help="Explain each scored image with LIME (seconds), pictures go here."),
    ] = None,
) -> None:
    """Score single images as a night would: probability, decision, reason, box.

    Nothing is stored, and no lake is needed. An image that cannot be read is flagged, with its
    reason, as in a night. It assists; it never diagnoses.
    """
    from rich.console import Console
    from rich.progress import track

    from flows.arguments import resolve_settings
    from flows.evaluation_cli import make_console
    from flows.prediction import (
        format_records,
        make_terms,
        predict_files,
        read_file,
        records_table,
        to_records,
        write_overlays,
    )

    os.environ.setdefault(*QUIET)
    settings = resolve_settings(place, os.environ, threshold=threshold)
    terms = make_terms(settings, bundle)
    for path in files:  # what is missing is said before the network is loaded
        read_file(path, 0)
    from jobs.single_image import ImagePredictor

    predictor = ImagePredictor(terms)
    console = Console(stderr=True)
    bars = track(
        predict_files(predictor, files), "Images", len(files), console=console, transient=True
    )
    records, problems = [], []
    for number, (path, content, predictions) in enumerate(bars):
        records += to_records(path, predictions)
        if overlays is not None:
            name = f"{number:04d}-{path.stem}"
            problems += write_overlays(predictor, name, content, predictions, overlays)
    if as_json:
        typer.echo(format_records(records))
    else:
        make_console().print(records_table(records))
    for problem in problems:
        typer.echo(problem, err=True)
