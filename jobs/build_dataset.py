"""Build a data set: read a folder on Spark, group and split it, write it as Parquet.

The files are written to a temporary folder first and then put in place one by one, the manifest
last, so that the target may be a folder or a bucket and is never half a data set.
"""

from __future__ import annotations

import csv
import hashlib
import io
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from jobs.dataset_manifest import (
    IMAGES_FOLDER,
    MANIFEST_KEY,
    SET_ASIDE_KEY,
    Manifest,
    StoredFile,
)
from jobs.inspect_images import inspect_images
from jobs.lake import Lake, LakeAddress, open_lake
from jobs.petastorm_files import SCHEMA, encode_file, write_rows
from jobs.spark_jobs import read_failure
from model.errors import LakeNotFoundError, OutputError, TrainingDataError
from model.training_dataset import DatasetPlan, PlanOptions, SetAside, plan_dataset
from model.training_folders import LabelledFolder, list_labelled

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

IMAGES_A_FRAME: Final = 16
"""Images that a worker holds at once, with their bytes."""

IMAGES_A_FILE: Final = 500
"""About; a file is what one task writes."""


@dataclass(frozen=True)
class DatasetRequest:
    """What to build.

    Attributes:
        source: folder of labelled images.
        out: where to; must be empty.
        options: how the folder becomes a data set.
    """

    source: Path
    out: LakeAddress
    options: PlanOptions


@dataclass(frozen=True)
class BuiltDataset:
    """What was built.

    Attributes:
        listed: the folder.
        plan: what was decided.
        manifest: what was written.
    """

    listed: LabelledFolder
    plan: DatasetPlan
    manifest: Manifest


def build_dataset(request: DatasetRequest, spark: SparkSession) -> BuiltDataset:
    """Build a data set.

    Raises:
        TrainingDataError: if the folder cannot be used; see `list_labelled` and `plan_dataset`.
        OutputError: if the target is not empty or cannot be written.
        TriageError: if a Spark job or the storage fails.
    """
    listed = list_labelled(request.source)
    lake = open_lake(request.out)
    refuse_filled(lake)
    inspected, failed = inspect_images(spark, listed)
    plan = plan_dataset(listed, inspected, failed, request.options)
    with tempfile.TemporaryDirectory(prefix="mri-triage-dataset-") as temporary:
        folder = Path(temporary) / "images"
        _write_parquet(spark, plan_rows(listed, plan), folder)
        manifest = _publish(lake, folder, plan)
    return BuiltDataset(listed, plan, manifest)


def refuse_filled(lake: Lake) -> None:
    """Refuse a target that holds anything.

    Raises:
        OutputError: if it does.
    """
    try:
        lake.require()
    except LakeNotFoundError:
        return  # a folder that does not exist yet; a bucket that does not is told on writing
    if next(iter(lake.list_objects("")), None) is not None:
        message = f"{lake.address.url} is not empty: choose another place, or remove what is there"
        raise OutputError(message)


def plan_rows(listed: LabelledFolder, plan: DatasetPlan) -> pa.Table:
    """Return the rows to write, without the files' bytes, part by part.

    Within a part they stand in the order of a hash: classes and sources are mixed.
    """
    part_of = {image.path: part for part, images in plan.parts.items() for image in images}
    rows = [
        {
            "path": listed.name_of(one.image.path),
            "source": one.image.source,
            "tumor_type": one.image.tumor_type,
            "plane": one.image.plane,
            "group_id": one.image.group_id,
            "part": part_of[one.image.path],
            "label": one.image.label,
            "width": one.width,
            "height": one.height,
            "image_file": str(one.image.path),
            "mask_file": str(one.image.mask or ""),
            "digest": one.digest,
        }
        for one in plan.inspected
    ]
    rows.sort(key=lambda row: (row["part"], _hashed(str(row["path"]))))
    return pa.Table.from_pylist(rows)


def fill_in_files(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
    """Put the files' bytes into rows; Spark runs this in its workers.

    Raises:
        TrainingDataError: if a file changed since it was inspected.
    """
    for frame in frames:
        for start in range(0, len(frame), IMAGES_A_FRAME):
            rows = frame.iloc[start : start + IMAGES_A_FRAME]
            images = [_read_unchanged(row) for row in rows.itertuples(index=False)]
            masks = [Path(mask).read_bytes() if mask else b"" for mask in rows["mask_file"]]
            filled = rows.assign(
                image=[encode_file(content) for content in images],
                mask=[encode_file(content) for content in masks],
            )
            yield filled[list(SCHEMA.fields)]


def set_aside_csv(set_aside: Sequence[SetAside]) -> bytes:
    """Return the list of what was set aside as CSV."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["path", "problem"])
    writer.writerows((one.path, one.problem) for one in set_aside)
    return text.getvalue().encode()


def _write_parquet(spark: SparkSession, rows: pa.Table, folder: Path) -> None:
    # Spark cuts a local table into so many tasks without a shuffle, and a task writes one file.
    tasks = -(-rows.num_rows // IMAGES_A_FILE)
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", str(tasks))
    try:
        filled = spark.createDataFrame(rows).mapInPandas(fill_in_files, SCHEMA.as_spark_schema())
        write_rows(spark, filled, folder)
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise read_failure(error) from error


def _publish(lake: Lake, folder: Path, plan: DatasetPlan) -> Manifest:
    files: list[StoredFile] = []
    for path in sorted(folder.iterdir()):
        key = IMAGES_FOLDER + path.name
        files.append(StoredFile.of(key, path.read_bytes()))
        lake.write(key, path)
    lake.write(SET_ASIDE_KEY, set_aside_csv(plan.set_aside))
    manifest = Manifest(
        files=tuple(files),
        images=len(plan.inspected),
        parts={part: len(images) for part, images in plan.parts.items()},
        split_digest=plan.split_digest,
    )
    lake.write(MANIFEST_KEY, manifest.to_json(), if_absent=True)
    return manifest


def _read_unchanged(row: Any) -> bytes:  # noqa: ANN401 - pandas makes the class of its rows at run time
    content = Path(row.image_file).read_bytes()
    if hashlib.sha256(content).hexdigest() != row.digest:
        message = f"{row.path} changed while the data set was built: build it again"
        raise TrainingDataError(message)
    return content


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
