"""How a night's progress is shown: bars on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from jobs.night_run import Progress as StepProgress

STEP_TITLES: Final = {
    "list": "List the night",
    "score": "Score the images",
    "explain": "Explain a sample",
    "publish": "Publish",
}

LINE_SECONDS: Final = 10.0
"""Pause between two plain lines of one step: a log of a million images stays readable."""

ProgressCallback = Callable[["StepProgress"], None]


def counting_bars(console: Console, *, transient: bool = False) -> Progress:
    """Make bars with what is counted, the time gone and the time left.

    Args:
        console: where to.
        transient: whether they go when they are done.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=transient,
    )


@contextmanager
def show_progress(console: Console) -> Iterator[ProgressCallback]:
    """Give a function to be called with each step's progress, and show what it is told.

    Args:
        console: where to; bars only if it is a terminal.
    """
    if not console.is_terminal:
        yield PlainLines(console.print, time.monotonic)
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as bars:
        yield Bars(bars)


class Bars:
    """One bar a step, in the order in which the steps report."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, progress: StepProgress) -> None:
        """Move the step's bar."""
        if progress.step not in self._tasks:
            self._tasks[progress.step] = self._bars.add_task(title_of(progress.step), total=None)
        task = self._tasks[progress.step]
        self._bars.update(task, completed=progress.done, total=progress.total)


class PlainLines:
    """A line when a step begins, every `LINE_SECONDS`, and when it ends."""

    def __init__(self, write: Callable[[str], object], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._written: dict[str, float] = {}
        self._ended: set[str] = set()

    def __call__(self, progress: StepProgress) -> None:
        """Write the step's line if it is due."""
        now = self._clock()
        ended = progress.done >= progress.total
        last = self._written.get(progress.step)
        due = last is None or now - last >= LINE_SECONDS
        if progress.step in self._ended or not (due or ended):
            return
        self._written[progress.step] = now
        if ended:
            self._ended.add(progress.step)
        self._write(f"{title_of(progress.step)}: {progress.done} of {progress.total}")


def title_of(step: str) -> str:
    """What an operator reads for a step; an unknown step is shown by its own name."""
    return STEP_TITLES.get(step, step)
