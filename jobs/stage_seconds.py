"""Where a night's time goes: seconds of work by stage, over all workers.

Stages overlap (objects are fetched and decoded while the network runs), so that they add up to
more than the night took on a wall clock.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

STAGES: Final = (
    "list",
    "fetch",
    "decode",
    "preprocess",
    "predict",
    "locate",
    "collect",
    "publish",
)
"""In the order of a night. `locate` makes boxes and rows of the network's answers; `collect` is
the driver's part of a shard: sorting and storing its rows."""

Seconds = Mapping[str, float]
"""By stage; stages without any may be left out."""


class StageWatch:
    """Adds up seconds by stage; safe from any thread."""

    def __init__(self) -> None:
        """Start at nothing."""
        self._seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the time that the block takes."""
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.add({stage: time.perf_counter() - begin})

    def add(self, seconds: Seconds) -> None:
        """Add seconds that were measured elsewhere."""
        with self._lock:
            self._seconds = add_seconds(self._seconds, seconds)

    @property
    def seconds(self) -> dict[str, float]:
        """What has been added so far, in the order of `STAGES`."""
        with self._lock:
            return {stage: self._seconds[stage] for stage in STAGES if stage in self._seconds}


def add_seconds(first: Seconds, second: Seconds) -> dict[str, float]:
    """Add up two counts by stage."""
    return {stage: first.get(stage, 0.0) + second.get(stage, 0.0) for stage in {*first, *second}}
