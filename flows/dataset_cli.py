"""The commands ``mri-triage dataset …``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

dataset_app = typer.Typer(
    no_args_is_help=True,
    help="Data sets of labelled images.",
    rich_markup_mode=None,
)


@dataset_app.command("build")
def build_data_set(
    source: Annotated[
        Path,
        typer.Option(help="Folder with index.csv, or with Kaggle's four class folders."),
    ],
    out: Annotated[str, typer.Option(help="Empty folder, file:///folder or s3://bucket/prefix.")],
    place: Annotated[
        str,
        typer.Option(envvar="MRI_TRIAGE_PLACE", help="Settings of the engine and the storage."),
    ] = "base",
    keep_split: Annotated[
        bool,
        typer.Option("--keep-split", help="Keep the folder's own split; refused if it leaks."),
    ] = False,
    maximum_set_aside: Annotated[
        float,
        typer.Option(min=0, max=1, help="Share of unusable images beyond which it is refused."),
    ] = 0.05,
) -> None:
    """Check, group and split labelled images, and write them as Parquet for training."""
    from rich.console import Console

    from flows.arguments import make_lake_address, resolve_settings
    from flows.dataset_summary import print_summary
    from jobs.build_dataset import DatasetRequest, build_dataset
    from jobs.spark_session import EngineOptions, make_session
    from model.training_data import SPLIT_SEED
    from model.training_dataset import PlanOptions

    settings = resolve_settings(place, os.environ, lake=out)
    request = DatasetRequest(
        source=source,
        out=make_lake_address(settings.lake, Path.cwd()),
        options=PlanOptions(keep_split, maximum_set_aside, SPLIT_SEED),
    )
    spark = make_session(EngineOptions(**settings.engine.model_dump()), "mri-triage dataset")
    try:
        built = build_dataset(request, spark)
    finally:
        spark.stop()
    print_summary(built, request.out.url, Console())


@dataset_app.command("report")
def report_on_data(
    source: Annotated[
        Path,
        typer.Option(help="Folder with index.csv, or with Kaggle's four class folders."),
    ],
    out: Annotated[Path, typer.Option(help="Write the page (HTML) here.")],
    bundle: Annotated[
        Path | None,
        typer.Option(help="Also list labels that this bundle doubts, where it was not fitted."),
    ] = None,
) -> None:
    """Show what labelled images hold: leaks, shortcuts and labels worth a second look."""
    from flows.dataset_report import print_report, report_with_bars
    from flows.evaluation_cli import make_console

    console = make_console()
    print_report(report_with_bars(source, out, bundle, console), out, console)
