"""Machines that fail: workers that die, disks that are full, two runs at once, clocks that jump."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import resource
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import psutil
import pytest
from pyspark.sql import SparkSession

from jobs.lake import LakeAddress, open_lake
from jobs.night_run import NightOutcome, NightRequest
from jobs.published_night import read_night
from model.bundle import Bundle
from model.errors import NightTakenError, OutputError
from tests.builders import BUSY_NIGHT, MINI_LAKE
from tests.integration.faults.killed_driver import (
    Deed,
    FileWatch,
    run_with,
    start_run,
    utc_now,
)
from tests.integration.faults.proxy import FaultProxy, do_first
from tests.integration.faults.small_night import (
    FOLDER,
    IMAGES,
    CalmFolder,
    CalmNight,
    is_published,
    published_rows,
    run_small_night,
    small_request,
)
from tests.integration.spark_fixtures import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(900)]

ONE = IMAGES[2]
OTHER_RUN = "20261121T051500-000009"
MEBIBYTE = 1024 * 1024


@pytest.fixture
def run_it(tiny_bundle: Bundle, spark: SparkSession) -> Callable[[LakeAddress], NightOutcome]:
    return lambda address: run_small_night(address, tiny_bundle, spark)


def do_to_workers(deed: Callable[[psutil.Process], object]) -> None:
    """Do something to the Python processes that Spark's daemon has forked for its tasks."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            parent = process.parent()
            if _is_of_daemon(process) and parent is not None and _is_of_daemon(parent):
                deed(process)


def _is_of_daemon(process: psutil.Process) -> bool:
    return "pyspark.daemon" in process.cmdline()


def allow_no_more_memory(worker: psutil.Process) -> None:
    now = worker.memory_info().vms
    worker.rlimit(psutil.RLIMIT_AS, (now, now))


