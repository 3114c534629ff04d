from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import psutil
import pytest

from jobs.lake import Lake
from jobs.lease import LeaseRecord, LeaseTerms, NightLease
from jobs.lease_holder import Holder, has_ended, this_process
from model.errors import NightTakenError, OutputError, StorageUnavailableError
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, NIGHT, folder_lake

ELSEWHERE = Holder(host="other-machine", namespace="pid:[1]@b", pid=77, started=1.0)
KEY = "runs/2026-11-20/lease.json"


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.time = FOUR_O_CLOCK

    def __call__(self) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return folder_lake(tmp_path)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lease(lake: Lake, run_id: str, clock: Clock, seconds: float = 300) -> NightLease:
    return NightLease(lake, NIGHT, run_id, LeaseTerms(seconds, clock), ELSEWHERE)


def record_of(lake: Lake) -> LeaseRecord:
    return LeaseRecord.from_json(lake.read(KEY))


def test_the_second_run_is_told_who_holds_the_night_and_until_when(
    lake: Lake,
    clock: Clock,
) -> None:
    with lease(lake, "run-1", clock), pytest.raises(NightTakenError) as caught:
        lease(lake, "run-2", clock).take()

    for part in ("2026-11-20", "run-1", "77", "other-machine", "2026-11-21T04:05:00"):
        assert part in str(caught.value)


def test_a_night_that_was_let_go_can_be_taken_at_once(lake: Lake, clock: Clock) -> None:
    with lease(lake, "run-1", clock):
        pass

    with lease(lake, "run-2", clock) as second:
        second.assert_held()

        assert record_of(lake).run_id == "run-2"


def test_an_expired_lease_is_taken_over_and_the_first_run_may_no_longer_publish(
    lake: Lake,
    clock: Clock,
) -> None:
    first = lease(lake, "run-1", clock)
    first.take()
    clock.advance(301)

    with lease(lake, "run-2", clock) as second:
        with pytest.raises(NightTakenError, match="took it over"):
            first.assert_held()
        second.assert_held()
        first.release()

        assert record_of(lake).released is False


def test_a_lease_one_second_before_its_expiry_is_not_taken_over(lake: Lake, clock: Clock) -> None:
    with lease(lake, "run-1", clock):
        clock.advance(299)

        with pytest.raises(NightTakenError):
            lease(lake, "run-2", clock).take()


def test_a_slow_run_whose_expired_lease_nobody_took_still_holds_it(
    lake: Lake,
    clock: Clock,
) -> None:
    with lease(lake, "run-1", clock) as first:
        clock.advance(1000)

        first.assert_held()

        assert record_of(lake).expires_at == "2026-11-21T04:21:40+00:00"


def test_a_lease_is_renewed_in_the_background(lake: Lake, clock: Clock) -> None:
    with lease(lake, "run-1", clock, seconds=0.06):
        clock.advance(60)
        deadline = time.monotonic() + 5
        while "04:01" not in record_of(lake).expires_at and time.monotonic() < deadline:
            time.sleep(0.01)

        assert record_of(lake).expires_at == "2026-11-21T04:01:00.060000+00:00"


def test_a_failed_renewal_is_tried_again(lake: Lake, clock: Clock) -> None:
    class Flaky:
        def __init__(self) -> None:
            self.failures = 2

        def __getattr__(self, name: str) -> object:
            return getattr(lake, name)

        def write(self, key: str, data: bytes, **condition: object) -> str:
            if condition.get("if_match") and self.failures:
                self.failures -= 1
                message = "the storage is busy"
                raise StorageUnavailableError(message)
            return lake.write(key, data, **condition)  # type: ignore[arg-type]

    flaky = Flaky()
    with lease(flaky, "run-1", clock, seconds=0.06) as held:  # type: ignore[arg-type]
        deadline = time.monotonic() + 5
        while flaky.failures and time.monotonic() < deadline:
            time.sleep(0.01)

        assert flaky.failures == 0
        held.assert_held()


