"""Whole nights of a person who does not exist: the name must stand nowhere but in object_key."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import boto3
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from model.bundle import Bundle
from tests.integration.faults.proxy import (
    Exchange,
    FaultProxy,
    answer_error,
    reset_in_mid_body,
)
from tests.integration.spark_fixtures import tiny_bundle  # noqa: F401 - a fixture
from tests.privacy.identity import FAMILY, MIDDLE, PERSON, Needles
from tests.privacy.planted_lake import NIGHT, NIGHT_FOLDER, planted_objects
from tests.privacy.planted_pictures import make_jpeg
from tests.privacy.run_commands import Step, write_plan
from tests.privacy.search import parts_of_folder, parts_of_mapping, search

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(2400)]

ROOT: Final = Path(__file__).parents[2]
SECRETS: Final = {
    "MRI_TRIAGE_IDENTIFIER_KEY": "key-of-the-identifiers-Vx9wQ2",
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDSECRETQZ7",
    "AWS_SECRET_ACCESS_KEY": "storage-secret/kP+3yTq8",
    "AWS_SESSION_TOKEN": "session-token-Lm5Rj6",
}
SETTINGS: Final = {
    "DECODING__MAXIMUM_BYTES": "1000000",
    "DECODING__MAXIMUM_PIXELS": "1000000",
    "EXPLANATION__PERTURBATIONS": "20",
    "EXPLANATION__SAMPLE_SIZE": "12",
    "LAKE__ATTEMPTS": "2",
    "LAKE__READ_TIMEOUT_SECONDS": "5",
    "NIGHT__STEP_RETRIES": "0",
    "PUBLISH__MAXIMUM_FAILED_SHARE": "1.0",
}
TALKATIVE: Final = {
    "PREFECT_LOGGING_LEVEL": "DEBUG",
    "PREFECT_LOGGING_TO_API_ENABLED": "true",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "conf,flows,jobs,model",
    "PREFECT_SERVER_LOGGING_LEVEL": "INFO",
}
OTHER_NIGHT: Final = "2026-11-19"
REFUSED_KEY: Final = "picture.jpg"
TORN_KEY: Final = "picture.png"


@dataclass(frozen=True)
class Traces:
    """What a sequence of commands left behind.

    Attributes:
        folder: all that they wrote on this machine, the lake's incoming/ apart.
        bucket: all that they wrote into the bucket.
        codes: exit codes by the step's name.
    """

    folder: Path
    bucket: dict[str, bytes]
    codes: dict[str, int]

    @property
    def lake(self) -> Path:
        """The lake in a folder."""
        return self.folder / "lake"

    def results(self) -> Path:
        """Where the rows of the night in the folder are."""
        return self.lake / f"results/night={NIGHT}/results.parquet"


@pytest.fixture(scope="module")
def proxy() -> Iterator[FaultProxy]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with FaultProxy(f"http://{host}:{port}") as running:
        yield running
    server.stop()


@pytest.fixture(scope="module")
def traces(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_bundle: Bundle,  # noqa: F811 - the fixture
    proxy: FaultProxy,
) -> Traces:
    """Run everything once, and take the images themselves out of what is searched."""
    folder = tmp_path_factory.mktemp("planted")
    storage = _storage(proxy)
    _fill(folder / "lake", storage)
    _stumble(proxy)
    for name in ("home", "kept", "tmp"):
        (folder / name).mkdir()
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PREFECT_HOME": str(folder / "prefect"),
        "MRI_TRIAGE__BUNDLE__LOCATION": str(_flag_everything(tiny_bundle, folder)),
        "MRI_TRIAGE__LAKE__ENDPOINT_URL": proxy.endpoint_url,
        "AWS_REGION": "us-east-1",
        **{f"MRI_TRIAGE__{name}": value for name, value in SETTINGS.items()},
        **TALKATIVE,
        **SECRETS,
    }
    plan = tmp_path_factory.mktemp("plan") / "plan.json"
    write_plan(plan, _steps(folder / "lake"))
    done = subprocess.run(
        [sys.executable, "-m", "tests.privacy.run_commands", plan, "kept"],
        cwd=folder,
        env=environ,
        capture_output=True,
        check=False,
    )
    (folder / "kept" / "process.out").write_bytes(done.stdout)
    (folder / "kept" / "process.err").write_bytes(done.stderr)
    assert done.returncode == 0, done.stderr.decode()[-3000:]
    codes = json.loads((folder / "kept" / "codes.json").read_text("utf-8"))
    return Traces(folder, _written_to(storage), codes)


def test_the_nights_ended_as_they_should(traces: Traces) -> None:
    assert traces.codes == {
        "night": 0,
        "explain": 0,
        "too-many-failed": 7,
        "shrunk": 9,
        "taken": 8,
        "damaged": 9,
        "in-the-way": 6,
        "no-key": 2,
        "damaged-table": 6,
        "unknown-image": 2,
        "night-in-bucket": 0,
        "storage-gone": 75,
        "audit": 0,
        "clean": 0,
        "config": 0,
    }


def test_every_kind_of_trace_is_there_to_be_searched(traces: Traces) -> None:
    table = pq.ParquetFile(traces.results()).read()
    explanations = list((traces.lake / f"explanations/night={NIGHT}").glob("*/overlay.png"))
    stored = (traces.folder / "prefect" / "prefect.db").stat().st_size
    log = (traces.folder / "kept" / "driver.log").read_text("utf-8")
    jvm = list((traces.folder / "kept").glob("mri-triage-spark-*/jvm.log"))

    assert any(FAMILY in key for key in table["object_key"].to_pylist())
    assert {"tumor_suspected", "unreadable", "unsupported", "too_large", "empty_object"} <= set(
        table["reason"].to_pylist(),
    )
    assert len(explanations) >= 5
    assert stored > 100_000
    assert "objects listed" in log
    assert len(jvm) == 1
    assert any(key.startswith(f"lake/results/night={NIGHT}") for key in traces.bucket)
    assert any("-publish-" in key for key in traces.bucket)


def test_the_planted_name_stands_nowhere_but_in_object_key(traces: Traces) -> None:
    _forget_the_images(traces)

    assert search(parts_of_folder(traces.folder), PERSON) == []
    assert search(parts_of_mapping(traces.bucket), PERSON) == []


def test_no_secret_stands_anywhere(traces: Traces) -> None:
    secrets = Needles(tuple(SECRETS.values()))

    assert search(parts_of_folder(traces.folder), secrets) == []
    assert search(parts_of_mapping(traces.bucket), secrets) == []


def _steps(lake: Path) -> list[Step]:
    def night(name: str, where: Path | str, date: str = NIGHT, **changes: Any) -> Step:  # noqa: ANN401 - as of Step
        arguments = ["night", "--place", "base", "--night", date, "--lake", str(where)]
        return Step(name, arguments, **changes)

    damaged = lake / f"results/night={OTHER_NIGHT}/results.parquet"
    lease = lake / f"runs/{NIGHT}/lease.json"
    blocked = lake.with_name("blocked")
    someone = {"host": "elsewhere", "namespace": "x", "pid": 1, "started": 1.0}
    held = {"run_id": "other", "holder": someone, "expires_at": "2999-01-01T00:00:00+00:00"}
    share = "MRI_TRIAGE__PUBLISH__MAXIMUM_FAILED_SHARE"
    explain = "MRI_TRIAGE__EXPLANATION__SAMPLE_SIZE"
    key = "MRI_TRIAGE_IDENTIFIER_KEY"
    one_of_them = next(path for path in sorted((lake / NIGHT_FOLDER).rglob("*.tif")))
    at_lake = ["--place", "base", "--lake", str(lake)]
    return [
        night("night", lake),
        Step("explain", ["explain", "--night", NIGHT, *at_lake]),
        night("too-many-failed", lake, environ={share: "0.05", explain: "2"}),
        night("shrunk", lake, environ={share: "1.0"}, removed=[str(one_of_them)]),
        night("taken", lake, written={str(lease): json.dumps(held)}),
        night("damaged", lake, OTHER_NIGHT, written={str(damaged): "no table"}),
        night(
            "in-the-way",
            blocked,
            written={str(blocked / "runs"): "", str(blocked / NIGHT_FOLDER / FAMILY): FAMILY},
        ),
        night("no-key", lake, environ={key: ""}),
        Step("damaged-table", ["locate", "0" * 24, *at_lake], environ={key: SECRETS[key]}),
        Step("unknown-image", ["locate", "0" * 24, "--night", NIGHT, *at_lake]),
        night("night-in-bucket", "s3://images/lake"),
        night("storage-gone", "s3://images/gone"),
        Step("audit", ["audit", *at_lake]),
        Step("clean", ["clean", *at_lake]),
        Step("config", ["config", "show", *at_lake]),
    ]


def _fill(lake: Path, client: Any) -> None:  # noqa: ANN401 - boto3 makes clients at run time
    client.create_bucket(Bucket="images")
    for key, data in planted_objects():
        path = lake / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        # The S3 server of the tests knows no key with a line break.
        client.put_object(Bucket="images", Key=f"lake/{key}".replace("\n", " "), Body=data)
    gone = f"gone/{NIGHT_FOLDER}{FAMILY}/slice.jpg"
    client.put_object(Bucket="images", Key=gone, Body=make_jpeg())
    other = lake / f"incoming/night={OTHER_NIGHT}" / FAMILY / "slice.jpg"
    other.parent.mkdir(parents=True)
    other.write_bytes(make_jpeg())
    not_utf_8 = os.fsdecode(f"{MIDDLE}.jpg".encode("latin-1"))
    (lake / NIGHT_FOLDER / not_utf_8).write_bytes(make_jpeg())


def _stumble(proxy: FaultProxy) -> None:
    proxy.inject(answer_error(403, "AccessDenied"), key=REFUSED_KEY)
    proxy.inject(reset_in_mid_body, key=TORN_KEY)

    def vanish(exchange: Exchange) -> None:
        proxy.inject(answer_error(503, "SlowDown"), listing=True)
        exchange.reset()

    proxy.inject(vanish, key="/gone/")


def _storage(proxy: FaultProxy) -> Any:  # noqa: ANN401 - as above
    return boto3.session.Session().client(
        "s3",
        endpoint_url=f"http://{proxy.upstream}",
        region_name="us-east-1",
        aws_access_key_id="owner",
        aws_secret_access_key="owner",
    )


def _written_to(client: Any) -> dict[str, bytes]:  # noqa: ANN401 - as above
    pages = client.get_paginator("list_objects_v2").paginate(Bucket="images")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    written = [key for key in keys if "/incoming/" not in key]
    return {key: client.get_object(Bucket="images", Key=key)["Body"].read() for key in written}


def _flag_everything(bundle: Bundle, folder: Path) -> Path:
    """Copy the bundle with a threshold so low that every image that can be read is explained."""
    copy = folder / "bundle"
    copy.mkdir()
    card = json.loads((bundle.folder / "card.json").read_text("utf-8"))
    (copy / "card.json").write_text(json.dumps(card | {"threshold": 1e-9}), "utf-8")
    (copy / "model.keras").write_bytes((bundle.folder / "model.keras").read_bytes())
    return copy


def _forget_the_images(traces: Traces) -> None:
    """Take away what the test itself planted."""
    for folder in (traces.lake / "incoming", traces.folder / "blocked" / "incoming"):
        shutil.rmtree(folder, ignore_errors=True)
