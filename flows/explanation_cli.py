"""The commands ``mri-triage explain`` and ``mri-triage explain-bench``.

As in `flows.cli`, heavy imports stand inside the commands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.options import BundleOption, DataOption, LakeOption, PlaceOption


def register_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("explain")(explain)
    app.command("explain-bench")(bench_explanations)


def explain(
    night: Annotated[str, typer.Option(help="The published night, YYYY-MM-DD.")],
    lake: LakeOption = None,
    place: PlaceOption = "base",
    image_id: Annotated[
        list[str] | None,
        typer.Option(help="Explain this image, flagged or cleared; may be repeated."),
    ] = None,
    everything: Annotated[
        bool,
        typer.Option("--all", help="Explain all images that are flagged for a score."),
    ] = False,
    dicom: Annotated[
        bool,
        typer.Option(
            "--dicom",
            help="Write segmentations and reports of DICOM images to dicom/ as well. They carry "
            "the patient's identity, as a PACS needs it.",
        ),
    ] = False,
) -> None:
    """Explain images of a published night with LIME, beside the model's own tumor map.

    Without --image-id and --all it is the night's sample again. The pictures, weights, index and
    contact sheet of the night are renewed; asking twice gives the same files. Nothing is scored or
    decided anew.
    """
    from flows.arguments import parse_night, resolve_settings
    from flows.evaluation_cli import make_console
    from flows.explaining import explain_with_bar
    from jobs.explain_published import Wanted
    from model.errors import ConfigurationError

    if image_id and everything:
        message = "--image-id and --all were both given: name images, or take all"
        raise ConfigurationError(message)
    one = parse_night(night)
    settings = resolve_settings(place, os.environ, lake=lake)
    wanted = Wanted(tuple(image_id or ()), everything)
    explain_with_bar(settings, one, wanted, make_console(), as_dicom=dicom)


def bench_explanations(
    data: DataOption,
    out: Annotated[
        Path,
        typer.Option(help="Folder of the results; what is measured there is not measured again."),
    ] = Path(".training/explain-bench"),
    bundle: BundleOption = None,
    images: Annotated[int, typer.Option(min=1, help="Outlined images of the test part.")] = 150,
    perturbations: Annotated[
        int,
        typer.Option(min=20, help="Of one explanation; the default is that of a night."),
    ] = 500,
    calibration: Annotated[
        int,
        typer.Option(min=1, help="Calibration images that compare the segmentations."),
    ] = 24,
    shuffled: Annotated[
        int,
        typer.Option(min=1, help="Images of the check with shuffled weights."),
    ] = 16,
    timed: Annotated[
        int,
        typer.Option(min=0, help="Pictures that are timed on one core; 0 for none."),
    ] = 2,
) -> None:
    """Measure explanations on images whose tumours people have outlined.

    Pointing game and Dice of LIME, Grad-CAM and the tumour map; LIME's weight inside the head;
    agreement over 5 seeds; deletion and insertion; shuffled weights; segmentations; and what one
    explanation costs beside lime's own image explainer.
    """
    from flows.evaluation_cli import make_console
    from flows.explanation_bench import bench_with_bars
    from model.explanation_run import BenchPlan

    plan = BenchPlan(images, calibration, shuffled, timed, perturbations)
    bench_with_bars(bundle, data, out, plan, make_console())
