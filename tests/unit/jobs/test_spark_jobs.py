from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.errors import PySparkException

from jobs.dealing import choose_tasks
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeAddress
from jobs.schemas import INVENTORY, SCORES
from jobs.scoring_rows import rows_to_table
from jobs.scoring_udf import DecodingOptions, ScoringTask
from jobs.spark_jobs import TRIES_ALONE, JobFailedError, read_failure, score_or_halve
from model.errors import (
    AccessDeniedError,
    BundleError,
    StorageUnavailableError,
    TransientError,
)
from model.preflight import DecodingLimits

TASK = ScoringTask(
    lake=LakeAddress("file:///nowhere"),
    bundle_folder=Path("/nowhere"),
    bundle_digest="d",
    identifiers=IdentifierKey(b"sixteen bytes or more"),
    night_folder="incoming/night=2026-11-20/",
    study_from="image",
    decoding=DecodingOptions(DecodingLimits(1, 1, 1), 1.0, 1),
    batch_size=8,
    fetch_threads=1,
    scored_at=datetime(2026, 11, 21, tzinfo=UTC),
)


def objects(*keys: str) -> pa.Table:
    rows = [{"object_key": key, "etag": "e", "size_bytes": 1} for key in keys]
    return pa.Table.from_pylist(rows, schema=INVENTORY)


def scores_of(part: pa.Table) -> pa.Table:
    return rows_to_table(
        {
            "image_id": f"id of {row['object_key']}",
            **row,
            "frame": 0,
            "study_id": "s",
            "counts_for_study": True,
            "study_known": True,
            "probability": 0.5,
            "scored_at": TASK.scored_at,
        }
        for row in part.to_pylist()
    )


class Engine:
    """Fails on every job that holds one of the bad keys, and counts its jobs."""

    def __init__(self, bad: Iterable[str] = ()) -> None:
        self.bad = set(bad)
        self.jobs = 0

    def __call__(self, part: pa.Table) -> pa.Table:
        self.jobs += 1
        if self.bad & set(part["object_key"].to_pylist()):
            message = "a worker process died"
            raise JobFailedError(message)
        return scores_of(part)


def test_a_shard_without_trouble_is_one_job() -> None:
    engine = Engine()

    scores = score_or_halve(objects("a", "b", "c"), engine, TASK)

    assert engine.jobs == 1
    assert scores["object_key"].to_pylist() == ["a", "b", "c"]


def test_the_object_that_brings_a_job_down_stands_alone_in_the_end() -> None:
    scores = score_or_halve(objects(*"abcdefgh"), Engine(bad="f"), TASK)

    assert scores.schema == SCORES
    assert scores["object_key"].to_pylist() == list("abcdefgh")
    assert scores["failure"].to_pylist() == [None] * 5 + ["decoder_crash", None, None]
    assert scores["frame"].to_pylist()[5] is None


def test_a_shard_of_one_object_is_tried_again_before_it_costs_a_row() -> None:
    tries: list[int] = []

    def fail_once(part: pa.Table) -> pa.Table:
        tries.append(part.num_rows)
        if len(tries) == 1:
            message = "a worker ran out of memory"
            raise JobFailedError(message)
        return scores_of(part)

    scores = score_or_halve(objects("a"), fail_once, TASK)

    assert tries == [1, 1]
    assert scores["failure"].to_pylist() == [None]


def test_a_shard_of_one_object_that_always_fails_costs_its_row() -> None:
    engine = Engine(bad="a")

    scores = score_or_halve(objects("a"), engine, TASK)

    assert engine.jobs == TRIES_ALONE
    assert scores["failure"].to_pylist() == ["decoder_crash"]


def test_when_everything_fails_the_night_stops_instead_of_flagging_all() -> None:
    engine = Engine(bad=[f"{number}" for number in range(1000)])

    with pytest.raises(TransientError, match=r"21 Spark jobs .* a worker process died"):
        score_or_halve(objects(*(f"{number}" for number in range(1000))), engine, TASK, 20)


def test_an_error_of_the_whole_night_is_not_halved() -> None:
    jobs: list[int] = []

    def refused(part: pa.Table) -> pa.Table:
        jobs.append(part.num_rows)
        message = "refused"
        raise AccessDeniedError(message)

    with pytest.raises(AccessDeniedError, match="refused"):
        score_or_halve(objects("a", "b"), refused, TASK)

    assert jobs == [2]


@pytest.mark.parametrize(
    ("last_line", "kind", "message"),
    [
        ("model.errors.AccessDeniedError: no: way", AccessDeniedError, "no: way"),
        ("model.errors.BundleError: damaged", BundleError, "damaged"),
        ("model.errors.StorageUnavailableError: slow", StorageUnavailableError, "slow"),
    ],
)
def test_what_a_worker_raised_comes_back_as_what_it_was(
    last_line: str,
    kind: type[Exception],
    message: str,
) -> None:
    text = (
        "\n  An exception was thrown from the Python worker.\nTraceback (most recent call last):\n"
        '  File "x.py", line 3, in read\nbotocore.exceptions.ClientError: 403\n\n'
        "The above exception was the direct cause of the following exception:\n\n"
        f'Traceback (most recent call last):\n  File "x.py", line 14\n{last_line}\nmore\n'
    )

    error = read_failure(PySparkException(text))

    assert type(error) is kind
    assert str(error) == message


def test_another_exception_in_a_worker_is_named_without_its_text() -> None:
    text = "Traceback (most recent call last):\nValueError: bad header in DOE^JANE.dcm\n"

    error = read_failure(PySparkException(text))

    assert type(error) is JobFailedError
    assert str(error) == "a worker raised ValueError"


def test_a_dead_worker_is_a_failed_job() -> None:
    error = read_failure(PySparkException("Python worker exited unexpectedly (crashed): SIGSEGV"))

    assert type(error) is JobFailedError
    assert str(error) == "a worker process died"


def test_a_spark_that_has_gone_is_not_asked_again() -> None:
    assert type(read_failure(ConnectionRefusedError("refused"))) is TransientError


@pytest.mark.parametrize(
    ("count", "cores", "batch_size", "expected"),
    [
        (1, 2, 32, 1),
        (24, 2, 32, 2),
        (2000, 2, 32, 4),
        (600, 2, 32, 2),
        (2000, 64, 32, 64),
        (3, 64, 32, 3),
    ],
)
def test_every_core_has_a_task_and_large_jobs_have_some_more(
    count: int,
    cores: int,
    batch_size: int,
    expected: int,
) -> None:
    assert choose_tasks(count, cores, batch_size) == expected
