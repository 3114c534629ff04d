"""Decoding in a process of its own, ahead of the one that predicts.

A native codec that crashes, hangs or eats memory costs its own image one row, and a new process
is started; nothing in Python could catch it. The process is started afresh (never forked), so it
works beside TensorFlow and inside Spark's daemonic workers.
"""

from __future__ import annotations

import os
import pickle
import queue
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from jobs.decoding_answers import HELD_BYTES, DecodingSeconds, HeldAnswers, Job
from jobs.decoding_messages import (
    SECONDS,
    DecodingSetup,
    FrameResult,
    ImageFailure,
    PreparedFrame,
    ResultKind,
)
from jobs.decoding_process import DecodingProcess, ProcessEndedError, ProcessSilentError
from model.errors import DecoderCrashError, DecoderTimeoutError, ImageError
from model.preflight import DecodingLimits

__all__ = ["DecodingPool", "FrameResult", "ImageFailure", "PreparedFrame"]

PREPARE_IMAGE: Final = "model.preprocessing:prepare_image"

JOBS_IN_PROCESS: Final = 2
"""One that is decoded and one that waits, so that the process never waits for its parent."""

ROOM_SECONDS: Final = 1.0
"""How long to wait for room before looking whether the pool is closing."""

Tag = TypeVar("Tag")


