"""The command itself, in a process of its own: bad input, and a night without objects."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest
import requests
from moto.server import ThreadedMotoServer

from tests.builders import write_tiny_bundle

NIGHT = "2026-11-20"
NIGHT_FOLDER = f"incoming/night={NIGHT}"


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    error: str


@dataclass(frozen=True)
class Command:
    """``mri-triage`` with an environment that holds nothing of the developer's."""

    environ: dict[str, str]

    def __call__(self, *arguments: str, **changes: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", *arguments],
            env=self.environ | changes,
            capture_output=True,
            text=True,
            check=False,
            timeout=280,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def night(self, lake: str | Path, *arguments: str, **changes: str) -> Ended:
        common = ("night", "--place", "demo", "--night", NIGHT, "--lake", str(lake))
        return self(*common, *arguments, **changes)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_bundle(tmp_path_factory.mktemp("bundle") / "tiny").folder


@pytest.fixture(scope="module")
def prefect_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prefect")


@pytest.fixture
def command(tmp_path: Path, bundle: Path, prefect_home: Path) -> Command:
    return Command(
        {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path / "home"),
            "PREFECT_HOME": str(prefect_home),
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "TMPDIR": str(tmp_path),
            "MRI_TRIAGE__BUNDLE__LOCATION": str(bundle),
        },
    )


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder = tmp_path / "lake"
    (folder / NIGHT_FOLDER).mkdir(parents=True)
    (folder / NIGHT_FOLDER / "note.jpg").write_text("no picture", "utf-8")
    return folder


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    _, port = server.get_host_and_port()
    yield f"http://127.0.0.1:{port}"
    server.stop()


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_one_sentence(ended: Ended, code: int, *said: str) -> None:
    assert ended.code == code, ended
    assert ended.out == ""
    lines = ended.error.splitlines()
    assert len(lines) == 1, ended.error
    assert lines[0].startswith("mri-triage: ")
    for words in said:
        assert words in lines[0]


def test_a_missing_lake_is_one_sentence_and_exit_code_3(command: Command, tmp_path: Path) -> None:
    ended = command.night(tmp_path / "nowhere")

    assert_one_sentence(ended, 3, "nowhere")
    assert not (tmp_path / "nowhere").exists()


def test_a_lake_without_the_folder_of_nights_is_one_sentence_and_exit_code_3(
    command: Command,
    tmp_path: Path,
) -> None:
    (tmp_path / "lake").mkdir()

    ended = command.night(tmp_path / "lake")

    assert_one_sentence(ended, 3, "incoming")
    assert list((tmp_path / "lake").iterdir()) == []


def test_a_wrong_date_is_one_sentence_and_exit_code_2(command: Command, lake: Path) -> None:
    before = contents(lake)

    ended = command("night", "--place", "demo", "--lake", str(lake), "--night", "2026-11-31")

    assert_one_sentence(ended, 2, "'2026-11-31'", "2026-11-20")
    assert contents(lake) == before


def test_an_unreachable_endpoint_is_one_sentence_and_exit_code_75(command: Command) -> None:
    ended = command.night(
        "s3://images",
        MRI_TRIAGE__LAKE__ENDPOINT_URL="http://127.0.0.1:9",
        MRI_TRIAGE__LAKE__ATTEMPTS="1",
        MRI_TRIAGE__LAKE__CONNECT_TIMEOUT_SECONDS="1",
        AWS_ACCESS_KEY_ID="anybody",
        AWS_SECRET_ACCESS_KEY="tops3cret",
        AWS_REGION="eu-central-1",
    )

    assert_one_sentence(ended, 75, "http://127.0.0.1:9")
    assert "tops3cret" not in ended.error


def test_wrong_credentials_are_one_sentence_and_exit_code_4(
    command: Command,
    s3_server: str,
) -> None:
    boto3.client(
        "s3",
        endpoint_url=s3_server,
        region_name="us-east-1",
        aws_access_key_id="owner",
        aws_secret_access_key="owner",
    ).create_bucket(Bucket="images")
    # From here on the server looks at credentials, and knows none.
    requests.post(f"{s3_server}/moto-api/reset-auth", data="0", timeout=10)
    try:
        ended = command.night(
            "s3://images",
            MRI_TRIAGE__LAKE__ENDPOINT_URL=s3_server,
            AWS_ACCESS_KEY_ID="stranger",
            AWS_SECRET_ACCESS_KEY="tops3cret",
            AWS_REGION="us-east-1",
        )
    finally:
        requests.post(f"{s3_server}/moto-api/reset-auth", data="inf", timeout=10)

    assert_one_sentence(ended, 4)
    assert "tops3cret" not in ended.error


def test_no_credentials_at_all_are_one_sentence_and_exit_code_4(
    command: Command,
    s3_server: str,
) -> None:
    ended = command.night(
        "s3://images",
        MRI_TRIAGE__LAKE__ENDPOINT_URL=s3_server,
        AWS_REGION="us-east-1",
        AWS_EC2_METADATA_DISABLED="true",
    )

    assert_one_sentence(ended, 4)


def test_an_absent_bundle_is_one_sentence_and_exit_code_5(
    command: Command,
    lake: Path,
    tmp_path: Path,
) -> None:
    before = contents(lake)

    ended = command.night(lake, MRI_TRIAGE__BUNDLE__LOCATION=str(tmp_path / "no-bundle"))

    assert_one_sentence(ended, 5, "no-bundle")
    assert contents(lake) == before


@pytest.mark.parametrize("name", ["card.json", "model.keras"])
def test_a_damaged_bundle_is_one_sentence_and_exit_code_5(
    command: Command,
    lake: Path,
    bundle: Path,
    tmp_path: Path,
    name: str,
) -> None:
    damaged = tmp_path / "damaged"
    shutil.copytree(bundle, damaged)
    whole = (damaged / name).read_bytes()
    (damaged / name).write_bytes(whole[: len(whole) // 2])
    before = contents(lake)

    ended = command.night(lake, MRI_TRIAGE__BUNDLE__LOCATION=str(damaged))

    assert_one_sentence(ended, 5, "damaged")
    assert contents(lake) == before


@pytest.mark.slow
def test_an_output_that_cannot_be_written_is_one_sentence_and_exit_code_6(
    command: Command,
    lake: Path,
) -> None:
    # A file where the folder should be: it stops root as well, whom permissions do not.
    (lake / "runs").write_text("in the way", "utf-8")
    before = contents(lake)

    ended = command.night(lake)

    assert_one_sentence(ended, 6, "cannot be written")
    assert contents(lake) == before


def test_a_threshold_above_the_bundles_is_one_sentence_and_exit_code_2(
    command: Command,
    lake: Path,
) -> None:
    before = contents(lake)

    ended = command.night(lake, "--threshold", "0.9")

    assert_one_sentence(ended, 2, "0.9", "0.5")
    assert contents(lake) == before


@pytest.mark.slow
@pytest.mark.spark
def test_a_night_without_objects_publishes_no_rows_with_a_warning_and_exit_code_0(
    command: Command,
    lake: Path,
) -> None:
    (lake / NIGHT_FOLDER / "note.jpg").unlink()

    ended = command.night(lake)

    assert ended.code == 0, ended.error
    assert "Night 2026-11-20: 0 objects, 0 images" in ended.out
    assert "WARNING: " in ended.out
    assert (lake / f"results/night={NIGHT}/results.parquet").is_file()
    assert "Traceback" not in ended.error