class Deaf:
    """A lake whose answers to writes get lost, as often as it is told."""

    def __init__(self, lake: Lake, losses: int) -> None:
        self.lake = lake
        self.losses = losses

    def __getattr__(self, name: str) -> object:
        return getattr(self.lake, name)

    def write(self, key: str, data: bytes, **condition: object) -> str:
        etag = self.lake.write(key, data, **condition)  # type: ignore[arg-type]
        if self.losses:
            self.losses -= 1
            message = "no answer"
            raise StorageUnavailableError(message)
        return etag


def test_a_run_that_never_heard_that_it_took_the_lease_takes_it_at_the_next_try(
    lake: Lake,
    clock: Clock,
) -> None:
    mine = lease(Deaf(lake, losses=1), "run-1", clock)  # type: ignore[arg-type]
    with pytest.raises(StorageUnavailableError):
        mine.take()

    with mine:
        mine.assert_held()


def test_a_run_that_never_heard_of_its_renewal_still_holds_the_lease(
    lake: Lake,
    clock: Clock,
) -> None:
    deaf = Deaf(lake, losses=0)
    with lease(deaf, "run-1", clock) as mine:  # type: ignore[arg-type]
        deaf.losses = 1
        with pytest.raises(StorageUnavailableError):
            mine.renew()

        mine.assert_held()


def test_a_twin_of_this_run_in_another_process_does_not_hold_its_lease(
    lake: Lake,
    clock: Clock,
) -> None:
    twin = NightLease(lake, NIGHT, "run-1", LeaseTerms(300, clock), this_process())
    with lease(lake, "run-1", clock), pytest.raises(NightTakenError):
        twin.take()


def test_a_lease_that_cannot_be_let_go_hides_no_other_error(
    lake: Lake,
    clock: Clock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Full:
        def __getattr__(self, name: str) -> object:
            return getattr(lake, name)

        def write(self, key: str, data: bytes, **condition: object) -> str:
            if b'"released": true' in data:
                message = "the disk is full"
                raise OutputError(message)
            return lake.write(key, data, **condition)  # type: ignore[arg-type]

    with pytest.raises(KeyboardInterrupt), lease(Full(), "run-1", clock):  # type: ignore[arg-type]
        raise KeyboardInterrupt

    assert "the disk is full" in caplog.text


def test_a_lease_that_was_never_taken_or_was_removed_is_not_held(lake: Lake, clock: Clock) -> None:
    never_taken = lease(lake, "run-1", clock)
    with pytest.raises(NightTakenError):
        never_taken.assert_held()

    with lease(lake, "run-2", clock) as removed:
        lake.delete(KEY)
        with pytest.raises(NightTakenError):
            removed.assert_held()


def test_a_lease_that_cannot_be_read_is_never_taken_over(lake: Lake, clock: Clock) -> None:
    lake.write(KEY, b'{"run_id": "of a later version"}')

    with pytest.raises(NightTakenError, match="then delete it"):
        lease(lake, "run-1", clock).take()


def test_the_lease_of_a_killed_process_of_this_machine_is_free_at_once(
    lake: Lake,
    clock: Clock,
) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    here = this_process()
    started = psutil.Process(process.pid).create_time()
    holder = Holder(here.host, here.namespace, process.pid, started)
    NightLease(lake, NIGHT, "run-1", LeaseTerms(300, clock), holder).take()
    with pytest.raises(NightTakenError):
        lease(lake, "run-2", clock).take()

    process.kill()
    process.wait()

    with lease(lake, "run-2", clock):
        assert record_of(lake).run_id == "run-2"


def test_a_living_process_and_one_that_cannot_be_seen_have_not_ended() -> None:
    here = this_process()

    assert not has_ended(here)
    assert not has_ended(ELSEWHERE)
    assert not has_ended(Holder(here.host, "", 999_999_999, 1.0))


def test_another_process_under_the_same_number_is_not_the_holder() -> None:
    here = this_process()

    assert has_ended(Holder(here.host, here.namespace, here.pid, here.started - 3600))
