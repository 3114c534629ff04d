"""A real `mri-triage serve` on a copy of the mini lake, and a real browser in front of it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).parents[2]
MINI_LAKE = ROOT / "tests/mini_lake/lake/incoming"
SCREENSHOTS = ROOT / ".e2e"
BROWSER = "/usr/bin/chromium"
COMMAND = Path(sys.executable).parent / "mri-triage"
START_SECONDS = 240


@dataclass(frozen=True)
class Site:
    """What is being driven.

    Attributes:
        url: of the UI.
        lake: folder.
        nights: three that hold images and were never published, the oldest first; today's
            calendar decides which, so that no night lies in the future.
    """

    url: str
    lake: Path
    nights: tuple[date, date, date]

    @property
    def broken_night(self) -> date:
        """A night that a test may break: the one before the three."""
        return self.nights[0] - timedelta(days=1)

    def incoming(self, night: date) -> Path:
        return self.lake / f"incoming/night={night.isoformat()}"

    def results(self, night: date) -> Path:
        return self.lake / f"results/night={night.isoformat()}/results.parquet"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    today = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")).date()
    nights = (today - timedelta(days=3), today - timedelta(days=2), today - timedelta(days=1))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    made = Site(f"http://127.0.0.1:{port}", folder / "lake", nights)
    for source, night in zip(sorted(MINI_LAKE.iterdir()), nights, strict=True):
        shutil.copytree(source, made.incoming(night))
    environ = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
    environ |= {
        "MRI_TRIAGE__EXPLANATION__PERTURBATIONS": "40",
        "MRI_TRIAGE__EXPLANATION__SAMPLE_SIZE": "3",
        # Here nothing is more urgent than the backfill; beside other work it would starve.
        "MRI_TRIAGE__SCHEDULE__BACKFILL_NICENESS": "0",
    }
    command = [str(COMMAND), "serve", "--place", "demo", "--lake", str(made.lake)]
    command += ["--port", str(port), "--home", str(folder / "home")]
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            _wait_for(process, log, "Prefect UI:")
            yield made
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait_for(process: subprocess.Popen[bytes], log: Path, text: str) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if text in log.read_text(errors="replace"):
            return
        time.sleep(0.5)
    pytest.fail(f"serve did not say {text!r}:\n{log.read_text(errors='replace')[-2000:]}")


@pytest.fixture(scope="session")
def page() -> Iterator[Page]:
    if not Path(BROWSER).exists():
        pytest.fail(f"no browser at {BROWSER}: make e2e installs it")
    SCREENSHOTS.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        opened = browser.new_page(viewport={"width": 1400, "height": 1000})
        opened.set_default_timeout(60_000)
        yield opened
        browser.close()
