"""`mri-triage serve` as a process, with its real server, real runs and real Spark."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import psutil
import pytest

from flows.local_prefect import prepare_prefect
from tests.integration.webhook import MESSAGE, Webhook, receiving

prepare_prefect(os.environ)  # before Prefect is imported for the first time

from prefect.blocks.notifications import CustomWebhookNotificationBlock  # noqa: E402
from prefect.settings import PREFECT_API_URL, temporary_settings  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
MINI_LAKE = ROOT / "tests/mini_lake/lake/incoming"
COMMAND = Path(sys.executable).parent / "mri-triage"
FIRST = date(2026, 9, 1)
PATIENCE_SECONDS = 400
MOST_SECONDS_TO_START = 30
MOST_SECONDS_TO_RECOVER = 120
NOTHING_ELSE_TO_DO = {"MRI_TRIAGE__SCHEDULE__BACKFILL_NICENESS": "0"}
"""Where no nightly run is due, a backfill need not give way; beside other tests it would starve."""
NOT_TODAY = {"MRI_TRIAGE__SCHEDULE__CRON": "15 4 29 2 *"}
"""Or the schedule starts a run of its own while a test is at work at that time of the day."""
MOST_TIME_TO_SERVE = timedelta(minutes=3)
TELL_SOON = {
    "MRI_TRIAGE__ALERTS__BLOCK": "custom-webhook/hospital",
    "MRI_TRIAGE__ALERTS__CRASHED_SECONDS": "10",
}


@dataclass
class Serve:
    """A lake, and the processes that serve it one after the other."""

    folder: Path
    port: int
    settings: dict[str, str] = field(default_factory=dict)
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api"

    @property
    def lake(self) -> Path:
        return self.folder / "lake"

    @property
    def log(self) -> str:
        return (self.folder / "serve.log").read_text(errors="replace")

    def start(self, *options: str, expect: str = "Prefect UI:") -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
        environ |= {"MRI_TRIAGE__EXPLANATION__ENABLED": "false"}
        environ |= NOT_TODAY | self.settings
        command = [str(COMMAND), "serve", "--place", "demo", "--lake", str(self.lake)]
        command += ["--port", str(self.port), "--home", str(self.folder / "home"), *options]
        with (self.folder / "serve.log").open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environ, stdout=log, stderr=subprocess.STDOUT
            )
        self.processes.append(process)
        wait_until(lambda: expect in self.log or process.poll() is not None)
        assert expect in self.log, self.log
        return process

    def begin_run(self, deployment: str, **parameters: object) -> str:
        found = self.ask("GET", f"deployments/name/{deployment}/{deployment}")
        path = f"deployments/{found['id']}/create_flow_run"
        return str(self.ask("POST", path, {"parameters": parameters})["id"])

    def ask(self, method: str, path: str, content: object = None) -> Any:  # noqa: ANN401 - JSON
        """Ask the server, again while it is busy (503), as Prefect's own clients do."""
        for _ in range(20):
            answer = httpx.request(method, f"{self.api}/{path}", json=content, timeout=60)
            if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE:
                break
            time.sleep(0.5)
        answer.raise_for_status()
        return answer.json()

    def run(self, run_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("GET", f"flow_runs/{run_id}")
        return found

    def state_of(self, run_id: str) -> str:
        return str(self.run(run_id)["state_type"])

    def tell(self, run_id: str) -> str:
        """What is known of a run that ended as it should not have."""
        logs = self.ask("POST", "logs/filter", {"sort": "TIMESTAMP_ASC"})
        states = self.ask("GET", f"flow_run_states/?flow_run_id={run_id}")
        lines = [f"{one['timestamp']} {one['name']}: {one['message']}" for one in logs]
        lines += [f"{one['timestamp']} {one['name']}: {one['message']}" for one in states]
        server = (self.folder / "home/server.log").read_text(errors="replace")
        return "\n".join([*lines, self.log, server])

    def set_state(self, run_id: str, kind: str, name: str, details: object = None) -> None:
        state = {"type": kind, "name": name, "state_details": details or {}}
        self.ask("POST", f"flow_runs/{run_id}/set_state", {"state": state, "force": True})

    def drivers(self) -> list[psutil.Process]:
        """The processes of runs."""
        return [one for one in marked(self) if "prefect.engine" in command_of(one)]

    def results(self, night: date) -> Path:
        return self.lake / f"results/night={night}/results.parquet"

    def runs_of(self, night: date) -> list[dict[str, Any]]:
        found = (self.lake / f"runs/{night}").glob("*/run.json")
        return [json.loads(path.read_text()) for path in sorted(found)]

    def shards(self) -> dict[Path, int]:
        """Every stored shard and when it was written."""
        return {path: path.stat().st_mtime_ns for path in self.lake.glob("runs/*/shards/*")}


def command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.25)


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with receiving() as server:
        yield server


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Serve]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        made = Serve(tmp_path, probe.getsockname()[1])
    yield made
    for process in made.processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(90)


