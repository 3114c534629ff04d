"""One Spark session, one small bundle and one finished night for all tests that need them."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from jobs.score_night import NightOutcome, NightRequest, run_night
from jobs.spark_session import EngineOptions, make_session
from model.bundle import Bundle, open_bundle
from tests.builders import copy_mini_lake, make_request

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class FinishedNight:
    """A night that was scored and published.

    Attributes:
        lake: the lake's root; not to be changed, copy it.
        request: what was asked for.
        outcome: what `run_night` returned.
    """

    lake: Path
    request: NightRequest
    outcome: NightOutcome

    @property
    def results(self) -> pa.Table:
        """What was published."""
        return read_results(self.lake, self.outcome)


def read_results(lake: Path, outcome: NightOutcome) -> pa.Table:
    """Read a published night without this project's own reader."""
    return pq.ParquetFile(lake / outcome.results_key).read()


def ignore_progress(_: object) -> None:
    """Take what a step reports, and say nothing."""


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Spark on two cores of this machine; its workers have the environment of this moment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing-secret")
        session = make_session(EngineOptions(master="local[2]"), "tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The bundle of `tests.builders`, written in another process: Keras stays out of this one."""
    folder = tmp_path_factory.mktemp("bundle") / "tiny"
    code = (
        "import sys, pathlib; from tests.builders import write_tiny_bundle;"
        "write_tiny_bundle(pathlib.Path(sys.argv[1]))"
    )
    subprocess.run([sys.executable, "-c", code, folder], cwd=ROOT, check=True, capture_output=True)
    return open_bundle(folder)


@pytest.fixture(scope="session")
def first_night(
    spark: SparkSession,
    tiny_bundle: Bundle,
    tmp_path_factory: pytest.TempPathFactory,
) -> FinishedNight:
    """The mini lake's busy night, scored and published."""
    lake = copy_mini_lake(tmp_path_factory.mktemp("first") / "lake")
    request = make_request(lake, tiny_bundle.folder)
    return FinishedNight(lake, request, run_night(request, spark, ignore_progress))
