"""The commands ``mri-triage explain``, ``explain-bench`` and ``explain-background``.

As in `flows.cli`, heavy imports stand inside the commands.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from flows.options import BundleOption, DataOption, JsonOption, LakeOption, PlaceOption


def register_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("explain")(explain)
    app.command("explain-bench")(bench_explanations)
    app.command("explain-background")(explain_background)


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
    ] = 16,
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


def explain_background(
    data: DataOption,
    compared: Annotated[
        Path,
        typer.Option(
            help="Folder of mri-triage compare, with the rows cnn_dropout and "
            "cnn_dropout_whole_picture.",
        ),
    ],
    explained: Annotated[int, typer.Option(min=1, help="Tumour images that LIME explains.")] = 24,
    perturbations: Annotated[int, typer.Option(min=20, help="Of each of them.")] = 300,
    json_file: JsonOption = None,
    picture_of: Annotated[
        Path | None,
        typer.Option(help="Draw LIME of this image for each network; needs --picture."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="Where that drawing goes (PNG).")] = None,
) -> None:
    """Measure why the earlier kind of network looks at the background, and what helps.

    The plain CNN on the whole picture, the same on the head alone, and the network that ships: how
    well each scores when only the surroundings of a head are left, and where LIME puts its weight.
    """
    from flows.background_report import BackgroundRequest, report_background
    from flows.evaluation import refuse_unwritable
    from flows.evaluation_cli import make_console

    refuse_unwritable(json_file, picture)
    request = BackgroundRequest(
        data, compared, explained, perturbations, json_file, picture_of, picture
    )
    report_background(request, make_console())
