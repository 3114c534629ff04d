"""Kill the run of a night at every write in turn: whatever the moment, the next run repairs it.

On a folder every change of the file system is a point to be killed at (before it, and in the
middle of the data); on a bucket every request that writes (before it, in the middle of its body,
and after it, before its answer arrives).
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import pandas as pd
import pyarrow as pa
import pytest

from jobs import lake_s3
from jobs.explain_night import ExplanationOptions
from jobs.lake import LakeAddress, open_lake
from jobs.night_run import NightRequest
from jobs.published_night import read_night
from model.bundle import Bundle
from tests.builders import BUSY_NIGHT
from tests.integration.conftest import S3Server
from tests.integration.faults.killed_driver import (
    Deed,
    FileWatch,
    changes_of_a_run,
    run_with,
    start_run,
    utc_now,
)
from tests.integration.faults.proxy import WRITES, Exchange, FaultProxy
from tests.integration.faults.small_night import (
    IMAGES,
    CalmFolder,
    CalmNight,
    address_of,
    fill_lake,
    small_request,
)

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(1800)]

LATE = IMAGES[2]
DEATHS = {Deed.DIE: signal.SIGKILL, Deed.DIE_HALF_WAY: signal.SIGXFSZ}
STATES = ["first run of a night", "published night that grew"]


def ask(address: LakeAddress, bundle: Bundle, number: int) -> NightRequest:
    explanation = ExplanationOptions(sample_size=2)
    return small_request(
        address, bundle, run_id=f"20261121T041500-{number:06}", explanation=explanation, now=utc_now
    )


Tables: TypeAlias = dict[str, pd.DataFrame]
"""A night as readers see it: its tables by name, but for what may differ between two runs."""


def read(address: LakeAddress) -> Tables | None:
    night = read_night(open_lake(address), BUSY_NIGHT)
    if night is None:
        return None
    tables = {
        "results": night.results,
        "studies": night.studies,
        "explanations": night.explanations,
    }
    return {
        name: table.to_pandas().drop(columns=["run_id", "scored_at"], errors="ignore")
        for name, table in tables.items()
        if table is not None
    }


@dataclass(frozen=True)
class Stage:
    """What a run finds, what it shall publish, and what Spark computes for it.

    Attributes:
        bundle: the model.
        scores: what Spark computes, `SCORES`.
        before: the night that is published already; None for none.
        after: the night that an undisturbed run publishes.
    """

    bundle: Bundle
    scores: pa.Table
    before: Tables | None
    after: Tables

    def check_readers(self, address: LakeAddress) -> None:
        """A reader sees the old night or the new one, with tables that belong to it or none."""
        seen = read(address)
        if seen is None:
            assert self.before is None
            return
        is_new = len(seen["results"]) == len(self.after["results"])
        expected = self.after if is_new else self.before
        assert expected is not None
        for name, table in seen.items():
            pd.testing.assert_frame_equal(table, expected[name], check_exact=True)

    def check_repair(self, address: LakeAddress) -> None:
        """The next run publishes what an undisturbed one does."""
        run_with(self.scores, ask(address, self.bundle, number=3))
        seen = read(address)
        assert seen is not None
        assert seen.keys() == self.after.keys() == {"results", "studies", "explanations"}
        for name, table in seen.items():
            pd.testing.assert_frame_equal(table, self.after[name], check_exact=True)


def make_stage(
    state: str,
    origin: LakeAddress,
    undisturbed: LakeAddress,
    bundle: Bundle,
    scores: pa.Table,
) -> Stage:
    """Put a lake into a state, and find out on a copy what an undisturbed run makes of it.

    Args:
        state: one of `STATES`.
        origin: holds the objects; of a night that grew, the late one is taken away, and has to be
            put back.
        undisturbed: a copy.
        bundle: the model.
        scores: of all objects, `SCORES`.
    """
    run_with(scores, ask(undisturbed, bundle, number=1))
    if state == STATES[1]:
        open_lake(origin).delete(LATE)
        run_with(scores, ask(origin, bundle, number=0))
    after = read(undisturbed)
    assert after is not None
    return Stage(bundle, scores, read(origin), after)


@pytest.mark.parametrize("state", STATES)
def test_a_run_on_a_folder_that_is_killed_at_any_change_of_a_file_is_repaired_by_the_next(
    state: str,
    tiny_bundle: Bundle,
    calm_folder: CalmFolder,
    tmp_path: Path,
) -> None:
    origin = tmp_path / "origin"
    stage = make_stage(
        state,
        calm_folder.copy(origin),
        calm_folder.copy(tmp_path / "undisturbed"),
        tiny_bundle,
        calm_folder.night.scores,
    )
    shutil.copy2(calm_folder.origin / LATE, origin / LATE)

    watched = shutil.copytree(origin, tmp_path / "watched")
    request = ask(address_of(watched), tiny_bundle, number=2)
    changes = changes_of_a_run(stage.scores, request, watched)
    assert len(changes) > 40

    deaths = [(change, Deed.DIE) for change in changes]
    deaths += [(change, Deed.DIE_HALF_WAY) for change in changes if change.writes_data]
    for change, deed in deaths:
        lake = shutil.copytree(origin, tmp_path / "killed")
        request = ask(address_of(lake), tiny_bundle, number=2)
        watch = FileWatch(lake, at=change.number, deed=deed)
        process = start_run(stage.scores, request, watch=watch)
        process.join()
        assert process.exitcode == -DEATHS[deed], change
        stage.check_readers(address_of(lake))
        stage.check_repair(address_of(lake))
        shutil.rmtree(lake)


class Killing:
    """Kills a process when it makes its nth request that writes."""

    def __init__(self, phase: str) -> None:
        self._phase = phase
        self._pid = 0
        self._is_started = threading.Event()

    def aim(self, pid: int | None) -> None:
        assert pid is not None
        self._pid = pid
        self._is_started.set()

    def __call__(self, exchange: Exchange) -> None:
        self._is_started.wait()
        if self._phase == "in the middle":
            exchange.forward_half()
        if self._phase == "after":
            exchange.forward()
        os.kill(self._pid, signal.SIGKILL)


PHASES = ("in the middle", "after")  # before a request is after the one before it
WHOLE, IN_PARTS = lake_s3.SINGLE_PUT_BYTES, 24 * 1024  # bytes: the larger tables go in parts


@pytest.mark.parametrize(("state", "single_put_bytes"), [(STATES[0], WHOLE), (STATES[1], IN_PARTS)])
def test_a_run_on_a_bucket_that_is_killed_at_any_request_that_writes_is_repaired_by_the_next(
    state: str,
    single_put_bytes: int,
    tiny_bundle: Bundle,
    calm: CalmNight,
    s3_server: S3Server,
) -> None:
    origin, undisturbed = (s3_server.address(f"s3://{s3_server.new_bucket()}") for _ in range(2))
    fill_lake(origin)
    fill_lake(undisturbed)
    stage = make_stage(state, origin, undisturbed, tiny_bundle, calm.scores)
    fill_lake(origin, (LATE,))
    content = content_of(origin)

    # In parts there are many, and each takes seconds: every second one.
    for number in itertools.count(step=1 if single_put_bytes == WHOLE else 2):
        exit_codes = [
            die_at_request(number, phase, stage, content, s3_server, single_put_bytes)
            for phase in PHASES
        ]
        if not any(exit_codes):
            break  # a run makes no more requests that write
        assert exit_codes == [-signal.SIGKILL] * len(PHASES), number
    assert number > 10


def die_at_request(  # noqa: PLR0913 - the point, the run, and where
    number: int,
    phase: str,
    stage: Stage,
    content: Mapping[str, bytes],
    server: S3Server,
    single_put_bytes: int,
) -> int | None:
    """Kill a run, look at what it left behind, and repair it; return how the run ended."""
    behind = server.address(f"s3://{server.new_bucket()}")
    for key, data in content.items():
        open_lake(behind).write(key, data)
    with FaultProxy(server.endpoint_url) as proxy:
        killing = Killing(phase)
        proxy.inject(killing, methods=WRITES, skip=number, times=1)
        address = S3Server(proxy.endpoint_url).address(behind.url)
        request = ask(address, stage.bundle, number=2)
        process = start_run(stage.scores, request, single_put_bytes=single_put_bytes)
        killing.aim(process.pid)
        process.join()
    stage.check_readers(behind)
    stage.check_repair(behind)
    return process.exitcode


def content_of(address: LakeAddress) -> dict[str, bytes]:
    lake = open_lake(address)
    return {item.key: lake.read(item.key) for item in lake.list_objects("")}
