"""Scoring a night: its shards on Spark, two at a time, each stored as soon as it is there."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import pyarrow as pa
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException

from jobs.cluster import ship_to_workers
from jobs.code_version import code_version
from jobs.dealing import BATCHES_A_TASK, TASKS_A_CORE
from jobs.night_run import NightRun, OnProgress, Progress
from jobs.shards import Shard, ShardTerms, join_scores, plan_shards, write_shard
from jobs.spark_jobs import count_cores, score_on_spark, score_or_halve

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SHARDS_AT_ONCE: Final = 2
"""While the last tasks of one shard run and its rows are stored, the next one has the idle cores.
Spark gives the earlier job its cores first."""


@dataclass(frozen=True)
class ScoredShards:
    """The scores of a whole night.

    Attributes:
        scores: `jobs.schemas.SCORES`, a row or more for every listed object.
        shards_reused: from earlier attempts.
        shards_scored: by this run.
        images_scored: rows of the latter.
        seconds: that scoring them took.
    """

    scores: pa.Table
    shards_reused: int
    shards_scored: int
    images_scored: int
    seconds: float


def score_shards(run: NightRun, spark: SparkSession, on_progress: OnProgress) -> ScoredShards:
    """Score what no stored shard has scored, one Spark job a shard, each stored at once.

    Raises:
        TriageError: whatever the workers raised of those that end the night.
    """
    begin = time.monotonic()
    with run.timed("score"):
        if not run.request.engine.is_local:
            folders = [run.derived.folder] if run.derived else []
            ship_to_workers(spark, run.bundle.folder, *folders)
        plan = plan_shards(
            run.lake,
            run.request.night,
            run.inventory,
            terms_of(run),
            _objects_a_shard(run, spark),
        )
        total = run.inventory.num_rows
        done = total - sum(shard.objects.num_rows for shard in plan.missing)
        on_progress(Progress("score", done, total))
        fresh: list[pa.Table] = []
        for shard, scores in _score_ahead(run, spark, plan.missing):
            fresh.append(scores)
            done += shard.objects.num_rows
            on_progress(Progress("score", done, total))
    return ScoredShards(
        scores=join_scores([plan.reused, *fresh]),
        shards_reused=plan.shards_reused,
        shards_scored=len(fresh),
        images_scored=sum(table.num_rows for table in fresh),
        seconds=time.monotonic() - begin,
    )


def terms_of(run: NightRun) -> ShardTerms:
    """Say what the scores of this run depend on, besides the objects."""
    request = run.request
    task = run.make_task(run.started_at)
    return ShardTerms(
        bundle_digest=run.bundle.digest,
        # The last digits of a score may depend on how many pictures the graph takes at once.
        engine=f"{request.inference.choice.label}, batches of {request.engine.batch_size}",
        decoding=repr(request.decoding),
        study_from=request.study_from,
        night_folder=task.night_folder,
        key_id=request.identifier_key.key_id,
        code_version=code_version(),
    )


def _objects_a_shard(run: NightRun, spark: SparkSession) -> int:
    """Return how many objects a shard holds: on a large cluster enough for all of its cores."""
    engine = run.request.engine
    if engine.is_local:
        return engine.shard_objects
    enough = count_cores(spark) * TASKS_A_CORE * BATCHES_A_TASK * engine.batch_size
    return max(engine.shard_objects, enough)


def _score_ahead(
    run: NightRun,
    spark: SparkSession,
    shards: Iterable[Shard],
) -> Iterator[tuple[Shard, pa.Table]]:
    """Yield every shard with its scores, in order, while the next one is at work."""
    waiting = iter(shards)
    started: deque[tuple[Shard, Future[pa.Table]]] = deque()
    group = f"night-{run.request.run_id}"
    pool = ThreadPoolExecutor(SHARDS_AT_ONCE, thread_name_prefix="shard")
    try:
        while True:
            while len(started) < SHARDS_AT_ONCE and (shard := next(waiting, None)) is not None:
                started.append((shard, pool.submit(_score_shard, run, spark, shard, group)))
            if not started:
                break
            first, scores = started.popleft()
            yield first, scores.result()
    except BaseException:
        # The other shard's tasks would hold the cores, and this process, until they are done. If
        # Spark is gone, there is nothing to cancel, and what ended the night is the news.
        with suppress(PySparkException, Py4JError, OSError):
            spark.sparkContext.cancelJobGroup(group)
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _score_shard(run: NightRun, spark: SparkSession, shard: Shard, group: str) -> pa.Table:
    spark.sparkContext.setJobGroup(group, "scoring a shard")
    task = run.make_task(run.request.now())
    score = partial(score_on_spark, spark, task=task, watch=run.watch)
    scores = score_or_halve(shard.objects, score, task)
    with run.watch.timed("collect"):
        write_shard(run.lake, run.request.night, shard, scores)
    return scores
