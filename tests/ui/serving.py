"""`mri-triage serve` as a process, and a browser to look at it with."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

BROWSER = Path("/usr/bin/chromium")
COMMAND = Path(sys.executable).parent / "mri-triage"
START_SECONDS = 240.0
STOP_SECONDS = 60.0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def serving(
    lake: Path, home: Path, port: int, environ: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Serve a lake from a folder until the block ends; yields the address of the UI.

    Args:
        lake: folder.
        home: of the server, which makes it; ``serve.log`` is beside it.
        port: of the UI.
        environ: variables that come on top, such as settings.

    Raises:
        RuntimeError: if it does not say that it serves; its log is the message.
    """
    own = {name: value for name, value in os.environ.items() if "PREFECT" not in name}
    command = [str(COMMAND), "serve", "--place", "demo", "--lake", str(lake)]
    command += ["--port", str(port), "--home", str(home)]
    log = home.parent / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=home.parent,
            env=own | dict(environ or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            _wait_until_it_serves(process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)


def _wait_until_it_serves(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if "Prefect UI:" in log.read_text(errors="replace"):
            return
        time.sleep(0.1)
    raise RuntimeError(log.read_text(errors="replace")[-2000:])


@contextlib.contextmanager
def browsing() -> Iterator[Page]:
    """Open a page of a headless browser.

    Raises:
        FileNotFoundError: if there is none.
    """
    if not BROWSER.exists():
        message = f"no browser at {BROWSER}: make e2e installs it"
        raise FileNotFoundError(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000})
        page.set_default_timeout(60_000)
        yield page
        browser.close()
