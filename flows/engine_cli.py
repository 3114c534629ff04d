"""The commands ``mri-triage engine ...``. As in `flows.cli`, heavy imports stand inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.options import BundleOption, DataOption

OutOption = Annotated[Path, typer.Option(help="Folder to write the new bundle to.")]
VersionOption = Annotated[str, typer.Option(help="Of the new bundle: its card is another one.")]
CacheOption = Annotated[Path, typer.Option(help="Folder for what engines make of bundles.")]


def register_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    commands = typer.Typer(help="What runs the network.", no_args_is_help=True)
    commands.command("calibrate")(calibrate)
    app.add_typer(commands, name="engine")


def calibrate(
    data: DataOption,
    out: OutOption,
    version: VersionOption,
    bundle: BundleOption = None,
    precision: Annotated[Literal["bf16"], typer.Option(help="Of OpenVINO.")] = "bf16",
    cache: CacheOption = Path("~/.cache/mri-triage/engines"),
) -> None:
    """Give a bundle the limits of OpenVINO in bf16, and compare its decisions with fp32's.

    Scores the calibration part of the folder both ways. The new bundle holds the same network;
    nights with inference.engine openvino and inference.precision bf16 start only with such a
    bundle, and only if it flags at most 2% more, clears at most 0.5% more and loses no tumour.
    """
    from flows.evaluation import show_preparing, tell_part
    from flows.evaluation_cli import make_console
    from model.bundle import open_bundle, packaged_bundle_folder
    from model.engine_calibration import calibrate_bundle, write_calibrated
    from model.engine_choice import EngineChoice, limits_for
    from model.evaluated_part import choose_calibration

    console = make_console()
    found = open_bundle(bundle or packaged_bundle_folder())
    choice = EngineChoice("openvino", precision)
    part = choose_calibration(data, found.card)
    tell_part(part, console)
    with show_preparing(console) as on_prepared:
        limits = calibrate_bundle(found, part, choice, cache.expanduser(), on_prepared)
    console.print(
        f"{choice.label}: threshold {limits.threshold:.3f} (fp32: {found.card.threshold:.3f}); of "
        f"{limits.compared} images {limits.newly_flagged} newly flagged, {limits.newly_cleared} "
        f"newly cleared, {limits.tumors_lost} tumours lost",
        highlight=False,
    )
    written = write_calibrated(found, choice, limits, version, out)
    console.print(f"written: {written.folder}, digest {written.digest[:12]}", highlight=False)
    limits_for(written.card, choice)
