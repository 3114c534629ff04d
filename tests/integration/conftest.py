"""A real S3 server in this process, one for all tests, on 127.0.0.1 and a free port."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.server import ThreadedMotoServer

from jobs.lake import LakeAddress, StorageOptions
from tests.integration.spark_fixtures import (  # noqa: F401 - pytest finds fixtures here
    first_night,
    spark,
    tiny_bundle,
)

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing-secret",
    "AWS_DEFAULT_REGION": "us-east-1",
    # The credentials and the configuration of whoever runs the tests stay out of them.
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}


@dataclass(frozen=True)
class S3Server:
    """The server, as a hospital's configuration would name it."""

    endpoint_url: str

    def client(self) -> Any:  # noqa: ANN401 - boto3's clients are made at run time
        """Make a client that is not the one under test."""
        return boto3.session.Session().client("s3", endpoint_url=self.endpoint_url)

    def new_bucket(self) -> str:
        """Create a bucket that no other test uses."""
        name = f"lake-{uuid4().hex}"
        self.client().create_bucket(Bucket=name)
        return name

    def address(self, url: str, **options: Any) -> LakeAddress:  # noqa: ANN401 - as of the options
        """Return the address of a lake on this server."""
        return LakeAddress(url, StorageOptions(endpoint_url=self.endpoint_url, **options))


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The running server. Its credentials are in the environment while the tests run."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
            patch.delenv(name, raising=False)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}")
        server.stop()


@pytest.fixture
def s3_lake(s3_server: S3Server) -> LakeAddress:
    """The address of an empty lake in a bucket of its own, below a prefix."""
    return s3_server.address(f"s3://{s3_server.new_bucket()}/hospital/lake")
