"""Decoded objects on their way back: how much they hold, and how long they took."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from jobs.decoding_messages import FrameResult

Answer: TypeAlias = "Future[list[FrameResult]]"

HELD_BYTES: Final = 64 * 1024**2
"""Of prepared frames that wait to be taken: some 1,800 slices, or one long series."""


@dataclass
class Job:
    """An object on its way through the decoding process.

    Attributes:
        number: of the job.
        data: the object.
        answer: its frames, once they are all there.
        frames: so far.
        frame_bytes: that the frames hold.
    """

    number: int
    data: bytes
    answer: Answer = field(default_factory=Future)
    frames: list[FrameResult] = field(default_factory=list)
    frame_bytes: int = 0


class HeldAnswers:
    """Counts the bytes of answers that are ready and not taken yet. For two threads."""

    def __init__(self, limit: int) -> None:
        """Start with nothing held.

        Args:
            limit: bytes at which no further object is begun; the answer that reaches it is kept.
        """
        self._limit = limit
        self._bytes = 0
        self._held: set[int] = set()
        self._unwanted: set[int] = set()
        self._changed = threading.Condition()

    def hold(self, job: Job) -> None:
        """Count an answer that is ready, unless nobody wants it any more."""
        with self._changed:
            if job.number in self._unwanted:
                self._unwanted.discard(job.number)
                return
            self._held.add(job.number)
            self._bytes += job.frame_bytes

    def release(self, job: Job) -> None:
        """Forget an answer that was taken, or that will not be: its reader has gone away."""
        with self._changed:
            if job.number in self._held:
                self._held.discard(job.number)
                self._bytes -= job.frame_bytes
                self._changed.notify_all()
            elif not job.answer.done():
                self._unwanted.add(job.number)

    def has_room(self) -> bool:
        """Tell whether another object may be begun."""
        with self._changed:
            return self._bytes < self._limit

    def wait_for_room(self, seconds: float) -> None:
        """Wait until another object may be begun, but not longer than so many seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._bytes < self._limit, seconds)


@dataclass
class DecodingSeconds:
    """How long the decoding process worked, by step. Written by one thread, read by another."""

    decode: float = 0.0
    prepare: float = 0.0

    def add(self, decode: float, prepare: float) -> None:
        """Add one object's seconds."""
        self.decode += decode
        self.prepare += prepare
