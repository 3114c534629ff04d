"""The command ``mri-triage quality``. As in `flows.cli`, heavy imports stand inside it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from flows.options import LakeOption, PlaceOption

NightOption = Annotated[str | None, typer.Option(help="YYYY-MM-DD; else all.")]


def register_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("quality")(quality)


def quality(
    lake: LakeOption = None,
    place: PlaceOption = "base",
    since: NightOption = None,
    until: NightOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Estimate sensitivity and misses from what readers answered, and propose a threshold.

    Flagged studies count as they were answered; how many tumors were cleared is estimated from the
    random sample of cleared studies that was double-read. Nothing is changed.
    """
    from rich.console import Console
    from rich.progress import Progress

    from flows.arguments import make_lake_address, parse_night, resolve_settings
    from flows.bundle_choice import choose_bundle
    from flows.evaluation_cli import make_console
    from flows.quality import describe_quality, quality_notes, quality_tables
    from jobs.lake import open_lake
    from jobs.reader_answers import gather_answers
    from jobs.registry_bundles import open_source
    from jobs.score_night import choose_limits

    settings = resolve_settings(place, os.environ, lake=lake)
    first, last = (None if text is None else parse_night(text) for text in (since, until))
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require()
    card = open_source(store, choose_bundle(settings.bundle)).card
    threshold = choose_limits(card.limits, settings.bundle.threshold).threshold
    with Progress(console=Console(stderr=True), transient=True) as bars:
        task = bars.add_task("Answers", total=None)
        gathered = gather_answers(
            store, first, last, lambda done, total: bars.update(task, completed=done, total=total)
        )
    found = describe_quality(gathered, threshold)
    if as_json:
        typer.echo(json.dumps(found, indent=1, allow_nan=False))
        return
    console = make_console()
    for table in quality_tables(found):
        console.print(table)
    for note in quality_notes(found):
        typer.echo(note)
