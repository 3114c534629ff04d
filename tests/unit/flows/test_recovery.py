from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from flows.recovery import MARK, stop_orphans

RUN = """
import pathlib, signal, sys, time
import psutil

def end(*_):
    alive = psutil.pid_exists(int(sys.argv[1]))
    pathlib.Path(sys.argv[2]).write_text(str(alive))
    sys.exit()

signal.signal(signal.SIGTERM, end)
pathlib.Path(sys.argv[2]).touch()
time.sleep(60)
"""
PRINTING = """
import sys
from rich.console import Console
from flows.recovery import outlive_serve

outlive_serve()
print("ready", flush=True)
sys.stdin.read()
Console().print("a line that nobody reads")
Console(stderr=True).print("nor this")
print("nor this", flush=True)
sys.exit(7)
"""
WAIT = "import time; time.sleep(60)"


def start_orphan(home: Path, *command: str) -> int:
    """Start a process whose parent ends at once, as if a `serve` had been killed; returns it."""
    shell = 'trap "" HUP; "$@" >/dev/null 2>&1 & echo $!'
    answer = subprocess.run(
        ["/bin/bash", "-c", shell, "bash", sys.executable, "-c", *command],
        env=os.environ | {MARK: str(home)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return int(answer.stdout)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_an_orphaned_server_has_ended_before_a_run_is_asked_to(home: Path, tmp_path: Path) -> None:
    # Or the run would tell it that it crashed, for good, and nobody would take it up again.
    told = tmp_path / "server was alive"
    server = start_orphan(home, WAIT, "-m", "prefect", "server", "start")
    run = start_orphan(home, RUN, str(server), str(told), "prefect.engine")
    while not told.exists():
        time.sleep(0.02)

    assert stop_orphans(str(home)) == 2

    assert told.read_text() == "False"
    assert not psutil.pid_exists(run)


def test_processes_of_another_installation_and_its_own_children_are_left_alone(
    home: Path, tmp_path: Path
) -> None:
    other = start_orphan(tmp_path / "elsewhere", WAIT)
    own = subprocess.Popen([sys.executable, "-c", WAIT], env=os.environ | {MARK: str(home)})

    assert stop_orphans(str(home)) == 0

    assert psutil.pid_exists(other)
    assert own.poll() is None
    psutil.Process(other).kill()
    own.kill()
    own.wait()


def test_a_run_goes_on_when_nobody_reads_what_it_prints_any_more() -> None:
    run = subprocess.Popen(
        [sys.executable, "-c", PRINTING],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert run.stdin is not None
    assert run.stdout is not None
    assert run.stdout.readline() == b"ready\n"
    run.stdout.close()
    run.stdin.close()

    assert run.wait(30) == 7
