"""One command for one machine: Prefect server, deployments, and the runs they start.

Nothing of Prefect is imported at the top: what it reads from the environment is set here first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import httpx

from conf.settings import Settings
from flows.local_prefect import keep_quiet
from flows.recovery import MARK, stop_orphans
from model.errors import ConfigurationError, StorageUnavailableError

HEARTBEAT_SECONDS: Final = 30

START_SECONDS: Final = 180.0
"""The first start makes a database, and a busy machine takes its time."""

STOP_SECONDS: Final = 20.0

LOGGERS: Final = "flows,jobs,model"
"""Whose log lines go to the UI as well."""


@dataclass(frozen=True)
class ServeOptions:
    """What `mri-triage serve` was asked for.

    Attributes:
        place: default of the forms; absolute if it is a file.
        lake: default of the forms, as a URL.
        host: that the server listens on.
        port: likewise.
        home: folder of the server's database and logs.
    """

    place: str
    lake: str
    host: str
    port: int
    home: Path


def serve(settings: Settings, options: ServeOptions, tell: Callable[[str], None]) -> None:
    """Start what is needed, say where the UI is, and serve the deployments until stopped.

    With ``PREFECT_API_URL`` in the environment that server is used, and none is started.

    Args:
        settings: of the place.
        options: what was asked for.
        tell: prints a line.

    Raises:
        ConfigurationError: if another `serve` uses the same folder, or the port is taken.
        StorageUnavailableError: if the server does not answer in time.
    """
    options.home.mkdir(parents=True, exist_ok=True)
    own_server = not os.environ.get("PREFECT_API_URL")
    with hold_alone(options.home):
        os.environ[MARK] = str(options.home)
        prepare_environment(os.environ, options)
        if stopped := stop_orphans(str(options.home)):
            tell(f"stopped {stopped} processes that an earlier serve left behind")
        with contextlib.ExitStack() as stack:
            if own_server:
                require_free_port(options.host, options.port)
                stack.enter_context(run_server(options))
            from flows.served_runs import serve_deployments  # noqa: PLC0415 - imports Prefect

            serve_deployments(settings, options.place, options.lake, tell)
    tell("stopped")


def prepare_environment(environ: MutableMapping[str, str], options: ServeOptions) -> None:
    """Set what Prefect reads, for this process, the server and every run."""
    keep_quiet(environ)
    environ.setdefault("PREFECT_HOME", str(options.home))
    environ.setdefault("PREFECT_API_URL", f"http://{options.host}:{options.port}/api")
    environ.setdefault("PREFECT_UI_API_URL", environ["PREFECT_API_URL"])
    environ.setdefault("PREFECT_FLOWS_HEARTBEAT_FREQUENCY", str(HEARTBEAT_SECONDS))
    environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", LOGGERS)


@contextlib.contextmanager
def hold_alone(home: Path) -> Iterator[None]:
    """Hold the folder for this process; the lock goes with the process, however it ends.

    Raises:
        ConfigurationError: if another process holds it.
    """
    with (home / "serve.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            message = (
                f"another mri-triage serve uses {home}: expected none; stop it, or give this one "
                "another folder and port with --home and --port"
            )
            raise ConfigurationError(message) from None
        # The server and the runs must not inherit the lock, or an orphan would hold it.
        os.set_inheritable(lock.fileno(), False)  # noqa: FBT003 - its only argument
        yield


def require_free_port(host: str, port: int) -> None:
    """Make sure that a server can listen.

    Raises:
        ConfigurationError: if it cannot.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            message = (
                f"nothing can listen on {host}:{port} ({error.strerror}): expected a free port of "
                "this machine; choose another with --port, or set PREFECT_API_URL to use the "
                "server that is there"
            )
            raise ConfigurationError(message) from None


@contextlib.contextmanager
def run_server(options: ServeOptions) -> Iterator[None]:
    """Run a Prefect server with SQLite in the options' folder, and end it with the block.

    Raises:
        StorageUnavailableError: if it ends at once or does not answer in time.
    """
    log = options.home / "server.log"
    with log.open("ab") as output:
        process = _start_server(options, output)
        try:
            _wait_until_healthy(process, log)
            yield
        finally:
            process.terminate()
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _start_server(options: ServeOptions, output: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "prefect", "server", "start"]
    command += ["--host", options.host, "--port", str(options.port)]
    return subprocess.Popen(  # noqa: S603 - this environment's own Prefect
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        # A Ctrl-C of the terminal goes to this process alone, which ends the runs first.
        start_new_session=True,
    )


def _wait_until_healthy(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{os.environ['PREFECT_API_URL']}/health", timeout=5).is_success:
                return
        time.sleep(0.2)
    message = (
        f"the Prefect server did not come up: expected an answer within {START_SECONDS:.0f} s; "
        f"{log} says why"
    )
    raise StorageUnavailableError(message)
