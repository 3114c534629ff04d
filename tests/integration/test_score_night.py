from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from jobs.cluster import ship_to_workers
from jobs.lake import LakeAddress, StorageOptions
from jobs.score_night import (
    NightRequest,
    Progress,
    close_night,
    open_night,
    run_night,
)
from jobs.spark_jobs import score_on_spark
from jobs.stage_seconds import STAGES
from model.bundle import Bundle
from model.errors import (
    BundleError,
    ConfigurationError,
    NightTakenError,
    StorageUnavailableError,
)
from model.images import DecodedImage
from tests.builders import BUSY_NIGHT, copy_mini_lake, make_request
from tests.integration.spark_fixtures import ROOT, FinishedNight, ignore_progress, read_results

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]

NIGHT_FOLDER = f"incoming/night={BUSY_NIGHT.isoformat()}"
EMPTY_NIGHT = date(2026, 11, 21)


def comparable(results: pa.Table) -> pd.DataFrame:
    """Return the rows without the two columns in which two runs of one night may differ."""
    frame: pd.DataFrame = results.to_pandas()
    return frame.drop(columns=["run_id", "scored_at"])


def listed_files(lake: Path) -> list[str]:
    files = (path for path in (lake / NIGHT_FOLDER).rglob("*") if path.is_file())
    return sorted(path.relative_to(lake).as_posix() for path in files)


def copy_of(night: FinishedNight, folder: Path, run_id: str) -> tuple[Path, NightRequest]:
    """Copy a finished night's lake, times of the files included, and ask for the night again."""
    lake = shutil.copytree(night.lake, folder / "lake")
    request = replace(night.request, lake=LakeAddress(lake.as_uri()), run_id=run_id)
    return lake, request


def test_every_listed_object_ends_as_rows(first_night: FinishedNight) -> None:
    results = first_night.results

    assert sorted(set(results["object_key"].to_pylist())) == listed_files(first_night.lake)
    assert first_night.outcome.objects == len(listed_files(first_night.lake))
    assert first_night.outcome.rows == results.num_rows
    assert sum(first_night.outcome.by_decision.values()) == results.num_rows
    assert len(set(results["image_id"].to_pylist())) == results.num_rows


def test_what_cannot_be_scored_is_flagged_with_its_reason(first_night: FinishedNight) -> None:
    rows = {row["object_key"].rpartition("/")[2]: row for row in first_night.results.to_pylist()}

    reasons = {name: rows[name]["reason"] for name in ("picture-31.jpg", "picture-32.jpg")}
    assert reasons == {"picture-31.jpg": "unreadable", "picture-32.jpg": "empty_object"}
    assert rows["panorama.png"]["reason"] == "too_large"
    assert rows["readme.jpg"]["reason"] == "unsupported"
    assert rows["report.dcm"]["reason"] == "non_diagnostic"
    assert rows["report.dcm"]["counts_for_study"] is False
    assert {rows[name]["decision"] for name in rows if rows[name]["probability"] is None} == {
        "flagged",
    }


def test_the_run_is_written_down_without_identities(first_night: FinishedNight) -> None:
    run = first_night.lake / "runs" / BUSY_NIGHT.isoformat() / first_night.request.run_id
    text = (run / "run.json").read_text()

    content = json.loads(text)

    assert content["state"] == "published"
    assert content["objects"] == 39
    assert content["settings"]["engine"]["shard_objects"] == 15
    assert "study-3000" not in text
    assert "a key for the tests" not in text


