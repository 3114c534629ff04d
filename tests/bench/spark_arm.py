"""(b) The project's own night on Spark: shards, scores stored; warm from round to round."""

from __future__ import annotations

import os
import shutil
import sys
import time
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs.explain_night import ExplanationOptions
from jobs.identifiers import IdentifierKey
from jobs.inventory import list_night
from jobs.lake import LakeAddress, StorageOptions, open_lake
from jobs.lease import LeaseTerms, NightLease
from jobs.night_engine import InferenceOptions
from jobs.night_run import NightRequest, NightRun
from jobs.night_shards import score_shards
from jobs.publish import seen_etag
from jobs.scoring_udf import DecodingOptions
from jobs.spark_jobs import score_on_spark
from jobs.spark_session import EngineOptions, make_session
from jobs.stage_seconds import StageWatch
from model.bundle import open_bundle
from model.derived_network import open_derived
from tests.bench.image_work import LIMITS, Work
from tests.bench.nights import NIGHT
from tests.bench.serving import serve
from tests.bench.storage_server import BUCKET

CHILD_BYTES = 2 * 1024**3
WARM_BATCHES = 8


def make_run(
    work: Work, inventory: pa.Table | None = None, *, lake: LakeAddress | None = None
) -> NightRun:
    """Make the run of a night that is neither leased nor published: only its shards are wanted."""
    night = date.fromisoformat(NIGHT)
    address = lake or LakeAddress(Path(work.lake).as_uri())
    bundle = open_bundle(Path(work.bundle))
    request = NightRequest(
        night=night,
        lake=address,
        night_template="incoming/night={night}/",
        study_from="dicom_or_folder",
        decoding=DecodingOptions(LIMITS, 60.0, CHILD_BYTES),
        engine=EngineOptions(batch_size=work.batch_size),
        bundle=Path(work.bundle),
        threshold=None,
        explanation=ExplanationOptions(enabled=False),
        publish=None,  # type: ignore[arg-type] # nothing is published
        identifier_key=IdentifierKey(b"a key for the benchmark"),
        run_id="benchmark",
        now=lambda: datetime.now(UTC),
        inference=InferenceOptions(),
    )
    opened = open_lake(address)
    return NightRun(
        request=request,
        lake=opened,
        bundle=bundle,
        limits=bundle.card.limits,
        lease=NightLease(opened, night, "benchmark", LeaseTerms(300, request.now)),
        inventory=list_night(opened, night, request.night_template)
        if inventory is None
        else inventory,
        seen_etag=seen_etag(opened, night),
        started_at=request.now(),
        derived=open_derived(Path(work.derived)),
    )


def main() -> None:
    """Arguments: work, number of objects, cores, endpoint of the storage or nothing."""
    work, images, cores = Work.of_json(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    begin = time.perf_counter()
    endpoint = sys.argv[4]
    options = StorageOptions(endpoint_url=endpoint)
    run = make_run(work, lake=LakeAddress(f"s3://{BUCKET}", options) if endpoint else None)
    run = replace(run, inventory=run.inventory.slice(0, images))
    spark = make_session(EngineOptions(master=f"local[{cores}]"), "benchmark")
    session_seconds = time.perf_counter() - begin
    few = run.inventory.slice(0, cores)
    score_on_spark(spark, few, run.make_task(run.started_at))
    first_seconds = time.perf_counter() - begin
    # Every worker loads its network and the JVM compiles what it runs often: not a round's cost.
    warm = run.inventory.slice(0, WARM_BATCHES * work.batch_size * cores)
    score_on_spark(spark, warm, run.make_task(run.started_at))

    def run_round() -> dict[str, Any]:
        shutil.rmtree(Path(work.lake) / "runs", ignore_errors=True)
        fresh = replace(run, watch=StageWatch(), seconds={})
        scored = score_shards(fresh, spark, lambda _: None)
        return {"images": scored.images_scored, "stages": fresh.stages}

    serve(
        run_round,
        {"start": first_seconds, "session": session_seconds, "pid": os.getpid()},
    )


if __name__ == "__main__":
    main()
