"""Measure a bundle, or study its thresholds, with a bar on the terminal; write what was asked for.

The work itself is in `model.evaluate_bundle` and `model.threshold_study`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from flows.progress import counting_bars
from model.bundle import open_bundle, packaged_bundle_folder
from model.errors import ConfigurationError, OutputError
from model.evaluate_bundle import Evaluation, evaluate_bundle
from model.evaluated_part import EvaluatedPart, PartName, choose_calibration, choose_part
from model.measurement import OnPrepared
from model.threshold_study import study_bundle


def evaluate_with_bar(
    bundle_folder: Path | None,
    data: Path,
    part: PartName | None,
    prevalence: float,
    console: Console,
) -> Evaluation:
    """Measure a bundle on a folder of labelled images, showing how far it is.

    Args:
        bundle_folder: None for the bundle that comes with the package.
        data: folder with ``index.csv``.
        part: None for the test part of the training folder, and all of any other.
        prevalence: share of slices with a tumour for which the NPV is stated.
        console: where the part and any warning are told first.

    Raises:
        ConfigurationError: if the prevalence is not between 0 and 1.
        BundleError: if the bundle cannot be used.
        TrainingDataError: if the data cannot be used.
    """
    if not 0.0 < prevalence < 1.0:
        message = f"--prevalence must lie between 0 and 1, found {prevalence}: 0.05 is one in 20"
        raise ConfigurationError(message)
    bundle = open_bundle(bundle_folder or packaged_bundle_folder())
    chosen = choose_part(data, bundle.card, part)
    tell_part(chosen, console)
    with show_preparing(console) as on_prepared:
        return evaluate_bundle(bundle, chosen, prevalence, on_prepared)


def study_with_bar(bundle_folder: Path | None, data: Path, console: Console) -> dict[str, Any]:
    """Study the thresholds of a bundle on a folder's calibration part, showing how far it is.

    Raises:
        BundleError: if the bundle cannot be used.
        TrainingDataError: if the data cannot be used.
    """
    bundle = open_bundle(bundle_folder or packaged_bundle_folder())
    chosen = choose_calibration(data, bundle.card)
    tell_part(chosen, console)
    with show_preparing(console) as on_prepared:
        return study_bundle(bundle, chosen, on_prepared)


def tell_part(part: EvaluatedPart, console: Console) -> None:
    """Say what is measured, and what the reader must know about it."""
    console.print(f"{len(part.images)} images: {part.reason}", highlight=False)
    if part.warning:
        console.print(f"[bold]warning:[/] {part.warning}", highlight=False)


def refuse_unwritable(*files: Path | None) -> None:
    """Refuse places for results before minutes are spent on making them.

    Raises:
        OutputError: if a folder is missing or a place is a folder.
    """
    for file in files:
        if file is not None and (file.is_dir() or not file.parent.is_dir()):
            message = f"{file} cannot be written: expected a file in a folder that exists"
            raise OutputError(message)


def write_text(file: Path, text: str) -> None:
    """Write a result.

    Raises:
        OutputError: if it cannot be written.
    """
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        message = f"{file} cannot be written ({error.strerror}): choose another place"
        raise OutputError(message) from error


def format_json(content: Mapping[str, Any]) -> str:
    """Return content as JSON; what is not defined is null, never NaN."""
    return json.dumps(content, indent=1, allow_nan=False) + "\n"


def tell(lines: list[str], console: Console) -> None:
    """Print paragraphs as they are."""
    for line in lines:
        console.print(escape(line), highlight=False)


@contextmanager
def show_preparing(console: Console) -> Iterator[OnPrepared]:
    """Give a function to be called with how many images are prepared, and show it as a bar."""
    with counting_bars(console, transient=True) as bars:
        task = bars.add_task("prepare", total=None)

        def on_prepared(done: int, total: int) -> None:
            what = "score" if done == total else "prepare"
            bars.update(task, completed=done, total=total, description=what)

        yield on_prepared
