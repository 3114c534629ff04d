"""How well the published nights fit the truth: `python -m tests.mini_lake.score --lake LAKE`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from model.reasons import Decision

TRUTH: Final = Path(__file__).parent / "truth.csv"
_RESULT_COLUMNS: Final = ["object_key", "decision", "reason", "probability"]


@dataclass(frozen=True)
class Scores:
    """The published rows of the mini lake's objects, by what each object is.

    Attributes:
        tumors: slices with a painted lesion, with the truth's columns and `flagged`.
        clean: healthy slices, likewise.
        bad: other objects, likewise, with `as_expected`: flagged for an acceptable reason.
        missing: keys of objects that the published nights say nothing of.
    """

    tumors: pd.DataFrame
    clean: pd.DataFrame
    bad: pd.DataFrame
    missing: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether no object is missing and every bad one is flagged as it should be."""
        return not self.missing and bool(self.bad["as_expected"].all())


def read_truth(path: Path = TRUTH) -> pd.DataFrame:
    """One row an object; empty cells are empty strings, the diameter a number or NaN."""
    truth = pd.read_csv(path, dtype=str, keep_default_na=False)
    return truth.assign(lesion_diameter_mm=pd.to_numeric(truth["lesion_diameter_mm"]))


def read_results(lake: Path) -> pd.DataFrame:
    """The rows of all published nights, with the night's name as a column.

    Returns:
        object_key, decision, reason, probability, night; no rows if nothing is published.
    """
    nights = [
        # The file alone: a reader that saw the folder's name would guess a type for the night.
        pq.ParquetFile(path)
        .read(columns=_RESULT_COLUMNS)
        .to_pandas()
        .assign(night=path.parent.name.removeprefix("night="))
        for path in sorted(lake.glob("results/night=*/results.parquet"))
    ]
    return pd.concat(nights) if nights else pd.DataFrame(columns=[*_RESULT_COLUMNS, "night"])


def compare(truth: pd.DataFrame, results: pd.DataFrame, nights: Sequence[str]) -> Scores:
    """Holds the rows of the published nights against the truth.

    Args:
        truth: see `read_truth`.
        results: see `read_results`; an object is flagged if one of its rows is.
        nights: the published ones; the others' objects are left out.
    """
    rows = results.assign(flagged=results["decision"] == Decision.FLAGGED)
    objects = rows.groupby("object_key", as_index=False).agg(
        flagged=("flagged", "any"),
        reasons=("reason", frozenset),
        probability=("probability", "max"),
    )
    listed = truth[truth["night"].isin(nights)].merge(objects, on="object_key", how="left")
    found = listed[listed["reasons"].notna()]
    found = found.assign(flagged=found["flagged"].astype(bool))
    bad = found[found["kind"] == "bad"]
    as_expected = [
        flagged and reasons <= set(expected.split("|"))
        for flagged, reasons, expected in zip(
            bad["flagged"],
            bad["reasons"],
            bad["expected_reasons"],
            strict=True,
        )
    ]
    return Scores(
        tumors=found[found["kind"] == "tumor"],
        clean=found[found["kind"] == "clean"],
        bad=bad.assign(as_expected=pd.Series(as_expected, index=bad.index, dtype=bool)),
        missing=tuple(listed.loc[listed["reasons"].isna(), "object_key"]),
    )


def print_scores(scores: Scores, console: Console) -> None:
    """Prints the three shares, then what was missed."""
    table = Table("objects", "what is counted", "share", title="Mini lake")
    for name, meaning, hits in (
        ("painted lesions", "flagged", scores.tumors["flagged"]),
        ("healthy slices", "cleared", ~scores.clean["flagged"]),
        ("other objects", "flagged for an expected reason", scores.bad["as_expected"]),
    ):
        table.add_row(name, meaning, f"{int(hits.sum())}/{len(hits)}")
    console.print(table)
    missed = scores.tumors[~scores.tumors["flagged"]]
    for row in missed.sort_values(["lesion_type", "lesion_diameter_mm"]).to_dict("records"):
        console.print(
            f"missed: {row['lesion_type']}, {row['lesion_diameter_mm']} mm, {row['contrast']}, "
            f"{row['plane']}, p={row['probability']:.3f}: {row['object_key']}",
        )
    for row in scores.bad[~scores.bad["as_expected"]].to_dict("records"):
        found = ", ".join(sorted(row["reasons"]))
        console.print(
            f"unexpected: {row['object_key']}: {found} instead of {row['expected_reasons']}",
        )
    for key in scores.missing:
        console.print(f"no row: {key}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table.

    Returns:
        0, or 1 if nothing is published, an object has no row, or a bad object is cleared or
        flagged for another reason than expected.
    """
    parser = argparse.ArgumentParser(description="Score the published nights of the mini lake.")
    parser.add_argument("--lake", type=Path, required=True, help="folder with results/night=...")
    lake: Path = parser.parse_args(arguments).lake
    console = Console()
    nights = [path.parent.name[6:] for path in lake.glob("results/night=*/results.parquet")]
    if not nights:
        console.print(f"no published night below {lake / 'results'}: run a night first")
        return 1
    scores = compare(read_truth(), read_results(lake), nights)
    print_scores(scores, console)
    return 0 if scores.holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
