"""A run of a night in a process of its own that is killed at one of its writes.

The scores that Spark would compute come from a run that nobody disturbed, and the pictures that it
would draw are none, so that hundreds of runs take minutes; everything that the driver itself does,
and above all every write, is the real thing.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, cast

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyspark.sql import SparkSession

from jobs import explain_night, lake_s3, night_shards
from jobs.night_run import NightOutcome, NightRequest
from jobs.score_night import run_night
from model.errors import TriageError
from tests.integration.spark_fixtures import ignore_progress

HALF_A_FILE: Final = 100  # bytes; every file that a run writes is larger

_CHANGES: Final = {"os.rename", "os.link", "os.remove", "os.mkdir"}


@dataclass(frozen=True)
class FileChange:
    """One change of the file system that a run is about to make.

    Attributes:
        number: how many came before it.
        event: of Python's audit hooks.
        name: of the file.
    """

    number: int
    event: str
    name: str

    @property
    def writes_data(self) -> bool:
        """Whether data follow: then the process can also die in the middle of them."""
        return self.event == "open" and self.name.endswith("-tmp")

    def is_at(self, at: int | str | None) -> bool:
        """Whether this is the change that a `FileWatch` waits for."""
        return at == self.number or (isinstance(at, str) and self.writes_data and at in self.name)


def utc_now() -> datetime:
    """The clock, as a function that travels to another process."""
    return datetime.now(UTC)


def run_with(scores: pa.Table, request: NightRequest) -> NightOutcome:
    """Do a whole night but for Spark's part.

    Args:
        scores: `SCORES` of all objects of the night.
        request: of the night.
    """
    with pytest.MonkeyPatch.context() as patch:
        # One shard after the other, so that the n-th change is the same one in every run.
        patch.setattr(night_shards, "SHARDS_AT_ONCE", 1)
        patch.setattr(night_shards, "score_on_spark", partial(_take, scores))
        patch.setattr(explain_night, "_run_job", _make_files)
        return run_night(request, cast("SparkSession", _NoSpark()), ignore_progress)


def start_run(
    scores: pa.Table,
    request: NightRequest,
    *,
    watch: FileWatch | None = None,
    single_put_bytes: int = lake_s3.SINGLE_PUT_BYTES,
) -> BaseProcess:
    """Start a run in a process of its own, forked from one that has imported everything.

    Args:
        scores: what Spark computes.
        request: of the night.
        watch: looks at the files of the lake, if it is a folder.
        single_put_bytes: what is larger goes into a bucket in parts.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    # The server that forks may have been started before the storage's credentials were set.
    arguments = (scores, request, watch, single_put_bytes, dict(os.environ))
    process = context.Process(target=_run_watched, args=arguments, daemon=True)
    process.start()
    return process


class Deed(Enum):
    """What becomes of a process at one of its changes, before it is made."""

    DIE = "die"
    DIE_HALF_WAY = "open the file, and die in the middle of the data that follow"
    STOP = "stop, until it is told to go on"


@dataclass(frozen=True)
class FileWatch:
    """Looks at every change of the files below a folder, and steps in at one of them.

    Attributes:
        folder: where.
        report: told of every change; None for silence.
        at: the change to step in at: its number, or a part of the name of the first file that
            data are written to; None for none.
        deed: what to do there.
    """

    folder: Path
    report: Connection | None = None
    at: int | str | None = None
    deed: Deed = Deed.DIE


def _run_watched(
    scores: pa.Table,
    request: NightRequest,
    watch: FileWatch | None,
    single_put_bytes: int,
    environ: dict[str, str],
) -> None:
    os.environ.update(environ)
    lake_s3.SINGLE_PUT_BYTES = single_put_bytes  # type: ignore[misc]
    if watch is not None:
        _install(watch)
    try:
        run_with(scores, request)
    except TriageError as error:
        sys.exit(error.exit_code)


def _install(watch: FileWatch) -> None:
    """Ask Python to be told of every change before it is made."""
    folder, count, at = f"{watch.folder}/", 0, watch.at

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count, at
        is_change = event in _CHANGES or (event == "open" and _is_for_writing(arguments[2]))
        if not is_change or not str(arguments[0]).startswith(folder):
            return
        change = FileChange(count, event, str(arguments[0]))
        count += 1
        if change.is_at(at):
            at = None
            _do(watch.deed)
        if watch.report is not None:
            watch.report.send(change)

    if watch.deed is Deed.DIE_HALF_WAY:
        # Python ignores this signal. Here, because shards are written by a thread, which may not.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    sys.addaudithook(look)


def changes_of_a_run(scores: pa.Table, request: NightRequest, folder: Path) -> list[FileChange]:
    """Do a whole night and return every change that it makes to the files of a folder."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = start_run(scores, request, watch=FileWatch(folder, report=sender))
    sender.close()
    changes = list(_received(receiver))
    process.join()
    assert process.exitcode == 0
    return changes


def _received(receiver: Connection) -> Iterator[FileChange]:
    while True:
        try:
            yield receiver.recv()
        except EOFError:
            return


def _is_for_writing(flags: object) -> bool:
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def _do(deed: Deed) -> None:
    if deed is Deed.DIE_HALF_WAY:
        # The kernel ends the process in the middle of the data.
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (HALF_A_FILE, HALF_A_FILE))
    else:
        os.kill(os.getpid(), signal.SIGKILL if deed is Deed.DIE else signal.SIGSTOP)


class _NoSpark:
    """Takes the names of jobs, of which there are none."""

    def __init__(self) -> None:
        self.sparkContext = self

    def setJobGroup(self, group: str, description: str) -> None:  # noqa: N802 - Spark's name
        """Take a name."""

    def cancelJobGroup(self, group: str) -> None:  # noqa: N802 - Spark's name
        """Cancel nothing."""


def _take(
    scores: pa.Table,
    _: object,
    objects: pa.Table,
    task: object,  # noqa: ARG001
    watch: object,  # noqa: ARG001
) -> pa.Table:
    return scores.filter(pc.is_in(scores["object_key"], objects["object_key"].unique()))


def _make_files(
    _: object,
    sample: list[explain_night.Record],
    task: object,  # noqa: ARG001
) -> dict[str, explain_night.Record]:
    return {
        image["image_id"]: {
            "image_id": image["image_id"],
            "overlay": b"a picture " * HALF_A_FILE,
            "weights": b"the weights " * HALF_A_FILE,
        }
        for image in sample
    }
