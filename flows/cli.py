"""The command ``mri-triage``.

Heavy imports (Prefect, Spark, the network) stand inside the commands, so that ``--help`` and a
refused argument answer at once.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, NoReturn
from zoneinfo import ZoneInfo

import typer

from conf.settings import SettingsError
from model.errors import ConfigurationError, TriageError

PROGRAM = "mri-triage"

INTERRUPTED_EXIT_CODE = 130
"""128 + SIGINT, as shells count."""

TERMINATED_EXIT_CODE = 143
"""128 + SIGTERM."""

PlaceOption = Annotated[
    str,
    typer.Option(
        envvar="MRI_TRIAGE_PLACE",
        help="Settings: demo, hospital, or a YAML file of your own.",
    ),
]
LakeOption = Annotated[
    str | None,
    typer.Option(help="Folder, file:///folder or s3://bucket/prefix; else lake.url."),
]

app = typer.Typer(
    name=PROGRAM,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Sort the brain-MR images of a night into flagged and cleared. It assists radiologists; "
    "it never diagnoses, and cleared means not flagged, never discharged.",
)
config_app = typer.Typer(no_args_is_help=True, help="The settings.", rich_markup_mode=None)
app.add_typer(config_app, name="config")


@dataclass
class CommandState:
    """What the options before the command's name say."""

    debug: bool = False


@app.callback()
def read_common_options(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error."),
    ] = False,
) -> None:
    """Keep the options that hold for every command."""
    context.ensure_object(CommandState).debug = debug


@app.command("night")
def run_nights(
    night: Annotated[
        list[str] | None,
        typer.Option(help="YYYY-MM-DD, may be repeated; else yesterday in the hospital's zone."),
    ] = None,
    lake: LakeOption = None,
    place: PlaceOption = "base",
    threshold: Annotated[
        float | None,
        typer.Option(help="Flag from this probability; a higher one than the bundle's is refused."),
    ] = None,
    allow_fewer: Annotated[
        bool,
        typer.Option("--allow-fewer", help="Publish though the night holds fewer objects now."),
    ] = False,
    publish_anyway: Annotated[
        bool,
        typer.Option("--publish-anyway", help="Publish though too many images could not be read."),
    ] = False,
) -> None:
    """Score a night and publish it."""
    from flows.arguments import resolve_settings

    settings = resolve_settings(place, os.environ, lake=lake, threshold=threshold)
    nights = _choose_nights(night, settings.night.zone)
    from flows.local_prefect import prepare_prefect
    from flows.night_request import check_request, make_night_request

    # Prefect takes seconds to start, Spark and the network too: what is wrong is said before.
    check_request(make_night_request(settings, nights[0], os.environ))
    prepare_prefect(os.environ)
    from flows.nightly import nightly
    from flows.reports import format_summary

    for one in nights:
        outcome = nightly(
            night=one,
            lake=lake,
            place=place,
            threshold=threshold,
            allow_fewer=allow_fewer,
            publish_anyway=publish_anyway,
        )
        typer.echo(format_summary(outcome))


@app.command("locate")
def locate_image(
    image_id: Annotated[str, typer.Argument(help="As in results.parquet.")],
    lake: LakeOption = None,
    place: PlaceOption = "base",
    night: Annotated[
        str | None,
        typer.Option(help="Look in this night only (YYYY-MM-DD)."),
    ] = None,
) -> None:
    """Print where the object of an image lies, for whoever may read the lake."""
    from flows.arguments import make_lake_address, parse_night, resolve_settings
    from jobs.lake import open_lake
    from jobs.locate_image import find_image

    settings = resolve_settings(place, os.environ, lake=lake)
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require()
    found = find_image(store, image_id, parse_night(night) if night else None)
    frame = "" if found.frame is None else f" frame {found.frame}"
    typer.echo(f"{store.locate(found.object_key)}{frame}")


@config_app.command("show")
def show_settings(place: PlaceOption = "base", lake: LakeOption = None) -> None:
    """Print the resolved settings; secrets are never among them."""
    from flows.arguments import resolve_settings
    from flows.reports import format_settings

    typer.echo(format_settings(resolve_settings(place, os.environ, lake=lake), os.environ))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code (README, "Exit codes").

    Args:
        arguments: without the program's name; None for those of this process.
    """
    signal.signal(signal.SIGTERM, _end_in_order)
    state = CommandState()
    try:
        code = app(arguments, standalone_mode=False, obj=state)
    except Exception as error:
        if state.debug:
            raise
        return _tell(error)
    if code == INTERRUPTED_EXIT_CODE:  # typer has caught the KeyboardInterrupt
        sys.stderr.write(f"{PROGRAM}: interrupted\n")
    return code if isinstance(code, int) else 0


def _choose_nights(texts: list[str] | None, zone: ZoneInfo) -> list[date]:
    from flows.arguments import choose_last_night, parse_night

    if not texts:
        return [choose_last_night(datetime.now(UTC), zone)]
    return [parse_night(text) for text in texts]


def _tell(error: Exception) -> int:
    """Write one sentence about an error to standard error and return its exit code."""
    if isinstance(error, typer.TyperException):
        message, code = error.format_message(), error.exit_code
    elif isinstance(error, SettingsError):
        message, code = str(error), ConfigurationError.exit_code
    elif isinstance(error, TriageError):
        message, code = str(error), error.exit_code
    else:
        message = f"unexpected {type(error).__name__}: {error} (--debug shows where)"
        code = TriageError.exit_code
    sys.stderr.write(f"{PROGRAM}: {' '.join(message.split())}\n")
    return code


def _end_in_order(_signal: int, _frame: FrameType | None) -> NoReturn:
    # Python's own answer to SIGTERM runs no `finally`: the lease on the night would stay.
    raise SystemExit(TERMINATED_EXIT_CODE)


if __name__ == "__main__":
    sys.exit(main())
