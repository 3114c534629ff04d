"""Run one shard as one Spark job, and find the object that brings a job down.

Decoding happens in its own process, so a job should not fail because of one image. Should it
fail nonetheless (the network, memory, a defect), the shard is halved until the objects that do it
stand alone. They become ``decoder_crash`` rows; the others are scored.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, TypeAlias

import pyarrow as pa
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql.pandas.types import from_arrow_schema
from pyspark.sql.types import StructType

import model.errors
from jobs.dealing import choose_tasks, deal, measure_costs
from jobs.decoding_messages import ImageFailure
from jobs.lake import LakeObject
from jobs.schemas import INVENTORY, SCORES
from jobs.scoring_rows import rows_to_table
from jobs.scoring_udf import ScoringTask, make_score_batches
from jobs.stage_accumulator import make_accumulator
from jobs.stage_seconds import StageWatch
from model.errors import DecoderCrashError, TransientError, TriageError, UnforeseenError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

LOG = logging.getLogger(__name__)

ScoreObjects: TypeAlias = Callable[[pa.Table], pa.Table]
"""Objects (`INVENTORY`) in, their rows (`SCORES`) out."""

MAXIMUM_FAILED_JOBS: Final = 48
"""In one shard. A single bad object of 2,000 costs 12 (halving 11 times); four of them fit."""

_RAISED_IN_WORKER: Final = re.compile(r"^model\.errors\.(\w+): (.*)$", re.MULTILINE)


TRIES_ALONE: Final = 3
"""Of a shard of one object. One among others is tried again anyhow, when its job is halved: what
befell the worker by chance shall not cost a row."""


class JobFailedError(TransientError):
    """A Spark job failed, and not with an error of this project: one of its objects may do it."""


def score_on_spark(
    spark: SparkSession,
    objects: pa.Table,
    task: ScoringTask,
    watch: StageWatch | None = None,
) -> pa.Table:
    """Score objects in one Spark job. Several may run at once, each from a thread of its own.

    Args:
        spark: the session.
        objects: the columns of `INVENTORY`.
        task: what the workers do.
        watch: told how long the stages took, or None.

    Returns:
        Their rows (`SCORES`), sorted by object key and frame.

    Raises:
        TriageError: the one that a worker raised.
        JobFailedError: if the job failed in another way.
        TransientError: if Spark itself is gone.
    """
    tasks = choose_tasks(objects.num_rows, count_cores(spark), task.batch_size)
    dealt = objects.select(INVENTORY.names).take(deal(measure_costs(objects), tasks))
    # A session of its own shares all but the settings, which another job may change meanwhile.
    own = spark.newSession()
    # Spark cuts a local table into so many tasks without a shuffle.
    own.conf.set("spark.sql.leafNodeDefaultParallelism", str(tasks))
    seconds = make_accumulator(spark.sparkContext)
    schema = from_arrow_schema(SCORES)
    assert isinstance(schema, StructType)  # noqa: S101 - tells mypy what Spark's stub leaves open
    try:
        references = own.createDataFrame(dealt)
        rows = references.mapInPandas(make_score_batches(task, seconds), schema).toArrow()
    except (PySparkException, Py4JError, ConnectionError) as error:
        raise read_failure(error) from error
    if watch is not None:
        watch.add(seconds.value)
    return rows.cast(SCORES).sort_by([("object_key", "ascending"), ("frame", "ascending")])


def score_or_halve(
    objects: pa.Table,
    score: ScoreObjects,
    task: ScoringTask,
    maximum_failed_jobs: int = MAXIMUM_FAILED_JOBS,
) -> pa.Table:
    """Score objects; where a job fails, halve it until the culprits stand alone.

    Args:
        objects: the columns of `INVENTORY`.
        score: scores objects in one job.
        task: makes the rows of objects that cannot be scored even alone.
        maximum_failed_jobs: after so many the fault is not in single objects.

    Returns:
        The rows of all objects (`SCORES`), in the order of the objects.

    Raises:
        TriageError: any other than `JobFailedError`, at once.
        TransientError: after `maximum_failed_jobs`.
    """
    failed_jobs = 0
    tables: list[pa.Table] = []
    waiting = [objects]
    while waiting:
        part = waiting.pop()
        try:
            tables.append(score(part))
        except JobFailedError as error:
            failed_jobs += 1
            if failed_jobs > maximum_failed_jobs:
                message = (
                    f"{failed_jobs} Spark jobs of one shard failed, the last one with: {error}; "
                    "single images do not explain that: check the memory of the workers"
                )
                raise TransientError(message) from error
            LOG.warning("a job of %d objects failed and is halved: %s", part.num_rows, error)
            if objects.num_rows == 1 and failed_jobs < TRIES_ALONE:
                waiting.append(part)
            elif part.num_rows == 1:
                tables.append(_crashed(part, task))
            else:
                half = part.num_rows // 2
                waiting += [part.slice(half), part.slice(0, half)]
    return pa.concat_tables(tables)


def read_failure(error: BaseException) -> TriageError:
    """Turn what Spark raised into the error that it stands for.

    A worker's exception comes back as text: its traceback, whose last line names the class.
    """
    text = str(error)
    raised = _RAISED_IN_WORKER.findall(text)
    if raised:
        name, message = raised[-1]
        kind = getattr(model.errors, name, None)
        if kind is UnforeseenError:
            return JobFailedError(f"a worker raised {message.removeprefix('unexpected ')}")
        if isinstance(kind, type) and issubclass(kind, TriageError):
            return kind(message)
    if (
        isinstance(error, Py4JNetworkError | ConnectionError)
        or "SparkContext was shut down" in text
    ):
        return TransientError(
            "Spark has gone away in the middle of the night; its memory may have run out: start "
            "the run again, it goes on from its shards",
        )
    return JobFailedError(_cause(text))


def _cause(text: str) -> str:
    # Class names only: the text of an unexpected exception may quote a file.
    if "Python worker exited unexpectedly" in text:
        return "a worker process died"
    classes = re.findall(r"^([A-Za-z_][\w.]*(?:Error|Exception|Warning))\b", text, re.MULTILINE)
    return f"a worker raised {classes[-1]}" if classes else "an error of the engine"


def _crashed(single: pa.Table, task: ScoringTask) -> pa.Table:
    error = DecoderCrashError("scoring this object alone brings the worker down")
    failure = ImageFailure.of(error)
    return rows_to_table(task.rows.failed(source, failure) for source in _objects(single))


def _objects(objects: pa.Table) -> Iterator[LakeObject]:
    for row in objects.to_pylist():
        yield LakeObject(row["object_key"], row["etag"], row["size_bytes"])


def count_cores(spark: SparkSession) -> int:
    """Return the cores that the session's tasks have."""
    return max(1, spark.sparkContext.defaultParallelism)
