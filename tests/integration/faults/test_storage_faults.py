"""A storage that stumbles: what passes is tried again, what lasts costs a row or ends the run."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from jobs.lake import Lake, LakeAddress, LakeObject, open_lake
from jobs.lease import LeaseTerms, NightLease
from jobs.night_keys import results_key
from jobs.night_run import PublishOptions
from jobs.parquet_objects import read_table
from jobs.schemas import EXPLANATIONS
from jobs.score_night import ScoredShards, close_night, open_night, publish_night
from jobs.scoring_udf import fetch_object
from model.bundle import Bundle
from model.errors import (
    AccessDeniedError,
    AuditError,
    NightShrankError,
    NotRetrievedError,
    OutputError,
    StorageUnavailableError,
    TriageError,
)
from tests.builders import BUSY_NIGHT
from tests.integration.conftest import S3Server
from tests.integration.faults.killed_driver import run_with, utc_now
from tests.integration.faults.proxy import (
    WRITES,
    Fault,
    FaultProxy,
    answer_error,
    do_first,
    leave_out,
    lose_answer,
    reset_in_mid_body,
    stay_silent,
    trickle,
)
from tests.integration.faults.small_night import (
    IMAGES,
    SHARDS,
    CalmNight,
    is_published,
    published_rows,
    run_small_night,
    small_request,
)
from tests.unit.jobs.night_builders import FOUR_O_CLOCK

pytestmark = [pytest.mark.slow, pytest.mark.spark, pytest.mark.timeout(900)]

ALL_METHODS = WRITES | {"GET", "HEAD"}
ONE = IMAGES[2]


@dataclass(frozen=True)
class Night:
    """The small night on the storage that stumbles."""

    address: LakeAddress
    bundle: Bundle
    spark: SparkSession
    calm: CalmNight

    def run(self, number: int = 1, **changes: object) -> None:
        """Do all of it on Spark."""
        run_small_night(self.address, self.bundle, self.spark, run_id=run_id(number), **changes)

    def run_driver(self, number: int = 1, **changes: object) -> None:
        """Do all of it but what Spark computes."""
        request = small_request(self.address, self.bundle, run_id=run_id(number), **changes)
        run_with(self.calm.scores, request)

    @property
    def rows(self) -> pd.DataFrame:
        return published_rows(self.address)

    @property
    def is_published(self) -> bool:
        return is_published(self.address)

    def assert_calm(self) -> None:
        pd.testing.assert_frame_equal(self.rows, self.calm.rows, check_exact=True)


def run_id(number: int) -> str:
    return f"20261121T041500-{number:06}"


@pytest.fixture
def night(
    stumbling_lake: LakeAddress, tiny_bundle: Bundle, spark: SparkSession, calm: CalmNight
) -> Night:
    return Night(stumbling_lake, tiny_bundle, spark, calm)


@pytest.fixture
def lake(stumbling_lake: LakeAddress) -> Lake:
    return open_lake(stumbling_lake)


REQUESTS: dict[str, tuple[str, bool, Callable[[Lake], object]]] = {
    "list": ("GET", True, lambda lake: list(lake.list_objects("incoming/"))),
    "read": ("GET", False, lambda lake: lake.read(ONE)),
    "head": ("HEAD", False, lambda lake: lake.head(ONE)),
    "write": ("PUT", False, lambda lake: lake.write("runs/a", b"x", if_absent=True)),
}


def attempts_after(
    fault: Fault,
    kind: str,
    proxy: FaultProxy,
    lake: Lake,
    times: int = 1,
) -> int:
    method, listing, ask = REQUESTS[kind]
    proxy.inject(fault, methods=frozenset({method}), listing=listing, times=times)
    assert ask(lake)
    return sum(one.method == method and one.is_listing == listing for one in proxy.requests)


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_without_an_answer_in_time_is_made_again(
    kind: str, proxy: FaultProxy, lake: Lake
) -> None:
    assert attempts_after(stay_silent, kind, proxy, lake) == 2


@pytest.mark.parametrize("kind", ["list", "read"])
def test_a_connection_that_breaks_in_the_middle_of_the_body_is_made_again(
    kind: str,
    proxy: FaultProxy,
    lake: Lake,
) -> None:
    assert attempts_after(reset_in_mid_body, kind, proxy, lake, times=2) == 3


@pytest.mark.parametrize("kind", REQUESTS)
@pytest.mark.parametrize(("status", "code"), [(503, "SlowDown"), (500, "InternalError")])
def test_an_overloaded_storage_is_asked_again_with_back_off(
    kind: str,
    status: int,
    code: str,
    proxy: FaultProxy,
    lake: Lake,
) -> None:
    assert attempts_after(answer_error(status, code), kind, proxy, lake, times=2) == 3


def test_an_object_that_only_trickles_in_is_given_up(
    proxy: FaultProxy,
    stumbling_lake: LakeAddress,
    s3_server: S3Server,
) -> None:
    bucket = stumbling_lake.url
    slow = open_lake(
        S3Server(proxy.endpoint_url).address(bucket, read_timeout_seconds=0.5, attempts=1)
    )
    proxy.inject(trickle, key=ONE)

    with pytest.raises(StorageUnavailableError, match="ReadTimeoutError"):
        slow.read(ONE)

    assert open_lake(s3_server.address(bucket)).read(ONE)


def test_a_write_whose_answer_got_lost_is_no_other_writer_s(proxy: FaultProxy, lake: Lake) -> None:
    proxy.inject(lose_answer, methods=frozenset({"PUT"}), times=2)

    etag = lake.write("runs/lease.json", b"mine", if_absent=True)

    found = lake.head("runs/lease.json")
    assert found is not None
    assert found.etag == etag
    assert proxy.count("PUT", "runs/lease.json") == 3


def test_a_lease_whose_renewal_never_heard_an_answer_is_still_held(
    proxy: FaultProxy,
    lake: Lake,
) -> None:
    with NightLease(lake, BUSY_NIGHT, "run-1", LeaseTerms(300, lambda: FOUR_O_CLOCK)) as held:
        proxy.inject(lose_answer, methods=frozenset({"PUT"}), times=3)
        with pytest.raises(StorageUnavailableError):
            held.renew()

        held.assert_held()


def test_a_night_on_a_storage_that_stumbles_everywhere_gives_the_same_rows(
    proxy: FaultProxy,
    night: Night,
) -> None:
    for key, fault in zip(
        IMAGES,
        (
            stay_silent,
            reset_in_mid_body,
            answer_error(503, "SlowDown"),
            answer_error(500, "InternalError"),
            answer_error(429, "TooManyRequests"),
            lose_answer,
        ),
        strict=True,
    ):
        proxy.inject(fault, key=key, times=1)
    for method in sorted(ALL_METHODS):
        proxy.inject(answer_error(503, "SlowDown"), methods=frozenset({method}), times=1)
    proxy.inject(reset_in_mid_body, listing=True, times=1)
    proxy.inject(lose_answer, methods=frozenset({"PUT"}), key="results.parquet", times=1)

    night.run()

    night.assert_calm()


LASTING = {
    "denied": answer_error(403, "AccessDenied"),
    "archived": answer_error(403, "InvalidObjectState"),
    "always reset in mid-body": reset_in_mid_body,
    "always an error": answer_error(500, "InternalError"),
}


@pytest.mark.parametrize("name", LASTING)
def test_an_object_that_alone_cannot_be_had_is_not_retrieved(
    name: str,
    proxy: FaultProxy,
    lake: Lake,
) -> None:
    proxy.inject(LASTING[name], key=ONE)

    with pytest.raises(NotRetrievedError):
        fetch_object(lake, listed(lake, ONE))

    assert fetch_object(lake, listed(lake, IMAGES[0]))


def test_an_object_that_is_deleted_between_listing_and_reading_is_not_retrieved(
    lake: Lake,
) -> None:
    source = listed(lake, ONE)
    lake.delete(ONE)

    with pytest.raises(NotRetrievedError, match="NoSuchKey"):
        fetch_object(lake, source)


def test_an_object_that_is_replaced_between_listing_and_reading_is_not_scored_as_the_old_one(
    lake: Lake,
) -> None:
    source = listed(lake, ONE)
    lake.write(ONE, lake.read(IMAGES[0]))

    with pytest.raises(NotRetrievedError, match="PreconditionFailed"):
        fetch_object(lake, source)


def listed(lake: Lake, key: str) -> LakeObject:
    return next(item for item in lake.list_objects("incoming/") if item.key == key)


def test_objects_that_cannot_be_had_cost_their_own_rows_and_are_tried_again_by_the_next_run(
    proxy: FaultProxy,
    night: Night,
    s3_server: S3Server,
) -> None:
    behind = open_lake(s3_server.address(night.address.url))
    gone, lasting = IMAGES[0], dict(zip(IMAGES[1:], LASTING.values(), strict=False))
    content = behind.read(gone)
    proxy.inject(do_first(lambda: behind.delete(gone)), key=gone, times=1)
    for key, fault in lasting.items():
        proxy.inject(fault, key=key)

    night.run(1)

    rows, calm = night.rows, night.calm.rows
    is_lost = rows["object_key"].isin([gone, *lasting])
    assert rows[is_lost]["reason"].tolist() == ["not_retrieved"] * 5
    assert rows[is_lost]["decision"].tolist() == ["flagged"] * 5
    pd.testing.assert_frame_equal(rows[~is_lost], calm[~is_lost], check_exact=True)

    proxy.heal()
    behind.write(gone, content)
    night.run(2)

    night.assert_calm()


@pytest.mark.parametrize("kind", REQUESTS)
def test_expired_credentials_are_named_whatever_was_asked(
    kind: str, proxy: FaultProxy, lake: Lake
) -> None:
    refuse_everything(proxy, answer_error(400, "ExpiredToken"))

    with pytest.raises(AccessDeniedError, match="ExpiredToken"):
        REQUESTS[kind][2](lake)


def refuse_everything(proxy: FaultProxy, fault: Fault) -> None:
    proxy.inject(fault, methods=ALL_METHODS)
    proxy.inject(fault, listing=True)


@pytest.mark.parametrize(
    ("fault", "error", "advice"),
    [
        pytest.param(
            answer_error(400, "ExpiredToken"),
            AccessDeniedError,
            "AWS_SESSION_TOKEN",
            id="credentials expire",
        ),
        pytest.param(
            answer_error(503, "SlowDown"),
            StorageUnavailableError,
            "finished shards are kept",
            id="storage goes away",
        ),
    ],
)
def test_what_ends_a_run_half_way_publishes_nothing_and_the_next_goes_on_from_its_shards(
    fault: Fault,
    error: type[TriageError],
    advice: str,
    proxy: FaultProxy,
    night: Night,
) -> None:
    keys = sorted(night.calm.rows["object_key"].unique())
    half = len(keys) // SHARDS

    def refuse_once_the_first_shard_is_stored() -> None:
        give_up = time.monotonic() + 60
        while not any(one.method == "PUT" and "/shards/" in one.key for one in proxy.requests):
            assert time.monotonic() < give_up
            time.sleep(0.05)
        refuse_everything(proxy, fault)

    proxy.inject(do_first(refuse_once_the_first_shard_is_stored), key=keys[half], times=1)

    with pytest.raises(error, match=advice):
        night.run(1)

    proxy.heal()
    assert not night.is_published
    proxy.requests.clear()
    # The first run could not let its lease go, and its process, this one, lives on.
    night.run(2, now=lambda: utc_now() + timedelta(seconds=301))
    night.assert_calm()
    asked_for = [key for key in keys if proxy.count("GET", key)]
    assert asked_for == keys[half:]


def test_a_listing_that_comes_back_shorter_than_the_published_night_is_not_published(
    proxy: FaultProxy,
    night: Night,
) -> None:
    night.run_driver(1)
    proxy.inject(leave_out(ONE), listing=True)

    with pytest.raises(NightShrankError, match="8 objects, and 1 of them are no longer listed"):
        night.run_driver(2)

    night.assert_calm()


@pytest.mark.parametrize("key", ["/shards/", "studies.parquet", "results.parquet"])
def test_a_storage_that_is_full_ends_the_run_and_leaves_what_was_published(
    key: str,
    proxy: FaultProxy,
    night: Night,
) -> None:
    if key != "/shards/":
        night.run_driver(1)
    proxy.inject(answer_error(507, "XMinioStorageFull"), methods=frozenset({"PUT"}), key=key)

    with pytest.raises(OutputError, match="expected free space"):
        night.run_driver(2, threshold=0.1)

    assert night.is_published == (key != "/shards/")
    proxy.heal()
    if night.is_published:
        night.assert_calm()
    night.run_driver(3)
    night.assert_calm()


def test_a_commit_whose_answer_got_lost_for_good_is_this_run_s_own_when_tried_again(
    proxy: FaultProxy,
    night: Night,
) -> None:
    run = open_night(small_request(night.address, night.bundle))
    scored = ScoredShards(night.calm.scores, 0, 1, 8, 1.0)
    proxy.inject(lose_answer, methods=frozenset({"PUT"}), key="results.parquet", times=2)
    proxy.inject(answer_error(503, "SlowDown"), methods=frozenset({"PUT"}), key="results.parquet")
    with pytest.raises(StorageUnavailableError):
        publish_night(run, scored, EXPLANATIONS.empty_table())

    proxy.heal()
    outcome = publish_night(run, scored, EXPLANATIONS.empty_table())
    close_night(run)

    assert outcome.rows == len(night.calm.rows)
    night.assert_calm()


def test_a_storage_that_refuses_every_object_is_one_fault_and_not_eight(
    proxy: FaultProxy,
    night: Night,
) -> None:
    proxy.inject(answer_error(403, "AccessDenied"), key="incoming/")
    limits = PublishOptions(maximum_failed_share=0.2, failed_share_from_objects=8)

    with pytest.raises(AuditError) as caught:
        night.run(1, publish=limits)

    cause = "8 are 'not_retrieved: the storage did not give the object out: AccessDenied'"
    assert "8 of 8 objects" in str(caught.value)
    assert cause in str(caught.value)
    assert not night.is_published

    night.run(2, publish=replace(limits, publish_anyway=True))

    _, metadata = read_table(open_lake(night.address), results_key(BUSY_NIGHT))
    assert (metadata["publish_anyway"], metadata["failed_objects"]) == ("true", "8")
    assert set(night.rows["decision"]) == {"flagged"}
