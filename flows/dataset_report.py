"""Make the report on a folder of labelled images, with bars and a short summary on the terminal.

The work itself is in `jobs.measure_pictures` and `model.data_report`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from flows.evaluation import refuse_unwritable, show_preparing, tell, write_text
from flows.progress import counting_bars
from jobs.measure_pictures import encode_preview, find_unlisted_dicom, measure_folder
from model.bundle import open_bundle
from model.data_report import DataReport, ReadFolder, make_report
from model.data_report_bundle import score_unfitted
from model.data_report_counts import count_classes, source_of
from model.data_report_findings import list_findings
from model.data_report_gallery import Previews, shown_positions
from model.data_report_page import render_report
from model.training_folders import LabelledFolder, list_labelled

PREVIEW_HEIGHT: Final = 256
"""Pixels of the pictures in the page: enough to recognise a lesion, small enough for a page."""


def report_with_bars(source: Path, out: Path, bundle: Path | None, console: Console) -> DataReport:
    """Read a folder, measure what is to be known of it, and write the page.

    Args:
        source: folder with ``index.csv``, or with Kaggle's class folders.
        out: HTML file.
        bundle: folder of a bundle whose scores doubt labels, or None.
        console: where the bars go.

    Raises:
        TrainingDataError: if the folder cannot be used, or no image of it.
        BundleError: if the bundle cannot be used.
        OutputError: if the page cannot be written.
    """
    refuse_unwritable(out)
    opened = open_bundle(bundle) if bundle is not None else None
    listed = list_labelled(source)
    cores = len(os.sched_getaffinity(0))
    read = _read(listed, cores, console)
    scores = None
    if opened is not None and read.pictures:
        with show_preparing(console) as on_prepared:
            scores = score_unfitted(opened, listed, read.pictures, cores, on_prepared)
    with _steps(console) as on_step:
        report = make_report(listed, read, scores, on_step)
        on_step("page")
        write_text(out, render_report(report, _read_previews(report)))
    return report


def print_report(report: DataReport, out: Path, console: Console) -> None:
    """Print the sources and the findings."""
    table = Table(title=f"Data report: {report.folder}")
    for heading in ("source", "tumor", "no tumor", "groups"):
        table.add_column(heading, justify="left" if heading == "source" else "right")
    for kind in count_classes(report.pictures, source_of):
        table.add_row(kind.name, str(kind.tumors), str(kind.normals), str(kind.groups))
    console.print(table)
    tell([f"* {finding}" for finding in list_findings(report)], console)
    tell([f"page {out}"], console)


def _read(listed: LabelledFolder, processes: int, console: Console) -> ReadFolder:
    unlisted = find_unlisted_dicom(listed)
    with counting_bars(console, transient=True) as bars:
        task = bars.add_task("read", total=len(listed.images) + len(unlisted))
        return measure_folder(listed, unlisted, processes, lambda: bars.advance(task))


def _read_previews(report: DataReport) -> Previews:
    return {
        position: encode_preview(report.pictures[position].image, PREVIEW_HEIGHT)
        for position in shown_positions(report)
    }


@contextmanager
def _steps(console: Console) -> Iterator[Callable[[str], None]]:
    """Give a function that names the step that begins; how long it takes is not known before."""
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("measure", total=None)
        yield lambda step: bars.update(task, description=step)
