"""What readers see: the folders of all nights as one table with a night column."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow.dataset as ds
import pytest

from jobs.decided_rows import RowStamp
from jobs.lake import Lake, LakeAddress, open_lake
from jobs.lease import LeaseTerms, NightLease
from jobs.publish import PublishLimits, prepare_publication, publish, seen_etag
from jobs.published_night import read_night
from jobs.schemas import EXPLANATIONS, RESULTS
from model.decision import DecisionLimits
from tests.unit.jobs.night_builders import (
    FOUR_O_CLOCK,
    failed,
    folder_lake,
    inventory,
    score,
    scores,
)


def publish_night(lake: Lake, night: date, *rows: dict[str, object]) -> None:
    table = scores(*rows)
    objects = inventory(*table["object_key"].unique().to_pylist())
    stamp = RowStamp("net 1.0", "abc", "run-1", DecisionLimits(0.2, 0.5))
    publication = prepare_publication(night, objects, table, stamp, PublishLimits(1.0, 1))
    with NightLease(lake, night, "run-1", LeaseTerms(300, lambda: FOUR_O_CLOCK)) as lease:
        publish(lake, lease, publication, EXPLANATIONS.empty_table(), seen_etag(lake, night))


@pytest.fixture
def results_folder(tmp_path: Path) -> Path:
    """Three nights: images, nothing at all, and one object that could not be opened."""
    lake = folder_lake(tmp_path)
    publish_night(lake, date(2026, 11, 20), score("a", probability=0.9), score("b"))
    publish_night(lake, date(2026, 11, 21))
    publish_night(lake, date(2026, 11, 22), failed("c", "unreadable"))
    return tmp_path / "results"


def test_pandas_reads_all_nights_as_one_table(results_folder: Path) -> None:
    images = pd.read_parquet(results_folder)

    found = images.sort_values("object_key")[["night", "object_key", "decision"]]
    assert found.astype(str).to_numpy().tolist() == [
        ["2026-11-20", "a", "flagged"],
        ["2026-11-20", "b", "cleared"],
        ["2026-11-22", "c", "flagged"],
    ]
    assert set(images.columns) == {*RESULTS.names, "night"}


def test_duckdb_reads_all_nights_as_one_table(results_folder: Path) -> None:
    files = f"{results_folder}/*/*.parquet"
    query = f"""
        select night, count(*), sum((decision = 'flagged')::int), min(scored_at at time zone 'UTC')
        from read_parquet('{files}', hive_partitioning = true) group by night order by night
    """  # noqa: S608 - the path is the test's own

    found = duckdb.execute(query).fetchall()

    assert [row[:3] for row in found] == [
        (date(2026, 11, 20), 2, 1),
        (date(2026, 11, 22), 1, 1),
    ]
    assert found[0][3] == FOUR_O_CLOCK.replace(tzinfo=None)


def test_every_night_has_the_same_columns_and_types_even_an_empty_one(
    results_folder: Path,
) -> None:
    files = sorted(results_folder.rglob("*.parquet"))
    schemas = [ds.dataset(file).schema.remove_metadata() for file in files]

    assert len(files) == 3
    assert all(schema.names == RESULTS.names for schema in schemas)
    assert all(schema.types == RESULTS.types for schema in schemas)


def test_a_night_is_published_to_and_read_from_object_storage(s3_lake: LakeAddress) -> None:
    lake = open_lake(s3_lake)
    night = date(2026, 11, 20)
    publish_night(lake, night, score("a"))
    publish_night(lake, night, score("a"), score("b"))

    published = read_night(lake, night)

    assert published is not None
    assert published.results["object_key"].to_pylist() == ["a", "b"]
    assert published.studies is not None
    assert published.metadata["objects"] == "2"
