"""A small night, what it gives when nothing goes wrong, and a storage that stumbles."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from pyspark.sql import SparkSession

from jobs.lake import LakeAddress
from model.bundle import Bundle
from tests.integration.conftest import S3Server
from tests.integration.faults.proxy import FaultProxy
from tests.integration.faults.small_night import (
    CalmFolder,
    CalmNight,
    address_of,
    fill_lake,
    score_calmly,
)


@pytest.fixture
def proxy(s3_server: S3Server) -> Iterator[FaultProxy]:
    """A proxy in front of the S3 server; nothing goes wrong until a test says so."""
    with FaultProxy(s3_server.endpoint_url) as running:
        yield running


@pytest.fixture
def stumbling_lake(proxy: FaultProxy, s3_server: S3Server) -> LakeAddress:
    """The address, through the proxy, of a bucket that holds the small night."""
    bucket = s3_server.new_bucket()
    fill_lake(s3_server.address(f"s3://{bucket}"))
    # Every wait of the tests hangs on these: the time-out is met only by requests that a test
    # keeps waiting, and three attempts need two back-offs.
    return S3Server(proxy.endpoint_url).address(
        f"s3://{bucket}", read_timeout_seconds=3, attempts=3
    )


@pytest.fixture(scope="session")
def calm(s3_server: S3Server, spark: SparkSession, tiny_bundle: Bundle) -> CalmNight:
    """The small night in a bucket when nothing goes wrong."""
    address = s3_server.address(f"s3://{s3_server.new_bucket()}")
    fill_lake(address)
    return score_calmly(address, tiny_bundle, spark)


@pytest.fixture(scope="session")
def calm_folder(
    tiny_bundle: Bundle,
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
) -> CalmFolder:
    """The small night in a folder when nothing goes wrong."""
    folder = tmp_path_factory.mktemp("calm")
    fill_lake(address_of(folder / "origin"))
    scored = shutil.copytree(folder / "origin", folder / "scored")
    return CalmFolder(folder / "origin", score_calmly(address_of(scored), tiny_bundle, spark))
