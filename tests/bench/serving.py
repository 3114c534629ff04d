"""An arm's process: it gets ready once, then answers ``go`` with the seconds of one round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
GO: Final = "go"
ONE_THREAD: Final = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)


def serve(run_round: Callable[[], dict[str, Any]], ready: dict[str, Any]) -> None:
    """Say that this process is ready, then run a round for every line that comes in."""
    print(json.dumps({"ready": True, **ready}), flush=True)  # noqa: T201 - read by the benchmark
    for _ in sys.stdin:
        begin = time.perf_counter()
        found = run_round()
        found.setdefault("seconds", time.perf_counter() - begin)
        print(json.dumps(found), flush=True)  # noqa: T201 - as above


class ArmProcess:
    """A process of an arm, as the benchmark sees it."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        python: str = sys.executable,
        environ: dict[str, str] | None = None,
    ) -> None:
        """Start it and wait until it is ready."""
        self._arguments = tuple(arguments)
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [python, "-m", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
            | (environ or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL if "BENCH_LOUD" not in os.environ else None,
            text=True,
        )
        self.ready = self._answer()
        self.start_seconds = time.perf_counter() - begin

    def go(self) -> None:
        """Start a round."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{GO}\n")
        self.process.stdin.flush()

    def finish(self) -> dict[str, Any]:
        """Wait for the round's end."""
        return self._answer()

    def close(self) -> None:
        """End the process."""
        if self.process.stdin is not None:
            self.process.stdin.close()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:  # a library may print lines of its own
            if line.startswith("{"):
                found: dict[str, Any] = json.loads(line)
                return found
        message = f"an arm ended with code {self.process.wait()}: {self._arguments}"
        raise RuntimeError(message)
