"""Workers of a real Spark that stand still: the job fails, and nobody waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import pandas as pd
import pytest
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs.silent_worker import ended_when_silent
from jobs.spark_jobs import JobFailedError, read_failure
from tests.integration.spark_fixtures import spark  # noqa: F401 - a fixture

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(120)]


def stand_still(_: object) -> None:
    threading.Event().wait()


def lose_the_report(_: object) -> None:
    """Fail as a worker without memory does: it cannot even say that it failed."""
    import pyspark.worker  # noqa: PLC0415 - the worker's own copy

    setattr(pyspark.worker, "handle_worker_exception", lambda *_: None)  # noqa: B010 - unexported
    raise MemoryError


@pytest.mark.parametrize("deed", [stand_still, lose_the_report])
def test_a_worker_that_stands_still_has_died_for_spark(
    deed: Callable[[object], None],
    spark: SparkSession,  # noqa: F811 - the fixture
) -> None:
    def work(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        with ended_when_silent(2, 2):
            for frame in frames:
                deed(frame)
                yield frame

    with pytest.raises((PySparkException, Py4JError)) as caught:
        spark.range(1).mapInPandas(work, "id long").toArrow()

    error = read_failure(caught.value)
    assert type(error) is JobFailedError
    assert str(error) == "a worker process died"
    assert spark.range(3).mapInPandas(lambda frames: frames, "id long").count() == 3
