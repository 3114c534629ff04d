"""Fetch objects ahead of the one that is being worked on, in bounded memory."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import numpy as np

from jobs.lake import LakeObject

Fetched = TypeVar("Fetched")

THREAD_BYTES: Final = 16 * 1024**2
"""Address space that a thread needs to start: its stack (8 MiB on Linux) and as much again."""

_Pending: TypeAlias = deque[tuple[LakeObject, Future[Fetched]]]


@dataclass(frozen=True)
class FetchLimits:
    """How far ahead to fetch.

    Attributes:
        threads: objects fetched at once, and at most held.
        bytes_ahead: sum of the sizes of the objects held; one larger object is fetched alone.
    """

    threads: int
    bytes_ahead: int


def fetch_ahead(
    sources: Iterable[LakeObject],
    fetch: Callable[[LakeObject], Fetched],
    limits: FetchLimits,
) -> Iterator[tuple[LakeObject, Fetched]]:
    """Yield every object with what `fetch` returned for it, in the order of `sources`.

    The threads pay for themselves where an object takes longer to arrive than to be scored. An
    error of `fetch` comes out where its object would have been; what was fetched behind it is
    dropped.
    """
    pending: _Pending[Fetched] = deque()
    held = 0
    with ThreadPoolExecutor(limits.threads, thread_name_prefix="fetch") as pool:
        _start_threads(pool, limits.threads)
        try:
            for source in sources:
                while pending and (
                    len(pending) >= limits.threads or held + source.size_bytes > limits.bytes_ahead
                ):
                    first, future = pending.popleft()
                    held -= first.size_bytes
                    yield first, future.result()
                pending.append((source, pool.submit(fetch, source)))
                held += source.size_bytes
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            for _, future in pending:
                future.cancel()


def _start_threads(pool: ThreadPoolExecutor, threads: int) -> None:
    """Start all threads of a pool while there is memory.

    A thread that finds none when it starts dies without a word, and Python waits for it for ever.

    Raises:
        MemoryError: if there is none.
    """
    # Taken and given back at once. It stays untouched and costs nothing; a bytearray would be
    # filled with zeros, a tenth of a second a task.
    np.empty(threads * THREAD_BYTES, dtype=np.uint8)
    everyone = threading.Barrier(threads)
    for _ in range(threads):
        pool.submit(everyone.wait)
