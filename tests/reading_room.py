"""A real `mri-triage worklist` in a process of its own, on a published lake."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from tests.builders import MINI_LAKE, copy_mini_lake

ROOT = Path(__file__).parents[1]
START_SECONDS = 180
NIGHTS = tuple(date(2026, 11, day) for day in (18, 19, 20))
LAST_NIGHT = NIGHTS[-1]


@dataclass(frozen=True)
class RunningWorklist:
    """A worklist that answers.

    Attributes:
        url: without a slash at the end.
        lake: folder.
        log: what it writes.
    """

    url: str
    lake: Path
    log: Path


def publish_mini_lake(folder: Path, bundle: Path, *nights: date) -> Path:
    """Copy nights of the mini lake and publish them; return the lake's root."""
    lake = copy_mini_lake(folder / "lake", *nights)
    names = [night.isoformat() for night in nights]
    command = [sys.executable, "-m", "tests.published_lake", str(lake), str(bundle), *names]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return lake


@contextmanager
def run_worklist(
    lake: Path,
    folder: Path,
    environ: Mapping[str, str] | None = None,
) -> Iterator[RunningWorklist]:
    """Run the command until the block ends."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "flows.cli", "worklist", "--place", "demo"]
    command += ["--lake", str(lake), "--port", str(port)]
    log = folder / "worklist.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        running = RunningWorklist(f"http://127.0.0.1:{port}", lake, log)
        try:
            _wait_for(process, running)
            yield running
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def _wait_for(process: subprocess.Popen[bytes], running: RunningWorklist) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"{running.url}/static/icon.svg", timeout=5).close()  # noqa: S310 - our own
        except OSError:
            time.sleep(0.2)
        else:
            return
    message = f"the worklist did not answer:\n{running.log.read_text(errors='replace')[-2000:]}"
    raise AssertionError(message)


def an_image(night: date = LAST_NIGHT) -> Path:
    """Return a JPEG of the mini lake."""
    return sorted((MINI_LAKE / f"incoming/night={night.isoformat()}").rglob("*.jpg"))[2]
