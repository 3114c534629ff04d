"""The decoding process: reads jobs, decodes, prepares, hands small arrays back.

It never imports TensorFlow or Spark. It holds no credentials, writes no core file (which would
hold a patient's pixels), stops growing at its memory limit, and dies with its parent.
"""

from __future__ import annotations

import ctypes
import importlib
import io
import mmap
import os
import pickle
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jobs.decoding_messages import (
    JOB_HEAD,
    RESULT_HEAD,
    SECONDS,
    DecodingSetup,
    FrameResult,
    ImageFailure,
    PreparedFrame,
    ResultKind,
)
from model.decoding import decode_object, silence_libraries
from model.errors import DecoderCrashError, ImageError, TooLargeError
from model.images import DecodedImage

PR_SET_PDEATHSIG: Final = 1
"""prctl(2): the signal that this process gets when the thread that started it ends."""

Prepare = Callable[[DecodedImage, Any], Any]


def main(job_descriptor: int, result_descriptor: int, parent_pid: int) -> None:
    """Serve jobs until the other side closes the socket.

    Args:
        job_descriptor: of a sequenced-packet socket; the first job is the pickled setup.
        result_descriptor: of a pipe to write results to.
        parent_pid: of the process to die with.
    """
    _die_with(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    jobs = socket.socket(fileno=job_descriptor)
    first = _receive_job(jobs)
    if first is None:
        return
    setup: DecodingSetup = pickle.loads(first[1])  # noqa: S301 - written by our own parent
    prepare = load_function(setup.prepare)
    _write(result_descriptor, _message(ResultKind.READY, 0, b""))
    _silence_native_libraries()
    silence_libraries()
    _limit_resources(setup.memory_bytes)
    while (job := _receive_job(jobs)) is not None:
        number, data = job
        watch = _Watch(prepare)
        begin = time.perf_counter()
        sending, last = 0.0, b""
        for result in prepare_frames(data, setup, watch):
            before = time.perf_counter()
            _write(result_descriptor, last)
            last = _message(ResultKind.FRAME, number, pickle.dumps(result, protocol=5))
            sending += time.perf_counter() - before
        decoding = time.perf_counter() - begin - sending - watch.seconds
        end = _message(ResultKind.END, number, SECONDS.pack(decoding, watch.seconds))
        # Together, so that the other side need not wake up twice.
        _write(result_descriptor, last + end)


@dataclass
class _Watch:
    """Adds up the seconds that preparing takes."""

    prepare: Prepare
    seconds: float = 0.0

    def __call__(self, image: DecodedImage, parameters: object) -> object:
        begin = time.perf_counter()
        try:
            return self.prepare(image, parameters)
        finally:
            self.seconds += time.perf_counter() - begin


def prepare_frames(data: bytes, setup: DecodingSetup, prepare: Prepare) -> Iterator[FrameResult]:
    """Decode an object and prepare each of its frames.

    Yields:
        One result a frame, or one failure without a frame if the object cannot be opened.
    """
    try:
        for image in decode_object(data, setup.limits):
            if isinstance(image, ImageError):
                yield ImageFailure.of(image)
            else:
                yield _prepare_frame(image, setup, prepare)
    except ImageError as error:
        yield ImageFailure.of(error)
    except MemoryError:
        yield ImageFailure.of(TooLargeError("not enough memory for decoding"))


def load_function(name: str) -> Prepare:
    """Import ``module:function``."""
    module, _, function = name.partition(":")
    loaded: Prepare = getattr(importlib.import_module(module), function)
    return loaded


def _prepare_frame(image: DecodedImage, setup: DecodingSetup, prepare: Prepare) -> FrameResult:
    try:
        prepared = prepare(image, setup.parameters)
    except ImageError as error:
        failed = error
    except MemoryError:
        failed = TooLargeError("not enough memory for preparing")
    except Exception as error:  # noqa: BLE001 - one frame must not take the others with it
        failed = DecoderCrashError(f"preparing failed with {type(error).__name__}")
    else:
        return PreparedFrame(
            prepared=prepared,
            format=image.format,
            frame=image.frame,
            study_uid=image.study_uid,
            acquisition=image.acquisition,
            detail=image.detail,
            burned_in_text=image.burned_in_text,
        )
    failed.format, failed.frame, failed.study_uid = image.format, image.frame, image.study_uid
    return ImageFailure.of(failed)


def _receive_job(jobs: socket.socket) -> tuple[int, bytes] | None:
    """Return number and bytes of the next job, None when the other side has closed."""
    head, descriptors, _, _ = socket.recv_fds(jobs, JOB_HEAD.size, 1)
    if not head:
        return None
    number, length = JOB_HEAD.unpack(head)
    # Not mapped: setting up and taking down the pages costs more than the copy.
    with io.FileIO(descriptors[0]) as memory_file:
        memory_file.seek(0)
        data = memory_file.readall()
    if len(data) != length:
        message = f"job {number} has {len(data)} bytes instead of {length}"
        raise OSError(message)
    return number, data


def _message(kind: ResultKind, number: int, body: bytes) -> bytes:
    return RESULT_HEAD.pack(kind, number, len(body)) + body


def _write(descriptor: int, message: bytes) -> None:
    remaining = memoryview(message)
    while remaining:
        remaining = remaining[os.write(descriptor, remaining) :]


def _die_with(parent_pid: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends, however it ends; Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:  # it ended before it could be watched
        sys.exit(0)


def _silence_native_libraries() -> None:
    """Send what C libraries print to nowhere: it quotes the file, and nobody could place it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stderr.fileno())
    os.close(nowhere)


def _limit_resources(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    limit = _address_space() + memory_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        limit = min(limit, hard)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _address_space() -> int:
    """Return the bytes of address space in use; libraries alone take some hundred mebibytes."""
    statm = Path("/proc/self/statm")
    if not statm.exists():
        return 0
    return int(statm.read_text("ascii").split()[0]) * mmap.PAGESIZE
