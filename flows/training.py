"""Train a bundle with bars on the terminal. The work itself is in `model.train_bundle`."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from flows.progress import counting_bars
from jobs.code_version import code_version
from model.bundle import Bundle, open_bundle
from model.errors import ConfigurationError
from model.preprocessing import PreprocessingParameters
from model.train_bundle import Reporting, TrainingRequest, train_bundle
from model.training import EpochReport, Stage, TrainingPlan

MODEL_NAME = "two-headed-lite0"
SMALL_SIZE = 128
"""Pixels of the first epochs: less than half as many as in the size that ships."""

LEARNING_RATE: Final = 6e-4
CONTINUED_LEARNING_RATE: Final = 3e-4
"""A trained network is unlearnt by the rate that a fresh one needs."""


def make_training_request(  # noqa: PLR0913 - what the command line asks for
    *,
    data: Path,
    imagenet: Path,
    start_from: Path | None,
    out: Path,
    version: str,
    checkpoints: Path,
    epochs: tuple[int, int],
) -> TrainingRequest:
    """Put a training together.

    Args:
        data: folder with ``index.csv``.
        imagenet: weights of the backbone.
        start_from: a bundle whose network is trained on; None for the backbone's weights.
        out: folder of the new bundle.
        version: of the bundle.
        checkpoints: of a training that may have been stopped; one folder a version.
        epochs: with small pictures, and with those of the size that ships; none of either leaves
            the network of `start_from` as it is and calibrates it anew.

    Raises:
        ConfigurationError: if nothing would be trained and there is no bundle to start from.
        BundleError: if the bundle to start from cannot be used.
    """
    small, full = epochs
    if small + full == 0 and start_from is None:
        message = (
            "no epochs and no bundle to start from: nothing would be trained; give --full-epochs, "
            "or --start-from to calibrate a bundle's network anew"
        )
        raise ConfigurationError(message)
    parameters = PreprocessingParameters()
    return TrainingRequest(
        data=data,
        imagenet=imagenet,
        start_from=None if start_from is None else open_bundle(start_from),
        checkpoints=checkpoints / version,
        out=out,
        name=MODEL_NAME,
        version=version,
        date=datetime.now(UTC).date().isoformat(),
        code_version=code_version(),
        plan=TrainingPlan(
            stages=(Stage(SMALL_SIZE, small), Stage(parameters.size, full)),
            learning_rate=LEARNING_RATE if start_from is None else CONTINUED_LEARNING_RATE,
        ),
        parameters=parameters,
    )


def train_with_bars(request: TrainingRequest, console: Console) -> Bundle:
    """Train, showing how far it is and the time left; prints a line an epoch.

    Raises:
        TrainingDataError: if the data cannot be used.
        BundleError: if the bundle's folder exists.
    """
    with counting_bars(console) as bars:
        loading = bars.add_task("load", total=None)
        training = bars.add_task("train", total=None)

        def on_epoch(report: EpochReport) -> None:
            bars.console.print(
                f"epoch {report.epoch}/{report.epochs} at {report.size} px: loss {report.loss:.4f} "
                f"(label {report.label_loss:.4f}, map {report.map_loss:.4f}), "
                f"calibration part {report.watched_loss:.4f}, {report.seconds:.0f} s",
            )

        return train_bundle(
            request,
            Reporting(
                on_loaded=lambda done, total: bars.update(loading, completed=done, total=total),
                on_step=lambda done, total: bars.update(training, completed=done, total=total),
                on_epoch=on_epoch,
            ),
        )


def metrics_table(bundle: Bundle) -> Table:
    """Return the figures of the bundle's own grouped test part as a table."""
    metrics = bundle.card.metrics
    table = Table(title=f"{bundle.card.name} {bundle.card.version}, grouped test part")
    for heading in ("", "slices", "groups", "AUC", "sensitivity", "specificity", "spec. at 99%"):
        table.add_column(heading, justify="left" if not heading else "right")
    rows = {"all": metrics["overall"], **metrics["by"]["source"]}
    for name, row in rows.items():
        figures = (
            row["auc"],
            row["sensitivity"],
            row["specificity"],
            row["specificity_at_sensitivity"]["0.99"],
        )
        table.add_row(name, str(row["n"]), str(row["groups"]), *map(_figure, figures))
    return table


def _figure(interval: dict[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f} ({interval['low']:.3f}-{interval['high']:.3f})"
