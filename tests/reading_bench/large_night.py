"""A published night of many rows, drawn from a seed: no image stands behind them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa

from jobs.decided_rows import RowStamp, decide_rows
from jobs.lake import LakeAddress, open_lake
from jobs.night_keys import explanations_index_key, results_key, studies_key
from jobs.parquet_objects import write_table
from jobs.publish import Publication, PublishLimits, describe
from jobs.schemas import EXPLANATIONS, SCORES
from jobs.studies import make_studies
from model.decision import DecisionLimits

IMAGES_A_STUDY = 12
SCANNERS = (("Siemens", "Skyra"), ("Philips", "Ingenia"), ("GE", "Signa"))


def publish_large_night(lake: Path, night: date, rows: int) -> int:
    """Write the tables of a night of so many rows; return the bytes of its results."""
    stamp = RowStamp("two-headed-lite0 0.2.0", "0" * 64, "20261121T041500-000001", LIMITS)
    results, places = decide_rows(_draw_scores(night, rows), stamp)
    studies = make_studies(results, places, stamp.run_id)
    publication = Publication(night, stamp, results, studies, (), 0, PublishLimits(1.0, 1))
    metadata = describe(publication)
    store = open_lake(LakeAddress(lake.as_uri()))
    write_table(store, explanations_index_key(night), EXPLANATIONS.empty_table(), metadata)
    write_table(store, studies_key(night), studies, metadata)
    write_table(store, results_key(night), results, metadata)
    found = store.head(results_key(night))
    return 0 if found is None else found.size_bytes


LIMITS = DecisionLimits(0.373, 0.5)


def _draw_scores(night: date, rows: int) -> pa.Table:
    random = np.random.default_rng(20261124)
    study = np.sort(random.integers(0, max(1, rows // IMAGES_A_STUDY), rows))
    scanner = random.integers(0, len(SCANNERS), rows // IMAGES_A_STUDY + 1)[study]
    numbers = range(rows)
    columns = {
        "image_id": [f"{number:024x}" for number in numbers],
        "object_key": [
            f"incoming/night={night}/study-{of:06d}/slice-{number:06d}.dcm"
            for number, of in zip(numbers, study, strict=True)
        ],
        "etag": [f"{number:032x}" for number in random.integers(0, 2**62, rows)],
        "size_bytes": random.integers(10_000, 600_000, rows),
        "format": ["dicom"] * rows,
        "frame": np.zeros(rows, dtype=np.int32),
        "study_id": [f"{of:024x}" for of in study],
        "counts_for_study": np.ones(rows, dtype=bool),
        "study_known": np.ones(rows, dtype=bool),
        "probability": random.beta(0.3, 3.0, rows),
        "scope_score": random.uniform(0.45, 1.0, rows),
        "width": np.full(rows, 512, dtype=np.int32),
        "height": np.full(rows, 512, dtype=np.int32),
        "brightness": random.normal(0.2, 0.03, rows),
        "manufacturer": [SCANNERS[one][0] for one in scanner],
        "scanner_model": [SCANNERS[one][1] for one in scanner],
        "plane": random.choice(["axial", "coronal", "sagittal"], rows),
        "sequence": random.choice(["T1", "T2", "FLAIR"], rows),
        "scored_at": [datetime(2026, 11, 21, 4, tzinfo=UTC)] * rows,
    }
    arrays = [
        pa.array(columns[field.name]).cast(field.type)
        if field.name in columns
        else pa.nulls(rows, field.type)
        for field in SCORES
    ]
    return pa.table(arrays, schema=SCORES)
