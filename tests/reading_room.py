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

from model.bundle import packaged_bundle_folder
from tests.builders import MINI_LAKE, copy_mini_lake
from tests.privacy import planted_lake
from tests.privacy.planted_lake import planted_objects

ROOT = Path(__file__).parents[1]
START_SECONDS = 180
NIGHTS = tuple(date(2026, 11, day) for day in (18, 19, 20))
LAST_NIGHT = NIGHTS[-1]
PLANTED_NIGHT = date(2026, 11, 17)
PACS_URL = "https://pacs.example/viewer?study={study_uid}"


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


@contextmanager
def run_on_both_nights(folder: Path) -> Iterator[RunningWorklist]:
    """Run the worklist on the mini lake's last night, and on one of a person who does not exist."""
    lake = copy_mini_lake(folder / "lake", LAST_NIGHT)
    for key, data in planted_objects():
        path = lake / key.replace(planted_lake.NIGHT, PLANTED_NIGHT.isoformat())
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    publish_nights(lake, packaged_bundle_folder(), LAST_NIGHT, PLANTED_NIGHT)
    environ = {
        "MRI_TRIAGE__WORKLIST__PACS_URL": PACS_URL,
        "MRI_TRIAGE__WORKLIST__LOCAL_ROLES": "[reader, pacs]",
        "MRI_TRIAGE__EXPLANATION__PERTURBATIONS": "30",
        # The strictest look: pictures that the default withholds are searched too.
        "MRI_TRIAGE__WORKLIST__SHOW_UNSURE_PICTURES": "true",
        "TMPDIR": str(folder),
    }
    with run_worklist(lake, folder, environ) as running:
        yield running


def publish_mini_lake(folder: Path, bundle: Path, *nights: date) -> Path:
    """Copy nights of the mini lake and publish them; return the lake's root."""
    lake = copy_mini_lake(folder / "lake", *nights)
    publish_nights(lake, bundle, *nights)
    return lake


def publish_nights(lake: Path, bundle: Path, *nights: date) -> None:
    """Publish nights in a process of its own."""
    names = [night.isoformat() for night in nights]
    command = [sys.executable, "-m", "tests.published_lake", str(lake), str(bundle), *names]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)


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