class DecodingPool:
    """A decoding process, restarted whenever it dies, and a thread that talks to it.

    Use it as a context manager; on the way out the process is ended and collected.
    """

    def __init__(  # noqa: PLR0913 - all but two have defaults
        self,
        limits: DecodingLimits,
        parameters: Any,  # noqa: ANN401 - belongs to `prepare`
        *,
        timeout_seconds: float = 20.0,
        memory_bytes: int = 2 * 1024**3,
        prepare: str = PREPARE_IMAGE,
        ahead: int = 64,
        ahead_bytes: int = 256 * 1024**2,
        held_bytes: int = HELD_BYTES,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """Set the pool up; the process is started on entering.

        Args:
            limits: what one object may ask for.
            parameters: for `prepare`; picklable.
            timeout_seconds: for one object, all its frames together.
            memory_bytes: address space that decoding may take.
            prepare: ``module:function`` called in the process with a `DecodedImage` and
                `parameters`.
            ahead: objects taken from the source before the oldest result is asked for.
            ahead_bytes: bytes of those objects, beyond which no more are taken.
            held_bytes: of prepared frames, beyond which no further object is begun until some
                are taken; an object's own frames are held together.
            environ: the environment, `os.environ` if None; little of it reaches the process.
        """
        self._setup = DecodingSetup(limits, memory_bytes, prepare, parameters)
        self._timeout_seconds = timeout_seconds
        self._ahead = ahead
        self._ahead_bytes = ahead_bytes
        self._environ = os.environ if environ is None else environ
        self._queue: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._in_process: deque[Job] = deque()
        self._process: DecodingProcess | None = None
        self._closing = threading.Event()
        self._jobs = 0
        self._held = HeldAnswers(held_bytes)
        self.seconds = DecodingSeconds()
        self._thread = threading.Thread(target=self._serve, name="decoding", daemon=True)

    def __enter__(self) -> Self:
        """Start."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process, whatever it is doing."""
        self.close()

    def close(self) -> None:
        """End process and thread; safe to call more than once."""
        self._closing.set()
        self._queue.put(None)
        process = self._process
        if process is not None:
            process.kill()
        if self._thread.is_alive():
            self._thread.join()

    def decode_all(
        self,
        items: Iterable[tuple[Tag, bytes | ImageError]],
    ) -> Iterator[tuple[Tag, list[FrameResult]]]:
        """Decode objects, keeping `ahead` of them on their way while results are used.

        Args:
            items: a tag of any kind and the object's bytes, or the error that took their place
                (an object that could not be fetched); taken lazily.

        Yields:
            The tag and one result a frame, in the order of `items`. An object that cannot be
            opened, crashes the process or takes too long gives one `ImageFailure`.

        Raises:
            ConfigurationError: if the decoding process cannot be started.
        """
        waiting: deque[tuple[Tag, int, Job]] = deque()
        try:
            yield from self._decode_ahead(items, waiting)
        finally:
            for _, _, job in waiting:  # whoever asked has gone away
                self._held.release(job)

    def _decode_ahead(
        self,
        items: Iterable[tuple[Tag, bytes | ImageError]],
        waiting: deque[tuple[Tag, int, Job]],
    ) -> Iterator[tuple[Tag, list[FrameResult]]]:
        waiting_bytes = 0
        for tag, content in items:
            size = 0 if isinstance(content, ImageError) else len(content)
            while waiting and waiting_bytes + size > self._ahead_bytes:
                waiting_bytes -= waiting[0][1]
                yield self._take(waiting)
            waiting.append((tag, size, self._submit(content)))
            waiting_bytes += size
            del content  # otherwise the last object's bytes outlive their decoding
            while len(waiting) > self._ahead:
                waiting_bytes -= waiting[0][1]
                yield self._take(waiting)
        while waiting:
            yield self._take(waiting)

    def _submit(self, content: bytes | ImageError) -> Job:
        self._jobs += 1
        if isinstance(content, ImageError):
            known = Job(self._jobs, b"")
            known.answer.set_result([ImageFailure.of(content)])
            return known
        job = Job(self._jobs, content)
        self._queue.put(job)
        return job

    def _take(self, waiting: deque[tuple[Tag, int, Job]]) -> tuple[Tag, list[FrameResult]]:
        tag, _, job = waiting.popleft()
        try:
            return tag, job.answer.result()
        finally:
            self._held.release(job)

    def _serve(self) -> None:
        """Run in the thread: feed the process and collect its answers until closed."""
        try:
            self._process = self._start_process()
            while self._feed():
                self._finish_first()
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits for an answer
            self._fail_all(error)
        finally:
            if self._process is not None:
                self._process.close()
            self._cancel_all()

    def _start_process(self) -> DecodingProcess:
        return DecodingProcess(self._setup, self._environ)

    def _feed(self) -> bool:
        """Fill the process up; wait for a job only if it has none. False when closing."""
        while len(self._in_process) < JOBS_IN_PROCESS and not self._closing.is_set():
            if not self._held.has_room():
                if self._in_process:
                    break
                self._held.wait_for_room(ROOM_SECONDS)
                continue
            try:
                job = self._queue.get(block=not self._in_process)
            except queue.Empty:
                break
            if job is None or self._closing.is_set():
                return False
            self._in_process.append(job)
            self._hand_over(job)
        return not self._closing.is_set()

    def _hand_over(self, job: Job) -> None:
        if self._process is None:
            return
        try:
            self._process.send(job.number, job.data)
        except ProcessEndedError:
            return  # `_finish_first` finds out, and hands the job to the next process

    def _finish_first(self) -> None:
        """Collect the answer to the oldest job, or make one up if the process fails on it."""
        first = self._in_process[0]
        if self._process is None:
            return
        try:
            self._collect(first, self._process)
        except ProcessSilentError:
            message = f"not decoded within {self._timeout_seconds:g} s"
            self._give_up(first, DecoderTimeoutError(message))
        except ProcessEndedError as error:
            self._give_up(first, DecoderCrashError(f"the decoding process {error}"))
        else:
            self._in_process.popleft()
            self._held.hold(first)
            first.answer.set_result(first.frames)

    def _collect(self, job: Job, process: DecodingProcess) -> None:
        deadline = time.monotonic() + self._timeout_seconds
        while True:
            kind, number, body = process.receive(deadline)
            if number != job.number:
                message = f"answered job {number} instead of {job.number}"
                raise ProcessEndedError(message)
            if kind is ResultKind.END:
                self.seconds.add(*SECONDS.unpack(body))
                return
            job.frame_bytes += len(body)
            job.frames.append(pickle.loads(body))  # noqa: S301 - written by our own child

    def _give_up(self, job: Job, error: ImageError) -> None:
        """Answer with the error and go on with the other jobs in a new process."""
        if self._process is not None:
            self._process.close()
            self._process = None
        if self._closing.is_set():
            return
        self._in_process.popleft()
        job.answer.set_result([ImageFailure.of(error)])
        self._process = self._start_process()
        for other in self._in_process:
            self._hand_over(other)

    def _fail_all(self, error: BaseException) -> None:
        """Answer every job, also those to come, with the error."""
        for job in self._in_process:
            job.answer.set_exception(error)
        while not self._closing.is_set():
            job_to_come = self._queue.get()
            if job_to_come is not None:
                job_to_come.answer.set_exception(error)

    def _cancel_all(self) -> None:
        """Let nobody wait for an answer that will not come."""
        for job in self._in_process:
            job.answer.cancel()
        while not self._queue.empty():
            job_left = self._queue.get()
            if job_left is not None:
                job_left.answer.cancel()
