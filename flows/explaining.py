"""Explain images of a published night with a bar on the terminal; say what came of it."""

from __future__ import annotations

import os
from datetime import date
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from conf.settings import Settings
from flows.night_request import make_night_request
from flows.progress import counting_bars
from jobs.contact_sheet import CONTACT_SHEET_NAME
from jobs.explain_published import Wanted, explain_published, open_explaining
from jobs.night_keys import explanations_prefix
from jobs.spark_session import make_session
from jobs.write_dicom import WrittenDicom, write_dicom

if TYPE_CHECKING:
    import pyarrow as pa


def explain_with_bar(
    settings: Settings,
    night: date,
    wanted: Wanted,
    console: Console,
    *,
    as_dicom: bool,
) -> None:
    """Explain images of one night and print a table of what came of it.

    Raises:
        ConfigurationError: if the night is not published, or an image is not in it.
        BundleError: if the night was scored by another bundle than the one in use.
        NightTakenError: if a run holds the night.
        OutputError: if the lake does not take the files.
    """
    opened = open_explaining(make_night_request(settings, night, os.environ), wanted)
    try:
        spark = make_session(opened.run.request.engine, "mri-triage explain")
        with counting_bars(Console(stderr=True), transient=True) as bars:
            task = bars.add_task("explain", total=len(opened.sample))

            def show(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            explained = explain_published(opened, spark, show)
            bars.update(task, description="write DICOM" if as_dicom else "explain")
            written = write_dicom(opened, explained, show) if as_dicom else []
    finally:
        opened.run.lease.release()
    console.print(explained_table(explained, written))
    folder = opened.run.lake.locate(explanations_prefix(night).rstrip("/"))
    console.print(f"{folder}/{CONTACT_SHEET_NAME}", highlight=False, soft_wrap=True)


def explained_table(explained: pa.Table, written: list[WrittenDicom]) -> Table:
    """Lay out explanations, one a row, with what speaks against them."""
    table = Table(
        "image", "chosen for", "probability", "fit", "agreement", "in head", "doubts", "DICOM"
    )
    table.title = "Explanations"
    dicom = {one.image_id: one.folder or one.detail or "" for one in written}
    for row in explained.to_pylist():
        table.add_row(
            row["image_id"],
            row["chosen_for"],
            *(_number(row[name]) for name in ("probability", "r_squared", "stability")),
            _number(row["inside_head"]),
            row["detail"] or row["doubts"],
            dicom.get(row["image_id"], ""),
        )
    return table


def _number(value: Any) -> str:  # noqa: ANN401 - a cell of a table
    return "-" if value is None else f"{value:.3f}"
