"""One decoding process as its parent sees it: start, hand over a job, await a message, end."""

from __future__ import annotations

import json
import os
import pickle
import select
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from typing import IO, Final

from jobs.decoding_messages import JOB_HEAD, RESULT_HEAD, DecodingSetup, ResultKind
from model.errors import ConfigurationError

START_SECONDS: Final = 120.0
"""Importing the decoders takes about a second; a cold and busy disk takes far longer."""

LONGEST_COMPLAINT: Final = 300
"""Characters of a start-up error that are passed on."""

BOOT: Final = (
    "import json, sys\n"
    "sys.path[:] = json.loads(sys.argv[1])\n"
    "from jobs.decoding_child import main\n"
    "main(*(int(argument) for argument in sys.argv[2:]))\n"
)
"""Spark ships code by adding to ``sys.path``, so that the child must be given the parent's."""

KEPT_ENVIRONMENT: Final = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "PYTHONHOME",
    "TMPDIR",
    "VIRTUAL_ENV",
)
"""What reads hostile files needs no credentials: everything else stays behind."""

ONE_THREAD: Final = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

KEPT_MEMORY: Final = {
    "MALLOC_TRIM_THRESHOLD_": str(64 * 1024**2),
    "MALLOC_MMAP_THRESHOLD_": str(32 * 1024**2),
}
"""For glibc: what an image took stays with the process for the next one. Given back, it came back
page by page, a millisecond an image."""


class ProcessEndedError(Exception):
    """The decoding process is gone; the message says how it ended."""


class ProcessSilentError(Exception):
    """The decoding process did not answer before the deadline."""


class DecodingProcess:
    """A child process that is ready for jobs. Used by one thread, the one that made it.

    The kernel kills the child when that *thread* ends, so it must live as long as the child.
    """

    def __init__(self, setup: DecodingSetup, environ: Mapping[str, str]) -> None:
        """Start the process and wait until it is ready.

        Raises:
            ConfigurationError: if it does not get ready, which no image is to blame for.
        """
        self._received = bytearray()
        self._jobs, jobs_of_child = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._results, results_of_child = os.pipe()
        with tempfile.TemporaryFile() as complaints:
            try:
                self._process = _spawn(jobs_of_child, results_of_child, complaints, environ)
            finally:
                jobs_of_child.close()
                os.close(results_of_child)
            self._poll = select.poll()
            self._poll.register(self._results, select.POLLIN)
            self._await_ready(setup, complaints)

    def send(self, number: int, data: bytes) -> None:
        """Hand over a job; returns at once, however busy the process is.

        Raises:
            ProcessEndedError: if the process is gone.
        """
        descriptor = _memory_file(data)
        try:
            head = JOB_HEAD.pack(number, len(data))
            socket.send_fds(self._jobs, [head], [descriptor])
        except (BrokenPipeError, ConnectionResetError):
            raise ProcessEndedError(self._describe_end()) from None
        finally:
            os.close(descriptor)

    def receive(self, deadline: float) -> tuple[ResultKind, int, bytes]:
        """Await the next message.

        Args:
            deadline: of `time.monotonic`.

        Returns:
            Its kind, the number of the job, and the pickled body.

        Raises:
            ProcessEndedError: if the process is gone.
            ProcessSilentError: if the deadline passes first.
        """
        head = self._read_exactly(RESULT_HEAD.size, deadline)
        kind, number, length = RESULT_HEAD.unpack(head)
        return ResultKind(kind), number, self._read_exactly(length, deadline)

    def kill(self) -> None:
        """End the process at once; safe from any thread, and more than once."""
        self._process.kill()

    def close(self) -> None:
        """End the process, collect it, and free its descriptors."""
        self.kill()
        self._process.wait()
        self._jobs.close()
        if self._results >= 0:
            os.close(self._results)
            self._results = -1

    @property
    def pid(self) -> int:
        """Process id, for tests and for messages to operators."""
        return self._process.pid

    def _await_ready(self, setup: DecodingSetup, complaints: IO[bytes]) -> None:
        try:
            self.send(0, pickle.dumps(setup, protocol=5))
            self.receive(time.monotonic() + START_SECONDS)
        except (ProcessEndedError, ProcessSilentError) as error:
            self.close()
            complaints.seek(0)
            lines = complaints.read().decode("utf-8", "replace").strip().splitlines() or [""]
            message = (
                f"the decoding process does not start ({error}): {lines[-1][:LONGEST_COMPLAINT]}"
            )
            raise ConfigurationError(message) from None

    def _read_exactly(self, size: int, deadline: float) -> bytes:
        while len(self._received) < size:
            wait_seconds = deadline - time.monotonic()
            if wait_seconds <= 0 or not self._poll.poll(wait_seconds * 1000):
                message = "no answer in time"
                raise ProcessSilentError(message)
            chunk = os.read(self._results, 1 << 20)
            if not chunk:
                raise ProcessEndedError(self._describe_end())
            self._received += chunk
        taken = bytes(self._received[:size])
        del self._received[:size]
        return taken

    def _describe_end(self) -> str:
        code = self._process.wait()
        return f"ended by signal {-code}" if code < 0 else f"ended with code {code}"


def _spawn(
    jobs: socket.socket,
    results: int,
    complaints: IO[bytes],
    environ: Mapping[str, str],
) -> subprocess.Popen[bytes]:
    descriptors = (jobs.fileno(), results)
    arguments = [*map(str, descriptors), str(os.getpid())]
    kept = {name: environ[name] for name in KEPT_ENVIRONMENT if name in environ}
    return subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", BOOT, json.dumps(sys.path), *arguments],
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=complaints,
        env={**kept, **ONE_THREAD, **KEPT_MEMORY},
    )


def _memory_file(data: bytes) -> int:
    descriptor = os.memfd_create("image", os.MFD_CLOEXEC)
    remaining = memoryview(data)
    try:
        while remaining:
            remaining = remaining[os.write(descriptor, remaining) :]
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