def test_a_worker_that_is_killed_in_mid_task_costs_no_row(
    proxy: FaultProxy,
    stumbling_lake: LakeAddress,
    run_it: Callable[[LakeAddress], NightOutcome],
    calm: CalmNight,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy.inject(do_first(lambda: do_to_workers(psutil.Process.kill)), key=ONE, times=1)

    run_it(stumbling_lake)

    assert "a worker process died" in caplog.text
    pd.testing.assert_frame_equal(published_rows(stumbling_lake), calm.rows, check_exact=True)


def test_a_worker_that_runs_out_of_memory_costs_no_row(
    proxy: FaultProxy,
    stumbling_lake: LakeAddress,
    run_it: Callable[[LakeAddress], NightOutcome],
    calm: CalmNight,
    caplog: pytest.LogCaptureFixture,
) -> None:
    large = f"{FOLDER}/neuro/study-3002/large.jpg"
    content = (MINI_LAKE / ONE).read_bytes() + bytes(48 * MEBIBYTE)
    open_lake(stumbling_lake).write(large, content)
    proxy.inject(do_first(lambda: do_to_workers(allow_no_more_memory)), key=large, times=1)

    run_it(stumbling_lake)

    rows = published_rows(stumbling_lake)
    is_large = rows["object_key"] == large
    assert "is halved" in caplog.text
    assert rows[is_large]["reason"].isin(["decoder_crash", "not_retrieved"]).tolist() == [False]
    pd.testing.assert_frame_equal(
        rows[~is_large].reset_index(drop=True), calm.rows, check_exact=True
    )


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Let the kernel refuse every byte of a file beyond this size, as a quota does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("size", [100, 2000, 7000])
def test_a_folder_that_takes_no_more_data_ends_the_run_and_leaves_the_published_night(
    size: int,
    calm_folder: CalmFolder,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    address = calm_folder.copy(tmp_path / "lake")
    request = small_request(address, tiny_bundle, now=utc_now)
    run_with(calm_folder.night.scores, request)
    again = replace(request, run_id=OTHER_RUN, threshold=0.1)

    with files_of_at_most(size), pytest.raises(OutputError, match=os.strerror(errno.EFBIG)):
        run_with(calm_folder.night.scores, again)

    pd.testing.assert_frame_equal(published_rows(address), calm_folder.night.rows, check_exact=True)
    assert list(tmp_path.rglob("*-tmp")) == []
    run_with(calm_folder.night.scores, replace(again, threshold=None))
    pd.testing.assert_frame_equal(published_rows(address), calm_folder.night.rows, check_exact=True)


FILL_THE_DISK = """
import os, sys
from pathlib import Path
from jobs.lake import LakeAddress, open_lake
from model.errors import OutputError
lake = open_lake(LakeAddress(Path(sys.argv[1]).as_uri()))
lake.write("results/a", b"old" * 1000)
try:
    lake.write("results/a", os.urandom(1_000_000))
except OutputError as error:
    print(error)
assert lake.read("results/a") == b"old" * 1000
print([path.name for path in Path(sys.argv[1], "results").iterdir() if "tmp" in path.name])
lake.write("results/a", b"new" * 1000)
"""


OWN_DISK = 'mount -t tmpfs -o size=256k none "$1" && shift && exec "$@"'


def test_a_disk_without_space_keeps_the_old_object_and_has_room_for_the_next_try(
    tmp_path: Path,
) -> None:
    own_disk = ["unshare", "--user", "--map-root-user", "--mount", "--", "sh", "-c", OWN_DISK, "sh"]
    own_disk.append(str(tmp_path))
    if (
        shutil.which("unshare") is None
        or subprocess.run([*own_disk, "true"], check=False).returncode
    ):
        pytest.skip("this machine allows no file system of the test's own (unshare, tmpfs)")

    done = subprocess.run(
        [*own_disk, sys.executable, "-c", FILL_THE_DISK, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )

    assert os.strerror(errno.ENOSPC) in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"


def start_and_stop(
    night: CalmFolder,
    request: NightRequest,
    lake: Path,
    at: str,
) -> tuple[int, Callable[[], int | None]]:
    """Start a run that stops before it writes such a file; return its id, and what lets it end."""
    process = start_run(night.night.scores, request, watch=FileWatch(lake, at=at, deed=Deed.STOP))
    assert process.pid is not None
    stopped = psutil.Process(process.pid)
    while stopped.status() != psutil.STATUS_STOPPED:
        assert process.is_alive()
        threading.Event().wait(0.01)

    def let_it_end() -> int | None:
        stopped.send_signal(signal.SIGCONT)
        process.join()
        return process.exitcode

    return process.pid, let_it_end


def test_a_second_run_of_a_night_at_the_same_time_stops_and_the_first_one_publishes(
    calm_folder: CalmFolder,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    address = calm_folder.copy(tmp_path / "lake")
    request = small_request(address, tiny_bundle, now=utc_now)
    pid, let_it_end = start_and_stop(calm_folder, request, tmp_path / "lake", "/shards/")

    with pytest.raises(NightTakenError, match=rf"run {request.run_id} \(process {pid} on"):
        run_with(calm_folder.night.scores, replace(request, run_id=OTHER_RUN))

    assert not is_published(address)
    assert let_it_end() == 0
    pd.testing.assert_frame_equal(published_rows(address), calm_folder.night.rows, check_exact=True)


@pytest.mark.parametrize("at", ["/shards/", "/explanations/", "/studies/", "/results/"])
def test_a_run_that_slept_past_its_lease_publishes_nothing_over_the_run_that_took_over(
    at: str,
    calm_folder: CalmFolder,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    address = calm_folder.copy(tmp_path / "lake")
    request = small_request(address, tiny_bundle, now=utc_now)
    _, let_it_end = start_and_stop(calm_folder, request, tmp_path / "lake", at)

    later = replace(request, run_id=OTHER_RUN, now=lambda: utc_now() + timedelta(seconds=301))
    run_with(calm_folder.night.scores, later)

    assert let_it_end() == NightTakenError.exit_code
    published = read_night(open_lake(address), BUSY_NIGHT)
    assert published is not None
    assert published.metadata["run_id"] == OTHER_RUN
    assert published.studies is not None
    assert published.explanations is not None
    pd.testing.assert_frame_equal(published_rows(address), calm_folder.night.rows, check_exact=True)


@pytest.mark.parametrize("hours", [-2, 3])
def test_a_clock_that_is_set_in_mid_run_changes_no_row_and_no_duration(
    hours: int,
    calm_folder: CalmFolder,
    tiny_bundle: Bundle,
    tmp_path: Path,
) -> None:
    address = calm_folder.copy(tmp_path / "lake")
    request = small_request(address, tiny_bundle, now=utc_now)
    calls = itertools.count()

    def clock() -> datetime:
        return utc_now() + (timedelta(hours=hours) if next(calls) > 2 else timedelta())

    outcome = run_with(calm_folder.night.scores, replace(request, now=clock))

    assert next(calls) > 6
    assert 0 <= min(outcome.seconds.values()) <= max(outcome.seconds.values()) < 3600
    assert outcome.images_per_second > 0
    pd.testing.assert_frame_equal(published_rows(address), calm_folder.night.rows, check_exact=True)
