"""Processor time and memory of an arm's processes, read from outside."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Self

import psutil

SAMPLE_SECONDS: Final = 0.2
MEBIBYTE: Final = 1024**2


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """Return user and system seconds so far of processes and all below them, by process id."""
    found = {}
    for process in _trees(pids):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        found[process.pid] = times.user + times.system
    return found


@dataclass
class ProcessWatch:
    """Samples memory and processor time until stopped.

    Attributes:
        pids: the roots of an arm.
        peaks: MiB by kind: ``driver`` (Python), ``jvm``, ``worker`` (with its decoding process).
    """

    pids: tuple[int, ...]
    peaks: dict[str, float] = field(default_factory=dict)
    _before: dict[int, float] = field(default_factory=dict)
    _last: dict[int, float] = field(default_factory=dict)
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Start."""
        self._before = cpu_seconds(self.pids)
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        self._last |= cpu_seconds(self.pids)

    @property
    def cpu_seconds(self) -> float:
        """Of all processes since the start, those that ended meanwhile included."""
        return sum(spent - self._before.get(pid, 0.0) for pid, spent in self._last.items())

    def _sample(self) -> None:
        while not self._stop.wait(SAMPLE_SECONDS):
            for kind, size in measure_memory(self.pids).items():
                self.peaks[kind] = max(self.peaks.get(kind, 0.0), size)
            self._last |= cpu_seconds(self.pids)


def measure_memory(pids: Iterable[int]) -> dict[str, float]:
    """Return MiB by kind; of workers the largest one, together with its decoding process."""
    found = {"driver": 0.0, "jvm": 0.0, "worker": 0.0}
    roots = set(pids)
    for process in _trees(roots):
        try:
            size = process.memory_info().rss / MEBIBYTE
            if process.pid in roots:
                found["driver"] = max(found["driver"], size)
            elif process.name() == "java":
                found["jvm"] = max(found["jvm"], size)
            else:
                children = process.children()
                size += sum(child.memory_info().rss for child in children) / MEBIBYTE
                is_daemon = any(child.children() for child in children)
                if not is_daemon:
                    found["worker"] = max(found["worker"], size)
        except psutil.Error:
            continue
    return found


def _trees(pids: Iterable[int]) -> list[psutil.Process]:
    processes: list[psutil.Process] = []
    for pid in pids:
        try:
            root = psutil.Process(pid)
            processes += [root, *root.children(recursive=True)]
        except psutil.Error:
            continue
    return processes
