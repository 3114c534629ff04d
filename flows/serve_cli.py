"""The command ``mri-triage serve``. As in `flows.cli`, heavy imports stand inside it."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from flows.options import LakeOption, PlaceOption


def register_commands(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command("serve")(serve)


def serve(
    lake: LakeOption = None,
    place: PlaceOption = "base",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the UI.")] = 4200,
    home: Annotated[
        Path,
        typer.Option(envvar="PREFECT_HOME", help="Folder of the server's database and log."),
    ] = Path("~/.mri-triage/prefect"),
) -> None:
    """Start the schedule, the backfill form and the Prefect UI on this machine.

    Starts a Prefect server, registers the deployments nightly, backfill, training and evaluation,
    and runs what is due. With PREFECT_API_URL set, that server is used instead. What a crash
    interrupted goes on at the next start.
    """
    from flows.arguments import choose_last_night, lake_url, resolve_settings
    from flows.night_request import check_request, make_night_request
    from flows.serve import ServeOptions
    from flows.serve import serve as serve_place

    settings = resolve_settings(place, os.environ, lake=lake)
    night = choose_last_night(datetime.now(UTC), settings.night.zone)
    # What every run would fail of is said before anything is started.
    check_request(make_night_request(settings, night, os.environ))
    is_file = Path(place).suffix in {".yaml", ".yml"}
    options = ServeOptions(
        # Runs start elsewhere: a relative place or lake would be another one there.
        place=str(Path(place).absolute()) if is_file else place,
        lake=lake_url(settings.lake.url, Path.cwd()),
        host=host,
        port=port,
        home=home.expanduser().absolute(),
    )
    serve_place(settings, options, typer.echo)
