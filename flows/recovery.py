"""After a crash: processes that nobody looks after any more, and the runs that they did."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

import psutil
from rich.console import Console

MARK: Final = "MRI_TRIAGE_SERVED_FROM"
"""Set in the environment of `mri-triage serve` and so of all that it starts: server, runs, Spark
drivers, Java, decoding processes. It says which installation they belong to."""

GRACE_SECONDS: Final = 10.0


def find_orphans(home: str) -> list[psutil.Process]:
    """Return the processes of this installation but for this one and its own.

    Whoever calls this holds the installation's lock: what carries its mark and does not belong to
    this process has lost its `serve`.

    Args:
        home: the installation's folder, as it stands in `MARK`.
    """
    here = psutil.Process()
    own = {here.pid, *(child.pid for child in here.children(recursive=True))}
    own.update(parent.pid for parent in here.parents())
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in own and _is_of(process, home)
    ]


def stop_orphans(home: str) -> int:
    """End the orphans of this installation; returns how many there were."""
    orphans = find_orphans(home)
    servers = [process for process in orphans if _is_server(process)]
    # The server first, and unasked: a run that is asked to end would report a crash to it, which
    # is final, and a server that is asked to end waits for its clients, the runs.
    for server in servers:
        _signal(server, kill=True)
    psutil.wait_procs(servers, timeout=GRACE_SECONDS)
    _end([process for process in orphans if process not in servers])
    return len(orphans)


def outlive_serve() -> None:
    """Let a run go on when the `serve` that reads what it prints has been killed.

    rich, which Prefect logs with, ends the process at the first line that nobody reads: the run
    would report a crash, which is final, and the next `serve` would not take it up again.
    """
    Console.on_broken_pipe = _print_to_nobody  # type: ignore[method-assign, assignment]


def _print_to_nobody(console: Console) -> None:
    console.quiet = True
    nobody = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        os.dup2(nobody, stream.fileno())
    os.close(nobody)


def end_run_processes() -> None:
    """End the runs that this process has started, and what they have started."""
    _end([child for child in psutil.Process().children(recursive=True) if _is_run(child)])


def _end(processes: Sequence[psutil.Process]) -> None:
    """Ask first: a run that is asked lets its lease on the night go, and the next need not wait."""
    for process in processes:
        _signal(process, kill=False)
    _, alive = psutil.wait_procs(processes, timeout=GRACE_SECONDS)
    for process in alive:
        _signal(process, kill=True)
    psutil.wait_procs(alive, timeout=GRACE_SECONDS)


def _is_run(process: psutil.Process) -> bool:
    return "prefect.engine" in _command_of(process)


def _is_server(process: psutil.Process) -> bool:
    return " prefect server start" in " ".join(_command_of(process))


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []  # gone meanwhile


def _is_of(process: psutil.Process, home: str) -> bool:
    try:
        return process.uids().real == os.getuid() and process.environ().get(MARK) == home
    except psutil.Error:
        return False  # gone meanwhile, or another user's


def _signal(process: psutil.Process, *, kill: bool) -> None:
    try:
        process.kill() if kill else process.terminate()
    except psutil.Error:
        return
