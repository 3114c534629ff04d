"""The arms of the benchmark, each as the processes that it consists of."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Protocol

from tests.bench.image_work import Work
from tests.bench.processes import ProcessWatch
from tests.bench.serving import ONE_THREAD, ArmProcess


class Arm(Protocol):
    """What can be started, measured once a round, and stopped."""

    name: str
    ready: dict[str, Any]

    def start(self) -> None:
        """Get everything ready that a round does not pay for."""

    def run(self) -> dict[str, Any]:
        """Score once; return images, seconds, cpu_seconds and memory."""

    def stop(self) -> None:
        """End all processes."""


def _measure(processes: list[ArmProcess]) -> dict[str, Any]:
    pids = tuple(one.process.pid for one in processes)
    with ProcessWatch(pids) as watch:
        begin = time.perf_counter()
        for one in processes:
            one.go()
        found = [one.finish() for one in processes]
        seconds = time.perf_counter() - begin
    return {
        **found[0],
        "images": sum(one["images"] for one in found),
        "seconds": found[0]["seconds"] if len(found) == 1 else seconds,
        "cpu_seconds": watch.cpu_seconds,
        "memory_mib": watch.peaks,
    }


class LoopArm:
    """Some processes that each take every n-th key."""

    def __init__(self, name: str, kind: str, work: Work, keys: Path, processes: int) -> None:
        """Describe the arm; nothing is started."""
        self.name = name
        self.ready: dict[str, Any] = {}
        self._arguments = ["tests.bench.loop_arm", kind, work.to_json(), str(keys)]
        self._count = processes
        # The first project's way leaves the threads to Keras.
        self._environ = {} if kind == "resnet" else ONE_THREAD
        self._processes: list[ArmProcess] = []

    def start(self) -> None:
        """Start the processes."""
        for number in range(self._count):
            arguments = [*self._arguments, str(number), str(self._count)]
            self._processes.append(ArmProcess(arguments, environ=self._environ))
        self.ready = self._processes[0].ready

    def run(self) -> dict[str, Any]:
        """Score once."""
        return _measure(self._processes)

    def stop(self) -> None:
        """End the processes."""
        for one in self._processes:
            one.close()


class SparkArm:
    """The project's own night, warm: its workers have their networks before the first round."""

    def __init__(
        self,
        name: str,
        work: Work,
        images: int,
        cores: int,
        endpoint: str = "",
    ) -> None:
        """Describe the arm; nothing is started. With an endpoint, the lake is read from there."""
        self.name = name
        self.ready: dict[str, Any] = {}
        self._arguments = ["tests.bench.spark_arm", work.to_json(), str(images), str(cores)]
        self._arguments.append(endpoint)
        self._processes: list[ArmProcess] = []

    def start(self) -> None:
        """Start driver, JVM and workers, by scoring a few images."""
        self._processes.append(ArmProcess(self._arguments))
        self.ready = self._processes[0].ready

    def run(self) -> dict[str, Any]:
        """Score once."""
        return _measure(self._processes)

    def stop(self) -> None:
        """End driver and all below it."""
        for one in self._processes:
            one.close()


class RayArm:
    """Ray Data. It is started anew for every round: its own processes are busy even when idle."""

    def __init__(self, name: str, work: Work, keys: Path, cores: int, python: str) -> None:
        """Describe the arm; nothing is started."""
        self.name = name
        self.ready: dict[str, Any] = {}
        self._arguments = ["tests.bench.ray_arm", work.to_json(), str(keys), str(cores)]
        self._python = python

    def start(self) -> None:
        """Do nothing yet."""

    def run(self) -> dict[str, Any]:
        """Start Ray, score once, and end it."""
        one = ArmProcess(self._arguments, python=self._python, environ=ONE_THREAD)
        try:
            self.ready = one.ready
            return _measure([one])
        finally:
            one.close()

    def stop(self) -> None:
        """Do nothing: every round ends its own processes."""
