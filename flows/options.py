"""Options that several commands share; typer alone is imported."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

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
BundleOption = Annotated[
    Path | None,
    typer.Option(help="Folder of the bundle; else the one that comes with the package."),
]
DataOption = Annotated[Path, typer.Option(help="Folder of labelled images with index.csv.")]
ImagenetOption = Annotated[
    Path,
    typer.Option(help="ImageNet weights of EfficientNet-Lite0 (.npz)."),
]
PartOption = Annotated[
    Literal["test", "all", "calibration", "fit"] | None,
    typer.Option(help="Else test in the folder that the bundle was trained from, or all."),
]
JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the figures here as JSON.")]

QUIET = ("TF_CPP_MIN_LOG_LEVEL", "3")
"""For commands that load the network in their own process: TensorFlow greets at length."""
