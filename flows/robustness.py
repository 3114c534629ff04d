"""Measure robustness with bars on the terminal.

The work itself is in `model.shift_table` and `model.left_out`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from flows.evaluation import format_json, tell_part, write_text
from flows.progress import counting_bars
from flows.training import make_training_request
from model.bundle import open_bundle, packaged_bundle_folder
from model.errors import ConfigurationError, OutputError
from model.evaluated_part import PartName, choose_part
from model.left_out import (
    DEFAULT_LEFT_OUT,
    LeftOut,
    fit_plan,
    leave_out,
    measure_left_out,
    measure_pace,
    train_without,
)
from model.left_out_report import render_left_out
from model.picture_changes import choose_changes
from model.shift_table import ShiftTable, make_shift_table
from model.train_bundle import Reporting, TrainingRequest
from model.training import EpochReport, TrainingPlan
from model.training_data import SPLIT_SEED, digest_of_split, read_index, split_by_group

SHORT_EPOCHS: Final = (6, 4)
"""Epochs with small and with full pictures: half of the default training's, in its proportion."""

PLAN_FILE: Final = "plan.json"


def measure_shifts_with_bar(  # noqa: PLR0913 - what the command line asks for
    bundle_folder: Path | None,
    data: Path,
    part: PartName | None,
    change_names: Sequence[str] | None,
    compared: Path | None,
    console: Console,
) -> ShiftTable:
    """Make the shift table of a bundle, showing how far it is.

    Args:
        bundle_folder: None for the bundle that comes with the package.
        data: folder with ``index.csv``.
        part: None for the test part of the training folder, and all of any other.
        change_names: only these changes; None for all.
        compared: folder of a comparison, whose plain networks stand beside the bundle; or None.
        console: where the part and any warning are told first.

    Raises:
        ConfigurationError: if a change is not known, or the comparison holds no plain network.
        BundleError: if the bundle cannot be used.
        TrainingDataError: if the data cannot be used.
    """
    changes = choose_changes(change_names)
    bundle = open_bundle(bundle_folder or packaged_bundle_folder())
    chosen = choose_part(data, bundle.card, part)
    judges = {}
    if compared is not None:
        from model.compared_judge import load_plain_judges  # noqa: PLC0415 - Keras is slow

        judges = load_plain_judges(compared)
    tell_part(chosen, console)
    with counting_bars(console, transient=True) as bars:
        task = bars.add_task(f"{len(changes)} changes", total=len(chosen.images))
        return make_shift_table(
            bundle,
            chosen,
            changes,
            judges,
            lambda done, total: bars.update(task, completed=done, total=total),
        )


def leave_out_with_bars(  # noqa: PLR0913 - what the command line asks for
    data: Path,
    imagenet: Path,
    out: Path,
    minutes: float,
    names: Sequence[str] | None,
    console: Console,
) -> dict[str, Any]:
    """Train without each of the sources, measure, and write the table; goes on where it stopped.

    Args:
        data: folder with ``index.csv``.
        imagenet: weights of the backbone.
        out: folder of bundles, checkpoints and table.
        minutes: time of each training's steps; reading, calibrating and measuring come on top.
        names: sources to leave out; None for `DEFAULT_LEFT_OUT`.
        console: of the bars.

    Returns:
        The JSON that stands in the folder.

    Raises:
        ConfigurationError: if an argument is wrong, or the folder was begun with other ones.
        TrainingDataError: if the data cannot be used.
        OutputError: if the folder cannot be written.
    """
    _refuse_arguments(imagenet, minutes)
    images = read_index(data)
    all_left_out = [leave_out(images, name) for name in names or DEFAULT_LEFT_OUT]
    begun_with = {
        "minutes": minutes,
        "data_digest": digest_of_split(split_by_group(images, SPLIT_SEED), data),
        "imagenet_digest": hashlib.sha256(imagenet.read_bytes()).hexdigest(),
    }
    _make_folder(out)
    request = make_training_request(
        data=data,
        imagenet=imagenet,
        start_from=None,
        out=out,
        version="left-out",
        checkpoints=out,
        epochs=SHORT_EPOCHS,
    )
    measured = {}
    with counting_bars(console, transient=False) as bars:
        plan = _find_plan(out / PLAN_FILE, begun_with, request, all_left_out[0], bars)
        for left_out in all_left_out:
            measured[left_out.name] = _train_and_measure(
                left_out,
                replace(
                    request,
                    plan=plan,
                    out=out / left_out.name / "bundle",
                    checkpoints=out / left_out.name / "checkpoints",
                    version=f"without-{left_out.name}",
                ),
                bars,
            )
    content = {**begun_with, "plan": plan.as_record(), "left_out": measured}
    write_text(out / "left_out.json", format_json(content))
    write_text(out / "left_out.html", render_left_out(content))
    return content


def _refuse_arguments(imagenet: Path, minutes: float) -> None:
    if minutes <= 0.0:
        message = f"--minutes must be above 0, found {minutes:g}: 15 is the default"
        raise ConfigurationError(message)
    if not imagenet.is_file():
        message = f"no file {imagenet}: --imagenet names the weights of EfficientNet-Lite0 (.npz)"
        raise ConfigurationError(message)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        message = f"{folder} cannot be written ({error.strerror}): choose another --out"
        raise OutputError(message) from error


def _find_plan(
    file: Path,
    begun_with: dict[str, Any],
    request: TrainingRequest,
    first: LeftOut,
    bars: Progress,
) -> TrainingPlan:
    """Read the plan that the folder was begun with, or make one that fits the minutes."""
    if not file.is_file():
        task = bars.add_task("measure the pace", total=None)
        pace = measure_pace(
            first.parts["fit"],
            request,
            lambda done, total: bars.update(task, completed=done, total=total),
        )
        plan = fit_plan(request.plan, pace, begun_with["minutes"])
        write_text(file, format_json({**begun_with, "steps": plan.steps}))
        return plan
    try:
        kept = json.loads(file.read_text(encoding="utf-8"))
        steps = int(kept.pop("steps"))
    except (OSError, ValueError, KeyError) as error:
        message = f"{file} is damaged: delete it, or choose another --out"
        raise ConfigurationError(message) from error
    if changed := [key for key, value in begun_with.items() if kept.get(key) != value]:
        message = f"{file.parent} was begun with other {', '.join(changed)}: choose another --out"
        raise ConfigurationError(message)
    return replace(request.plan, steps=steps)


def _train_and_measure(
    left_out: LeftOut,
    request: TrainingRequest,
    bars: Progress,
) -> dict[str, Any]:
    tasks = {
        step: bars.add_task(f"{left_out.name}: {step}", total=None, visible=False)
        for step in ("load", "train", "prepare")
    }

    def show(step: str, done: int, total: int) -> None:
        bars.update(tasks[step], completed=done, total=total, visible=True)

    def on_epoch(report: EpochReport) -> None:
        bars.console.print(
            f"{left_out.name} epoch {report.epoch}/{report.epochs} at {report.size} px: loss "
            f"{report.loss:.4f}, calibration part {report.watched_loss:.4f}, "
            f"{report.seconds:.0f} s",
            highlight=False,
        )

    def on_prepared(done: int, total: int) -> None:
        show("prepare", done, total)

    reporting = Reporting(
        on_loaded=lambda done, total: show("load", done, total),
        on_step=lambda done, total: show("train", done, total),
        on_epoch=on_epoch,
    )
    bundle = train_without(left_out, request, reporting, on_prepared)
    return measure_left_out(bundle, left_out, on_prepared)
