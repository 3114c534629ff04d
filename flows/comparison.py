"""Make the rows of a comparison one by one, with bars on the terminal; keep each as it is done.

The work itself is in `model.comparison`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from flows.evaluation import format_json
from jobs.code_version import code_version
from model.comparison import Reading, RowReporting, run_row, settings_of
from model.comparison_data import ComparisonData
from model.comparison_report import render_comparison
from model.comparison_rows import ComparedRow, Pretrained, build_network, choose_rows
from model.comparison_store import ComparisonFolder, write_whole
from model.comparison_training import Recipe
from model.errors import ConfigurationError
from model.seed_networks import ResnetWeights

SECONDS_A_MINUTE = 60.0


@dataclass(frozen=True)
class ComparisonRequest:
    """What the command line asks for.

    Attributes:
        data: folder with ``index.csv``.
        imagenet: weights of EfficientNet-Lite0.
        out: folder of the comparison.
        minutes: training time of each row.
        row_names: rows to make; none for all.
        resnet_weights: ``imagenet``, ``none`` or a file.
    """

    data: Path
    imagenet: Path
    out: Path
    minutes: float
    row_names: tuple[str, ...]
    resnet_weights: str


class ComparisonBars:
    """One bar for what is read, one for the row under way, and a line for each reading."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._reading = bars.add_task("read", total=None)
        self._row: TaskID | None = None

    def show_read(self, done: int, total: int) -> None:
        """Show how many pictures are read."""
        self._bars.update(self._reading, completed=done, total=total)

    def begin(self, row: ComparedRow, place: str, recipe: Recipe) -> RowReporting:
        """Begin the bar of a row, the last row's away; returns what the row tells while it runs."""
        if self._row is not None:
            self._bars.remove_task(self._row)
        task = self._row = self._bars.add_task(row.name, total=recipe.budget_seconds)
        self._bars.console.print(f"row {place}: {row.name}, {row.title}", highlight=False)
        return RowReporting(
            on_progress=lambda spent: self._bars.update(task, completed=spent),
            on_reading=lambda reading: self._bars.console.print(
                reading_line(row.name, reading, recipe.epochs),
                highlight=False,
            ),
        )


def compare_with_bars(request: ComparisonRequest, console: Console) -> dict[str, Any]:
    """Make the rows that are not finished, and write the table after each of them.

    Returns:
        What stands in ``compare.json``: all finished rows of the folder.

    Raises:
        ConfigurationError: if an argument or a file of weights is wrong, or the folder holds rows
            of other settings.
        TrainingDataError: if the data cannot be used.
        OutputError: if the folder cannot be written.
    """
    if request.minutes <= 0.0:
        message = f"--minutes must be above 0, found {request.minutes:g}: 15 is the default"
        raise ConfigurationError(message)
    rows = choose_rows(list(request.row_names))
    pretrained = Pretrained(request.imagenet, _resnet_weights(request.resnet_weights))
    recipe = Recipe(budget_seconds=request.minutes * SECONDS_A_MINUTE)
    with _show(console) as bars:
        data = ComparisonData(request.data, bars.show_read)
        folder = ComparisonFolder(
            request.out,
            partial(settings_of, data=data, pretrained=pretrained, recipe=recipe),
        )
        finished = folder.finished()
        todo = [row for row in rows if row.name not in finished]
        for row in todo:
            build_network(row, pretrained, recipe.seed)  # weights that do not fit, before hours
        # Rows that see the same stand together, so that the pictures are read once for them.
        todo.sort(key=lambda row: row.sees)
        for number, row in enumerate(todo, start=1):
            reporting = bars.begin(row, f"{number} of {len(todo)}", recipe)
            figures, network = run_row(row, data, pretrained, recipe, reporting)
            folder.keep(row, figures, network)
            _write_table(folder, data, request.minutes)
    return _write_table(folder, data, request.minutes)


def reading_line(name: str, reading: Reading, epochs: int) -> str:
    """Write a reading as one line of the training's output."""
    every_time = "  TUMOUR EVERY TIME" if reading.tumor_every_time else ""
    return (
        f"{name} {reading.epoch}/{epochs}: {reading.pictures:,} pictures "
        f"({reading.drawn_tumors:.0%} tumours), loss {reading.training_loss:.3f}; calibration: "
        f"loss {reading.loss:.3f}, called tumour {reading.called_tumor:.1%}, accuracy "
        f"{reading.accuracy:.3f} (always tumour: {reading.base_rate:.3f}){every_time}"
    )


def _write_table(
    folder: ComparisonFolder,
    data: ComparisonData,
    minutes: float,
) -> dict[str, Any]:
    content: Mapping[str, Any] = {
        "data_digest": data.digest,
        "code_version": code_version(),
        "budget_minutes": minutes,
        "parts": data.describe(),
        "rows": list(folder.finished().values()),
    }
    write_whole(folder.folder / "compare.json", format_json(content))
    write_whole(folder.folder / "compare.html", render_comparison(content))
    return dict(content)


def _resnet_weights(text: str) -> ResnetWeights:
    named: dict[str, ResnetWeights] = {"none": "none", "imagenet": "imagenet"}
    return named.get(text) or Path(text)


@contextmanager
def _show(console: Console) -> Iterator[ComparisonBars]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield ComparisonBars(bars)