def test_the_same_night_in_other_shards_and_batches_gives_the_same_rows(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    lake = copy_mini_lake(tmp_path / "lake")
    engine = replace(first_night.request.engine, shard_objects=39)
    request = replace(
        first_night.request,
        lake=LakeAddress(lake.as_uri()),
        engine=engine,
        run_id="20261121T051500-000002",
    )

    outcome = run_night(request, spark, ignore_progress)

    assert (outcome.shards_reused, outcome.shards_scored) == (0, 1)
    pd.testing.assert_frame_equal(
        comparable(read_results(lake, outcome)),
        comparable(first_night.results),
        check_exact=True,
    )


def test_a_late_object_is_added_and_nothing_else_is_scored_again(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    lake, request = copy_of(first_night, tmp_path, "20261121T051500-000003")
    late = f"{NIGHT_FOLDER}/neuro/study-3000/image-3.jpg"
    shutil.copy(lake / f"{NIGHT_FOLDER}/neuro/study-3000/image-1.jpg", lake / late)
    scored: list[Progress] = []

    outcome = run_night(request, spark, scored.append)

    before, after = comparable(first_night.results), comparable(read_results(lake, outcome))
    assert [progress.done for progress in scored if progress.step == "score"] == [39, 40]
    assert outcome.shards_scored == 1
    added = after["object_key"] == late
    assert added.sum() == 1
    pd.testing.assert_frame_equal(after[~added].reset_index(drop=True), before, check_exact=True)


KILLED_AFTER_THE_FIRST_SHARD = """
import os, signal, sys
from pathlib import Path
from jobs.score_night import run_night
from jobs.spark_session import make_session
from tests.builders import make_request

def die_after_the_first_shard(progress):
    if progress.step == "score" and progress.done > 0:
        os.kill(os.getpid(), signal.SIGKILL)

request = make_request(Path(sys.argv[1]), Path(sys.argv[2]))
run_night(request, make_session(request.engine, "killed"), die_after_the_first_shard)
"""


def test_a_killed_night_goes_on_from_its_shards_and_gives_the_same_rows(
    first_night: FinishedNight,
    tiny_bundle: Bundle,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    lake = copy_mini_lake(tmp_path / "lake")
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_AFTER_THE_FIRST_SHARD, lake, tiny_bundle.folder],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert not (lake / "results").exists()

    request = make_request(lake, tiny_bundle.folder, run_id="20261121T051500-000004")
    outcome = run_night(request, spark, ignore_progress)

    # Two shards are at work at a time, so that the second may have been stored before the first.
    assert outcome.shards_reused in {1, 2}
    assert outcome.shards_reused + outcome.shards_scored == 3
    pd.testing.assert_frame_equal(
        comparable(read_results(lake, outcome)),
        comparable(first_night.results),
        check_exact=True,
    )


def test_the_score_is_the_bundle_s_own(first_night: FinishedNight, tiny_bundle: Bundle) -> None:
    from model.decoding import decode_object  # noqa: PLC0415 - the network only where it is asked
    from model.inference import load_scorer  # noqa: PLC0415
    from model.preprocessing import prepare_image  # noqa: PLC0415

    scorer = load_scorer(tiny_bundle, batch_size=1)
    limits = first_night.request.decoding.limits
    rows = [row for row in first_night.results.to_pylist() if row["probability"] is not None]

    own = []
    for row in rows:
        (image,) = decode_object((first_night.lake / row["object_key"]).read_bytes(), limits)
        assert isinstance(image, DecodedImage)
        prepared = prepare_image(image, tiny_bundle.card.preprocessing)
        scores = scorer.score(prepared.network_input[None], prepared.picture_features[None])
        own.append((scores.probabilities[0], scores.scope_scores[0]))

    assert len(rows) == 31
    published = [(row["probability"], row["scope_score"]) for row in rows]
    np.testing.assert_allclose(published, own, rtol=0, atol=1e-6)


def test_spark_pandas_and_duckdb_read_all_nights_as_one_table(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    lake, request = copy_of(first_night, tmp_path, "20261122T041500-000005")
    run_night(replace(request, night=EMPTY_NIGHT), spark, ignore_progress)
    results = lake / "results"

    by_spark = spark.read.parquet(str(results))
    by_pandas = pd.read_parquet(results)
    by_duckdb = duckdb.execute(
        "SELECT night, count(*), min(probability) "
        "FROM read_parquet(?, hive_partitioning=true) GROUP BY night",
        [f"{results}/*/results.parquet"],
    ).fetchall()

    rows = first_night.results.num_rows
    least = min(p for p in first_night.results["probability"].to_pylist() if p is not None)
    assert [
        (str(row["night"]), row["count"]) for row in by_spark.groupBy("night").count().collect()
    ] == [
        ("2026-11-20", rows),
    ]
    assert by_pandas["night"].astype(str).value_counts()["2026-11-20"] == rows
    assert [(str(night), n, p) for night, n, p in by_duckdb] == [("2026-11-20", rows, least)]


def test_a_night_without_objects_is_published_empty_with_a_warning(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    lake, request = copy_of(first_night, tmp_path, "20261122T041500-000006")

    outcome = run_night(replace(request, night=EMPTY_NIGHT), spark, ignore_progress)

    assert (outcome.objects, outcome.rows, outcome.images_per_second) == (0, 0, 0.0)
    assert len(outcome.warnings) == 1
    assert read_results(lake, outcome).num_rows == 0


def test_a_raised_threshold_is_refused_before_anything_is_written(
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    lake = copy_mini_lake(tmp_path / "lake")
    request = make_request(lake, tiny_bundle.folder, threshold=0.51)

    with pytest.raises(ConfigurationError, match=r"at most the bundle's own 0\.5"):
        open_night(request)

    assert [path.name for path in lake.iterdir()] == ["incoming"]


def test_a_lowered_threshold_stands_in_every_row_and_needs_no_new_scores(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    lake, request = copy_of(first_night, tmp_path, "20261122T041500-000007")

    outcome = run_night(replace(request, threshold=0.25), spark, ignore_progress)

    results = read_results(lake, outcome)
    assert outcome.shards_scored == 0
    assert set(results["threshold"].to_pylist()) == {0.25}
    metadata = results.schema.metadata
    assert metadata[b"mri_triage.threshold_override"] == b"0.25"
    assert metadata[b"mri_triage.bundle_threshold"] == b"0.5"


def test_a_second_run_of_an_open_night_is_refused(
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    lake = copy_mini_lake(tmp_path / "lake")
    request = make_request(lake, tiny_bundle.folder)
    run = open_night(request)

    with pytest.raises(NightTakenError, match=request.run_id):
        open_night(replace(request, run_id="20261121T041500-000008"))

    close_night(run)
    close_night(open_night(replace(request, run_id="20261121T041500-000009")))
    run_json = lake / "runs" / BUSY_NIGHT.isoformat() / request.run_id / "run.json"
    assert json.loads(run_json.read_text())["state"] == "stopped"


def test_a_bundle_that_differs_on_the_worker_is_a_bundle_error(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    _, request = copy_of(first_night, tmp_path, "20261122T041500-000010")
    run = open_night(request)
    task = replace(run.make_task(datetime(2026, 11, 22, tzinfo=UTC)), bundle_digest="another")

    with pytest.raises(BundleError, match="expected another"):
        score_on_spark(spark, run.inventory, task)

    close_night(run)


def test_a_bundle_that_the_workers_do_not_have_is_shipped_to_them(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    _, request = copy_of(first_night, tmp_path, "20261122T041500-000012")
    run = open_night(request)
    another, bundle = (tmp_path / name / "bundle" for name in ("another", "shipped"))
    another.mkdir(parents=True)
    shutil.copytree(run.bundle.folder, bundle)
    task = replace(run.make_task(datetime(2026, 11, 22, tzinfo=UTC)), bundle_folder=bundle)

    ship_to_workers(spark, another)  # of the same name, shipped in the same session
    ship_to_workers(spark, bundle)
    ship_to_workers(spark, bundle)
    shutil.rmtree(bundle)  # as on a machine that does not have it
    scores = score_on_spark(spark, run.inventory.slice(14, 2), task)

    assert scores["failure"].to_pylist() == [None, None]
    close_night(run)


def test_a_storage_that_goes_away_is_a_transient_error_and_no_row(
    first_night: FinishedNight,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    _, request = copy_of(first_night, tmp_path, "20261122T041500-000011")
    run = open_night(request)
    gone = LakeAddress(
        "s3://lake-of-nowhere",
        StorageOptions("http://127.0.0.1:9", "eu-central-1", 1, 1, attempts=1),
    )
    task = replace(run.make_task(datetime(2026, 11, 22, tzinfo=UTC)), lake=gone)

    with pytest.raises(StorageUnavailableError, match=r"127\.0\.0\.1:9"):
        score_on_spark(spark, run.inventory.slice(0, 3), task)

    close_night(run)


def test_where_the_time_went_is_told_by_the_workers(first_night: FinishedNight) -> None:
    record = next((first_night.lake / "runs").rglob("run.json"))
    stages = json.loads(record.read_text("utf-8"))["stages"]
    assert set(stages) == set(STAGES)
    assert all(seconds >= 0 for seconds in stages.values())
    assert stages["predict"] > 0 < stages["decode"]
