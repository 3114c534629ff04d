"""What a driver alone does with a million objects: list them, plan shards, publish rows.

Each runs in a process of its own, whose peak memory is then its own: ``python -m
tests.bench.driver_work listing URL`` or ``publish FOLDER ROWS``.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from jobs.decided_rows import RowStamp
from jobs.inventory import list_night
from jobs.lake import LakeAddress, StorageOptions, open_lake
from jobs.lease import LeaseTerms, NightLease
from jobs.publish import PublishLimits, prepare_publication, publish
from jobs.schemas import EXPLANATIONS, INVENTORY, SCORES
from jobs.shards import ShardTerms, plan_shards
from model.decision import DecisionLimits
from tests.bench.nights import FOLDER, NIGHT, SLICES_A_STUDY, name_slice
from tests.bench.storage_server import BUCKET

TEMPLATE = "incoming/night={night}/"
TERMS = ShardTerms("digest", "engine", "decoding", "dicom_or_folder", FOLDER, "key", "code")


def list_and_plan(endpoint: str) -> dict[str, Any]:
    """List a night from an endpoint and cut it into shards."""
    lake = open_lake(LakeAddress(f"s3://{BUCKET}", StorageOptions(endpoint_url=endpoint)))
    begin = time.perf_counter()
    inventory = list_night(lake, date.fromisoformat(NIGHT), TEMPLATE)
    listed = time.perf_counter() - begin
    shards = plan_shards(lake, date.fromisoformat("2000-01-01"), inventory, TERMS, 2048).missing
    seconds = time.perf_counter() - begin
    return {"objects": inventory.num_rows, "shards": len(shards), "list": listed, "all": seconds}


def publish_rows(folder: str, rows: str) -> dict[str, Any]:
    """Decide, audit and publish a night of made-up scores, in its shards as a night holds them."""
    count = int(rows)
    lake = open_lake(LakeAddress(Path(folder).as_uri()))
    lease = NightLease(lake, date.fromisoformat(NIGHT), "run", LeaseTerms(300, _now))
    lease.take()
    scores = pa.concat_tables(
        [make_scores(at, min(2048, count - at)) for at in range(0, count, 2048)]
    )
    inventory = scores.select(INVENTORY.names).cast(INVENTORY)
    before = _peak_mib()
    begin = time.perf_counter()
    publication = prepare_publication(
        date.fromisoformat(NIGHT),
        inventory,
        scores,
        RowStamp("bundle", "digest", "run", DecisionLimits(0.4, 0.5)),
        PublishLimits(maximum_failed_share=0.2, failed_share_from_objects=20),
    )
    decided = time.perf_counter() - begin
    publish(lake, lease, publication, EXPLANATIONS.empty_table(), None)
    seconds = time.perf_counter() - begin
    lease.release()
    return {"rows": count, "decide": decided, "all": seconds, "before_mib": before}


def make_scores(first: int, count: int) -> pa.Table:
    """Make the rows of a shard as a worker makes them."""
    numbers = np.arange(first, first + count)
    random = np.random.default_rng(first)
    text = [f"{number:024x}" for number in numbers]
    columns = {
        "image_id": text,
        "object_key": [name_slice(int(number)) for number in numbers],
        "etag": [f"{number:032x}" for number in numbers],
        "size_bytes": numbers + 70_000,
        "format": ["jpeg"] * count,
        "frame": np.zeros(count, dtype=np.int32),
        "study_id": [f"{number // SLICES_A_STUDY:024x}" for number in numbers],
        "counts_for_study": np.ones(count, dtype=bool),
        "study_known": np.ones(count, dtype=bool),
        "folder_id": [f"{number // SLICES_A_STUDY:024x}" for number in numbers],
        "probability": random.random(count),
        "scope_score": 0.4 + 0.6 * random.random(count),
        "lesion_area_fraction": random.random(count),
        "width": np.full(count, 512, dtype=np.int32),
        "height": np.full(count, 512, dtype=np.int32),
        "scored_at": [datetime(2026, 11, 21, tzinfo=UTC)] * count,
    }
    arrays = [
        pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in SCORES
    ]
    return pa.table(arrays, schema=SCORES)


def _now() -> datetime:
    return datetime.now(UTC)


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


WORK: dict[str, Callable[..., dict[str, Any]]] = {
    "listing": list_and_plan,
    "publish": publish_rows,
}

if __name__ == "__main__":
    found = WORK[sys.argv[1]](*sys.argv[2:])
    print(json.dumps({**found, "peak_mib": _peak_mib()}))  # noqa: T201 - read by the benchmark