def fill(served: Serve, nights: int) -> list[date]:
    """Give so many nights the same images; returns the nights."""
    source = min(MINI_LAKE.iterdir())
    filled = [FIRST + timedelta(days=day) for day in range(nights)]
    for night in filled:
        shutil.copytree(source, served.lake / f"incoming/night={night}")
    return filled


def marked(served: Serve) -> list[psutil.Process]:
    """Every process that this serve started, directly or not."""
    home = str(served.folder / "home")
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MRI_TRIAGE_SERVED_FROM") == home:
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_a_night_starts_in_time_and_is_published_while_a_backfill_is_at_work(
    served: Serve,
) -> None:
    *nights, tonight = fill(served, 40)
    served.start()
    backfill = served.begin_run(
        "backfill", first_night=str(nights[0]), last_night=str(nights[-1]), preview=False
    )
    wait_until(
        lambda: served.results(nights[0]).exists() or served.state_of(backfill) == "FAILED",
    )

    nightly = served.begin_run("nightly", night=str(tonight), relist_nights=0)
    wait_until(lambda: served.state_of(nightly) in {"COMPLETED", "FAILED", "CRASHED"})
    backfill_was = served.state_of(backfill)

    run = served.run(nightly)
    late = datetime.fromisoformat(run["start_time"]) - datetime.fromisoformat(
        run["expected_start_time"]
    )
    assert run["state_type"] == "COMPLETED"
    assert served.results(tonight).exists()
    assert late.total_seconds() < MOST_SECONDS_TO_START
    assert backfill_was == "RUNNING"
    assert not served.results(nights[-1]).exists()

    # Asked to stop, it leaves no process behind, and the next start goes on with the backfill.
    served.processes[-1].send_signal(signal.SIGTERM)
    assert served.processes[-1].wait(90) == 0
    assert marked(served) == []
    published = [night for night in nights if served.results(night).exists()]
    served.start()
    following = nights[len(published)]
    wait_until(served.results(following).exists)
    assert all(len(served.runs_of(night)) == 1 for night in published)


def test_a_backfill_whose_server_was_killed_goes_on_and_scores_no_finished_shard_again(
    served: Serve, webhook: Webhook
) -> None:
    nights = fill(served, 4)
    served.settings |= NOTHING_ELSE_TO_DO | TELL_SOON
    process = served.start()
    assert "there is no such block on the server" in served.log
    create_block(served, webhook)
    backfill = served.begin_run(
        "backfill", first_night=str(nights[0]), last_night=str(nights[-1]), preview=False
    )
    wait_until(lambda: served.results(nights[0]).exists() and bool(served.runs_of(nights[1])))
    process.kill()
    process.wait()
    orphans = marked(served)
    assert orphans

    served.start()
    began = time.monotonic()
    before = served.shards()
    assert not [one for one in orphans if one.is_running()]
    wait_until(lambda: served.state_of(backfill) in {"COMPLETED", "FAILED", "CRASHED"})

    assert served.state_of(backfill) == "COMPLETED", served.tell(backfill)
    assert time.monotonic() - began < MOST_SECONDS_TO_RECOVER
    assert all(served.results(night).exists() for night in nights)
    assert len(served.runs_of(nights[0])) == 1
    assert before
    assert {path: served.shards()[path] for path in before} == before

    # What crashed for good is told, and what was taken up again is not.
    crashing = served.begin_run(
        "backfill", first_night=str(nights[0]), last_night=str(nights[0]), mode="all", preview=False
    )
    wait_until(lambda: served.state_of(crashing) == "RUNNING")
    for driver in served.drivers():
        driver.kill()
    wait_until(lambda: bool(webhook.received))
    [message] = webhook.received
    assert message["subject"] == "mri-triage: a run crashed"
    assert f"backfill {nights[0]} to {nights[0]} (all) crashed" in message["text"]
    assert crashing in message["text"]
    assert "What to do" in message["text"]


