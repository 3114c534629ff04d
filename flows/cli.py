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
from flows.comparison_cli import register_commands as register_comparison
from flows.dataset_cli import dataset_app
from flows.drift_cli import register_commands as register_drift
from flows.engine_cli import register_commands as register_engine
from flows.evaluation_cli import register_commands
from flows.explanation_cli import register_commands as register_explanations
from flows.options import DataOption, ImagenetOption, LakeOption, PlaceOption
from flows.prediction_cli import register_commands as register_prediction
from flows.quality_cli import register_commands as register_quality
from flows.registry_cli import model_app
from flows.robustness_cli import register_commands as register_robustness
from flows.serve_cli import register_commands as register_serve
from flows.upkeep_cli import register_commands as register_upkeep
from flows.worklist_cli import register_commands as register_worklist
from model.errors import ConfigurationError, TriageError
from model.unforeseen import describe_unforeseen

PROGRAM = "mri-triage"

INTERRUPTED_EXIT_CODE = 128 + signal.SIGINT
"""As shells count."""

TERMINATED_EXIT_CODE = 128 + signal.SIGTERM


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
app.add_typer(dataset_app, name="dataset")
app.add_typer(model_app, name="model")
register_commands(app)
register_comparison(app)
register_drift(app)
register_prediction(app)
register_quality(app)
register_explanations(app)
register_robustness(app)
register_serve(app)
register_upkeep(app)
register_worklist(app)
register_engine(app)


@dataclass
class CommandState:
    """What the options before the command's name say, and which signal has come.

    Attributes:
        debug: show tracebacks.
        signal_code: exit code of the signal that ends the command; None while there is none.
    """

    debug: bool = False
    signal_code: int | None = None

    def end_in_order(self, number: int, _frame: FrameType | None) -> NoReturn:
        """Unwind the command, so that every `finally` runs and no lease stays behind.

        Python's own answer to SIGTERM runs no `finally`. The code is kept, because a terminal
        sends Ctrl-C to Spark and to Prefect's server too: what they say then hides the cause.
        """
        self.signal_code = 128 + number
        raise SystemExit(self.signal_code)


@app.callback()
def read_common_options(
    context: typer.Context,
    debug: Annotated[
        bool,
        typer.Option("--debug", help="Show the traceback of an error; it may quote file names."),
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
    from flows.night import night_flow
    from flows.reports import format_summary

    for one in nights:
        outcome = night_flow(
            night=one,
            lake=lake,
            place=place,
            threshold=threshold,
            allow_fewer=allow_fewer,
            publish_anyway=publish_anyway,
        )
        typer.echo(format_summary(outcome))


@app.command("train")
def train_model(
    data: DataOption,
    imagenet: ImagenetOption,
    out: Annotated[Path, typer.Option(help="Folder of the new bundle; must not exist.")],
    version: Annotated[str, typer.Option(help="Version of the bundle.")] = "1.0.0",
    start_from: Annotated[
        Path | None,
        typer.Option(help="Train a bundle of the same split on, with the epochs given here."),
    ] = None,
    checkpoints: Annotated[
        Path,
        typer.Option(help="A training that was stopped goes on from here."),
    ] = Path(".training/checkpoints"),
    small_epochs: Annotated[int, typer.Option(min=0, help="Epochs at 128 pixels.")] = 8,
    full_epochs: Annotated[
        int,
        typer.Option(
            min=0,
            help="Epochs at 192 pixels. 0 of both with --start-from: calibrate its network anew.",
        ),
    ] = 24,
) -> None:
    """Train a bundle, choose its threshold, and print its figures on the grouped test part."""
    from rich.console import Console

    from flows.training import make_training_request, metrics_table, train_with_bars

    console = Console()
    request = make_training_request(
        data=data,
        imagenet=imagenet,
        start_from=start_from,
        out=out,
        version=version,
        checkpoints=checkpoints,
        epochs=(small_epochs, full_epochs),
    )
    bundle = train_with_bars(request, console)
    console.print(metrics_table(bundle))
    console.print(f"threshold {bundle.card.threshold:.4f}. {bundle.card.threshold_method}")
    console.print(f"bundle {bundle.folder}, digest {bundle.digest}")


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
    from jobs.audit_log import record_event
    from jobs.lake import open_lake
    from jobs.locate_image import find_image

    settings = resolve_settings(place, os.environ, lake=lake)
    store = open_lake(make_lake_address(settings.lake, Path.cwd()))
    store.require()
    found = find_image(store, image_id, parse_night(night) if night else None)
    record_event(store, "locate", {"image_id": image_id}, datetime.now(UTC))
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
    state = CommandState()
    signal.signal(signal.SIGINT, state.end_in_order)
    signal.signal(signal.SIGTERM, state.end_in_order)
    try:
        code = app(arguments, standalone_mode=False, obj=state)
    except (Exception, SystemExit) as error:
        if state.signal_code is not None:
            return _tell_of_signal(state.signal_code)
        if state.debug or isinstance(error, SystemExit):
            raise
        return _tell(error)
    if state.signal_code is not None:
        return _tell_of_signal(state.signal_code)
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
        # Not its text: a library may quote the path or the content of a patient's file.
        message = f"{describe_unforeseen(error)} (--debug shows all of it, names included)"
        code = TriageError.exit_code
    sys.stderr.write(f"{PROGRAM}: {' '.join(message.split())}\n")
    return code


def _tell_of_signal(code: int) -> int:
    sys.stderr.write(f"{PROGRAM}: interrupted; what was scored is kept for the next run\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
