"""Explanations on a real Spark with a real, tiny network."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from jobs.explain_night import ExplanationOptions
from jobs.schemas import EXPLANATIONS
from jobs.score_night import (
    EngineOptions,
    NightRun,
    ScoredShards,
    close_night,
    explain_sample,
    open_night,
    score_shards,
)
from jobs.spark_session import make_session
from tests.builders import copy_mini_lake, make_request, write_tiny_bundle

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]

NIGHT = date(2026, 11, 18)
SAMPLE_SIZE = 4


@dataclass(frozen=True)
class ScoredNight:
    """A scored night that is not published yet."""

    folder: Path
    run: NightRun
    scored: ScoredShards
    spark: SparkSession

    def explain(self) -> pa.Table:
        return explain_sample(self.run, self.scored, self.spark, lambda _: None)

    def files(self) -> dict[str, bytes]:
        """Everything below the night's explanations folder."""
        root = self.folder / "explanations" / f"night={NIGHT}"
        paths = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoredNight]:
    folder = copy_mini_lake(tmp_path_factory.mktemp("lake"), NIGHT)
    # The lowest threshold: the tiny network is untrained, and all that it scores is suspected.
    bundle = write_tiny_bundle(tmp_path_factory.mktemp("models") / "tiny", threshold=1e-9)
    options = ExplanationOptions(sample_size=SAMPLE_SIZE, perturbations=40, seed=7)
    request = make_request(folder, bundle.folder, night=NIGHT, explanation=options)
    spark = make_session(EngineOptions(master="local[2]"), "tests")
    run = open_night(request)
    yield ScoredNight(folder, run, score_shards(run, spark, lambda _: None), spark)
    close_night(run)


@pytest.fixture(scope="module")
def explained(night: ScoredNight) -> pa.Table:
    return night.explain()


def test_a_sample_is_explained_and_its_files_lie_where_the_table_says(
    night: ScoredNight,
    explained: pa.Table,
) -> None:
    files = night.files()

    assert explained.schema == EXPLANATIONS
    assert explained.num_rows == SAMPLE_SIZE
    for row in explained.to_pylist():
        assert row["detail"] is None
        assert files[row["overlay"]].startswith(b"\x89PNG")
        assert json.loads(files[row["weights"]])["image_id"] == row["image_id"]
        assert row["run_id"] == night.run.request.run_id
    assert len(files) == 3 * SAMPLE_SIZE + 1  # two overlays, weights; the contact sheet


def test_the_probability_of_the_nights_row_stands_in_the_weights(
    night: ScoredNight,
    explained: pa.Table,
) -> None:
    for row in explained.to_pylist():
        record = json.loads(night.files()[row["weights"]])
        assert record["probability"] == pytest.approx(row["probability"], abs=1e-5)
        # LIME is shown the surroundings too, which the network's input does without.
        assert 0.0 <= record["explained_probability"] <= 1.0


def test_the_contact_sheet_shows_every_image_of_the_sample(
    night: ScoredNight,
    explained: pa.Table,
) -> None:
    page = night.files()["contact_sheet.html"].decode()

    for image_id in explained["image_id"].to_pylist():
        assert image_id in page
    assert "http" not in page.replace('charset="utf-8"', "")


def test_explaining_the_same_night_again_gives_the_same_rows_and_files(
    night: ScoredNight,
    explained: pa.Table,
) -> None:
    first_files = night.files()

    again = night.explain()

    assert again == explained
    assert night.files() == first_files


@pytest.mark.usefixtures("explained")
def test_no_file_of_an_explanation_names_an_object(night: ScoredNight) -> None:
    keys = set(night.scored.scores["object_key"].to_pylist())
    names = {part for key in keys for part in key.split("/") if not part.startswith("night=")}

    content = b"".join(
        data for name, data in night.files().items() if name.endswith((".json", ".html"))
    )
    assert not [name for name in names if name.encode() in content]


def test_an_object_that_vanished_since_it_was_scored_costs_only_its_own_explanation(
    night: ScoredNight,
    explained: pa.Table,
) -> None:
    chosen = explained["image_id"].to_pylist()[0]
    scores = night.scored.scores.to_pylist()
    key = next(row["object_key"] for row in scores if row["image_id"] == chosen)
    path = night.folder / key
    data = path.read_bytes()
    path.unlink()

    try:
        rows = {row["image_id"]: row for row in night.explain().to_pylist()}
    finally:
        path.write_bytes(data)

    assert rows[chosen]["overlay"] is None
    assert rows[chosen]["detail"]
    assert [row["detail"] for image_id, row in rows.items() if image_id != chosen] == [None] * 3