def create_block(served: Serve, webhook: Webhook) -> None:
    block = CustomWebhookNotificationBlock(name="hospital", url=webhook.url, json_data=MESSAGE)
    with temporary_settings({PREFECT_API_URL: served.api}):
        block.save("hospital")


def test_the_schedule_runs_last_night_at_the_hospitals_time(served: Serve) -> None:
    now = datetime.now(ZoneInfo("Pacific/Kiritimati"))  # 14 hours ahead of UTC
    due = (now + MOST_TIME_TO_SERVE).replace(second=0, microsecond=0)
    night = due.date() - timedelta(days=1)
    shutil.copytree(min(MINI_LAKE.iterdir()), served.lake / f"incoming/night={night}")
    served.settings |= {
        "MRI_TRIAGE__SCHEDULE__CRON": f"{due:%M %H} * * *",
        "MRI_TRIAGE__NIGHT__TIME_ZONE": "Pacific/Kiritimati",
    }
    served.start()

    wait_until(served.results(night).exists)
    nightly = served.ask("POST", "flow_runs/filter", {"flows": {"name": {"any_": ["nightly"]}}})
    scheduled = {datetime.fromisoformat(one["expected_start_time"]) for one in nightly}
    assert min(scheduled) == due
    assert due + timedelta(days=1) in scheduled


def test_a_second_serve_of_the_same_folder_is_refused(served: Serve) -> None:
    fill(served, 1)
    served.start()

    second = subprocess.run(
        [
            str(COMMAND), "serve", "--place", "demo", "--lake", str(served.lake),
            "--port", str(served.port), "--home", str(served.folder / "home"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )  # fmt: skip

    assert second.returncode == 2
    assert "another mri-triage serve uses" in second.stderr


def test_a_backfill_is_paused_resumed_and_cancelled_and_keeps_what_it_published(
    served: Serve,
) -> None:
    nights = fill(served, 6)
    served.settings |= NOTHING_ELSE_TO_DO
    served.start()
    backfill = served.begin_run(
        "backfill", first_night=str(nights[0]), last_night=str(nights[-1]), preview=False
    )

    # As the UI's own buttons do it, in the middle of a night.
    wait_until(lambda: served.results(nights[0]).exists() and bool(served.runs_of(nights[1])))
    until = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    details = {"pause_timeout": until, "pause_reschedule": True}
    served.set_state(backfill, "PAUSED", "Suspended", details)
    wait_until(lambda: served.drivers() == [])
    paused = published(served, nights)
    assert served.state_of(backfill) == "PAUSED"
    assert nights[0] in paused
    assert nights[-1] not in paused

    served.ask("POST", f"flow_runs/{backfill}/resume")
    wait_until(lambda: len(published(served, nights)) > len(paused))
    went_on = published(served, nights)
    assert all(len(served.runs_of(night)) == 1 for night in paused)
    assert served.state_of(backfill) == "RUNNING"

    served.set_state(backfill, "CANCELLING", "Cancelling")
    wait_until(lambda: served.drivers() == [])
    wait_until(lambda: served.state_of(backfill) == "CANCELLED")
    kept = published(served, nights)
    assert kept[: len(went_on)] == went_on
    assert nights[-1] not in kept


def published(served: Serve, nights: list[date]) -> list[date]:
    return [night for night in nights if served.results(night).exists()]
