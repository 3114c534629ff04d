from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flows import cli
from jobs.audit_log import read_events
from tests.unit.jobs.night_builders import folder_lake

SHARD = "runs/2020-01-01/shards/s.parquet"
IMAGE_ID = "0123456789abcdef01234567"
OBJECT_KEY = "incoming/night=2020-01-01/Doe^Jane.dcm"


@pytest.fixture(autouse=True)
def signal_handlers() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    folder_lake(tmp_path).write(SHARD, b"x")
    results = tmp_path / "results/night=2020-01-01/results.parquet"
    results.parent.mkdir(parents=True)
    columns = {"image_id": [IMAGE_ID], "object_key": [OBJECT_KEY], "frame": [0]}
    pq.write_table(pa.table(columns), results)
    return tmp_path


def run(lake: Path, *arguments: str) -> int:
    return cli.main([*arguments, "--place", "demo", "--lake", str(lake)])


def test_a_dry_run_of_clean_says_what_would_go_and_why_and_removes_nothing(
    lake: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lake, "clean", "--dry-run") == 0

    out = capsys.readouterr().out
    assert "runs" in out
    assert "last used 2020-01-01, kept 30 days" in out
    assert "1 objects would be removed" in out
    assert (lake / SHARD).exists()
    assert not (lake / "audit").exists()


def test_clean_removes_what_is_old_and_the_audit_log_tells(
    lake: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lake, "clean") == 0
    assert run(lake, "clean") == 0
    assert run(lake, "audit") == 0

    out = capsys.readouterr().out
    assert "1 objects removed" in out
    assert "nothing is older than it is kept" in out
    assert "folder runs, night 2020-01-01, objects 1" in out
    assert "1 events" in out
    assert not (lake / SHARD).exists()
    assert (lake / "results/night=2020-01-01/results.parquet").exists()


def test_how_long_things_are_kept_is_a_setting(
    lake: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MRI_TRIAGE__RETENTION__RUNS_DAYS", "null")

    assert run(lake, "clean") == 0

    assert (lake / SHARD).exists()


def test_looking_an_image_up_is_an_event_that_names_no_object(
    lake: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(lake, "locate", IMAGE_ID) == 0

    assert "Doe" in capsys.readouterr().out
    (event,) = read_events(folder_lake(lake))
    assert (event.action, event.facts) == ("locate", {"image_id": IMAGE_ID})


def test_where_the_audit_log_cannot_be_written_nothing_is_looked_up(
    lake: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (lake / "audit").write_text("in the way", "utf-8")

    assert run(lake, "locate", IMAGE_ID) == 6

    assert capsys.readouterr().out == ""


def test_the_audit_log_can_be_read_from_a_day_on(
    lake: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(lake, "locate", IMAGE_ID)

    assert run(lake, "audit", "--since", "2999-01-01") == 0

    assert capsys.readouterr().out.endswith("\n0 events\n")


@pytest.mark.parametrize("command", ["clean", "audit"])
def test_a_lake_that_is_not_there_is_exit_code_3(command: str, tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere", command) == 3
