"""The command ``mri-triage drift``. As in `flows.cli`, heavy imports stand inside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.options import LakeOption, PlaceOption


def register_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("drift")(drift)


def drift(
    night: Annotated[
        list[str] | None,
        typer.Option(help="YYYY-MM-DD, may be repeated; else the latest published night."),
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Judge every published night.")] = False,
    lake: LakeOption = None,
    place: PlaceOption = "base",
) -> None:
    """Judge published nights against the nights before them, and write it down for the worklist.

    Probabilities, share flagged, brightness, resolution, scanners and scope, for all images and by
    scanner. The nightly run does this by itself and sends an alert. Nothing else is changed.
    """
    from rich.console import Console
    from rich.progress import track

    from flows.arguments import make_lake_address, parse_night, resolve_settings
    from flows.drift import drift_table, find_nights, judge_and_write, tell_drift
    from flows.evaluation_cli import make_console
    from jobs.lake import open_lake

    settings = resolve_settings(place, os.environ, lake=lake)
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require()
    nights = find_nights(store, [parse_night(text) for text in night or ()], every=every)
    console = make_console()
    bars = track(nights, "Nights", console=Console(stderr=True), transient=True)
    for judged in [judge_and_write(store, one, settings) for one in bars]:
        if judged.tests and (judged.alarms or len(nights) == 1):
            console.print(drift_table(judged))
        for sentence in tell_drift(judged):
            typer.echo(sentence)
