"""Measure explanations with bars on the terminal, and print one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from flows.progress import counting_bars
from model.bundle import open_bundle, packaged_bundle_folder
from model.explanation_run import TABLE_NAME, BenchPlan, run_bench

TITLES: Final = {"lime": "LIME", "gradcam": "Grad-CAM", "map": "the model's own tumor map"}
STEPS: Final = {
    "test": "explain outlined test images",
    "calibration": "compare segmentations",
    "shuffled": "shuffle the weights",
    "costs": "time one core",
}


def bench_with_bars(
    bundle_folder: Path | None,
    data: Path,
    out: Path,
    plan: BenchPlan,
    console: Console,
) -> dict[str, Any]:
    """Run the bench, going on with what is measured already.

    Raises:
        BundleError: if the bundle cannot be used.
        TrainingDataError: if the data cannot be used.
        OutputError: if the folder cannot be written.
    """
    bundle = open_bundle(bundle_folder or packaged_bundle_folder())
    with counting_bars(Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def on_step(step: str, done: int, total: int) -> None:
            if step not in tasks:
                tasks[step] = bars.add_task(STEPS[step], total=total)
            bars.update(tasks[step], completed=done, total=total)

        content = run_bench(bundle, data, out, plan, on_step)
    for table in bench_tables(content):
        console.print(table)
    console.print(f"written: {out / TABLE_NAME}", highlight=False)
    return content


def bench_tables(content: Mapping[str, Any]) -> Iterator[Table]:
    """Yield what was asked for, and the figures behind it."""
    yield _bars_table(content)
    yield _located_table(content)
    yield _curves_table(content)
    yield _segmentations_table(content)


def _bars_table(content: Mapping[str, Any]) -> Table:
    title = (
        f"{content['images']} outlined test images of {content['groups']} groups, "
        f"{content['plan']['perturbations']} perturbations"
    )
    table = Table("", "value", "asked for", "", title=title)
    for bar in content["bars"]:
        table.add_row(
            bar["what"],
            f"{bar['value']:.3f}",
            bar["bar"],
            "met" if bar["met"] else "MISSED",
        )
    if costs := content["costs"]:
        lean = f"{costs['times_less_on_batch']:.3f}"
        table.add_row("the same, calling Keras predict_on_batch", lean, "", "")
    lowest = content["agreement_lowest_tenth"]
    table.add_row("rank agreement, lowest tenth of the images below", f"{lowest:.3f}", "", "")
    halves = content["stability_of_halves"]
    table.add_row("agreement of two halves, as artifacts say it, median", f"{halves:.3f}", "", "")
    table.add_row("fit of the linear model, R2, median", f"{content['fidelity']:.3f}", "", "")
    same, shuffled = content["shuffled"]["other_seed"], content["shuffled"]["shuffled"]
    table.add_row("agreement with another seed, median", f"{same:.3f}", "", "")
    table.add_row("agreement with the shuffled network, median", f"{shuffled:.3f}", "", "")
    return table


def _located_table(content: Mapping[str, Any]) -> Table:
    table = Table(
        "",
        "pointing game",
        "within 3% of the side",
        "Dice",
        title="Against what people outlined, 95% over groups",
    )
    for name, figures in content["located"].items():
        cells = (figures[key] for key in ("points", "points_nearly", "dice"))
        table.add_row(TITLES[name], *(_interval(cell) for cell in cells))
    for source, one in content["by_source"].items():
        points = ", ".join(f"{TITLES[name]} {value:.2f}" for name, value in one["points"].items())
        table.add_row(f"  {source}, {one['images']} images", points, "", "")
    return table


def _curves_table(content: Mapping[str, Any]) -> Table:
    table = Table(
        "order of the segments",
        "hiding: mean change",
        "showing: mean change",
        title="Deletion and insertion in log-odds: hiding should lower, showing raise the score",
    )
    for name, one in content["curves"].items():
        table.add_row(
            TITLES.get(name, f"{name} prior"), f"{one['deletion']:+.2f}", f"{one['insertion']:+.2f}"
        )
    return table


def _segmentations_table(content: Mapping[str, Any]) -> Table:
    heads = ("segments", "R2", "rank agreement", "pointing game", "Dice", "inside the head")
    keys = ("fidelity", "agreement", "points", "dice", "inside_head")
    title = f"Segmentations, {content['calibration_images']} calibration images"
    table = Table("", *heads, title=title)
    for name, one in content["segmentations"].items():
        shown = name.replace("_whole", ", without the head's outline")
        table.add_row(shown, f"{one['segments']:.0f}", *(f"{one[key]:.3f}" for key in keys))
    return table


def _interval(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f} ({interval['low']:.3f}-{interval['high']:.3f})"
