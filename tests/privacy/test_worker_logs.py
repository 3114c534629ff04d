"""What Spark's workers fail with is written down by Spark; no name may be in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pandas as pd
import pytest
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from jobs import scoring_udf
from jobs.scoring_udf import make_score_batches
from jobs.spark_jobs import JobFailedError, read_failure
from jobs.spark_session import LOG_NAME
from model.errors import UnforeseenError
from model.unforeseen import quoting_nothing
from tests.integration.spark_fixtures import spark  # noqa: F401 - a fixture
from tests.privacy.identity import FAMILY, GIVEN
from tests.unit.jobs.test_spark_jobs import TASK


def test_what_fails_while_scoring_leaves_the_worker_without_its_text(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        message = f"cannot convert {FAMILY}"
        raise ValueError(message)

    monkeypatch.setattr(scoring_udf, "make_tools", lambda _: None)
    monkeypatch.setattr(scoring_udf, "score_objects", fail)

    with pytest.raises(UnforeseenError, match="unexpected ValueError") as caught:
        list(make_score_batches(TASK)([]))

    assert FAMILY not in str(caught.value)


@pytest.mark.slow
@pytest.mark.spark
def test_the_log_of_spark_says_what_happened_and_not_to_whom(
    spark: SparkSession,  # noqa: F811 - the fixture
) -> None:
    def refuse(text: str) -> None:
        message = f"cannot convert {text}"
        raise ValueError(message)

    def fail(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        with quoting_nothing():
            refuse(FAMILY)
        yield from frames

    def fail_and_quote(frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        refuse(GIVEN)
        yield from frames

    failures = []
    for function in (fail, fail_and_quote):
        with pytest.raises(PySparkException) as caught:
            spark.range(1).mapInPandas(function, "id long").toArrow()
        failures.append(caught.value)

    log = Path(spark.conf.get("spark.local.dir") or "") / LOG_NAME
    written = log.read_text("utf-8")
    assert "model.errors.UnforeseenError: unexpected ValueError" in written
    assert FAMILY not in written
    assert GIVEN in written  # so that this test would see it
    assert FAMILY not in str(failures[0])
    error = read_failure(failures[0])
    assert type(error) is JobFailedError
    assert str(error).startswith("a worker raised ValueError")
