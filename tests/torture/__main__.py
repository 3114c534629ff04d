"""`python -m tests.torture`: one real night over damaged files (`make torture`).

The night is run by the command itself, with the packaged bundle, on Spark, in a lake of its own.
Exit code 0 if every listed object has its rows and nothing was cleared that must not be.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from model.reasons import Reason
from tests.torture.mutations import mutate_all
from tests.torture.night import FOLDER, read_night, run_night, write_lake
from tests.torture.oracle import Oracle
from tests.torture.originals import drawn_files, mini_lake_files, pydicom_files
from tests.torture.verdict import Listed, Verdict, judge_night

DRAWN_SLICES: Final = 3

SETTINGS: Final = {"MRI_TRIAGE__ENGINE__SHARD_OBJECTS": "500"}

COLUMNS: Final = {
    "cleared": (Reason.BELOW_THRESHOLD,),
    "tumour": (Reason.TUMOR_SUSPECTED,),
    "no brain": (Reason.NOT_BRAIN_MR,),
    "not read": (Reason.UNREADABLE, Reason.EMPTY_OBJECT),
    "unsupp.": (Reason.UNSUPPORTED,),
    "too large": (Reason.TOO_LARGE,),
    "non-diag.": (Reason.NON_DIAGNOSTIC,),
    "crash, time": (Reason.DECODER_CRASH, Reason.TIMED_OUT),
    "other": (Reason.NOT_RETRIEVED, Reason.INVALID_SCORE),
}
"""Columns of the table, and the reasons that are counted in each."""


def list_night(images: int, seed: int) -> list[Listed]:
    """Put the night together: all whole files, and `images` damaged ones."""
    lake, drawn = mini_lake_files(), drawn_files(DRAWN_SLICES)
    whole = [Listed.whole(FOLDER, file) for file in [*pydicom_files(), *lake, *drawn]]
    mutants = mutate_all([*lake, *drawn], images, seed)
    return [*whole, *(Listed.damaged(FOLDER, mutant) for mutant in mutants)]


def print_verdict(verdict: Verdict, console: Console) -> None:
    """Print images by kind and reason, then what must not be."""
    table = Table("kind", "files", "nobody reads*", *COLUMNS, "cleared, changed**", title="Torture")
    for kind, files in verdict.files.items():
        counts = verdict.reasons.get(kind, Counter[str]())
        numbers = [sum(counts[reason] for reason in names) for names in COLUMNS.values()]
        cells = (files, verdict.undecodable[kind], *numbers, verdict.changed[kind])
        table.add_row(kind, *map(str, cells))
    table.add_section()
    totals = [
        sum(counts[reason] for counts in verdict.reasons.values() for reason in names)
        for names in COLUMNS.values()
    ]
    sums = (verdict.files.total(), verdict.undecodable.total(), *totals, verdict.changed.total())
    table.add_row("all", *map(str, sums))
    console.print(table)
    console.print("*  files of which neither Pillow, pydicom nor nibabel reads anything")
    console.print("** cleared files whose pixels, as they read them, differ from the original's")
    for violation in verdict.violations:
        console.print(f"VIOLATION {violation}", style="bold red")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run and judge the night.

    Returns:
        0, or 1 if an object was lost or something was cleared that must not be.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture", description="One night over damaged files."
    )
    parser.add_argument("--images", type=int, default=2000, help="damaged images (2000)")
    parser.add_argument("--seed", type=int, default=20261120, help="of the damage")
    options = parser.parse_args(arguments)
    console = Console(width=None if sys.stdout.isatty() else 160)
    listed = list_night(options.images, options.seed)
    with tempfile.TemporaryDirectory(prefix="torture-") as folder, Oracle() as oracle:
        lake = Path(folder) / "lake"
        write_lake(lake, {item.key: item.data for item in listed})
        seconds = run_night(lake, SETTINGS)
        rows, metadata = read_night(lake)
        limits = float(metadata["threshold"]), float(metadata["minimum_scope_score"])
        verdict = judge_night(listed, rows, limits, oracle)
    print_verdict(verdict, console)
    distinct = rows["object_key"].nunique()
    console.print(
        f"{len(listed)} objects listed, {distinct} in {len(rows)} rows; {options.images} damaged "
        f"(seed {options.seed}); the night took {seconds:.0f} s; "
        f"{len(verdict.violations)} violations"
    )
    return 1 if verdict.violations else 0


if __name__ == "__main__":
    raise SystemExit(main())
