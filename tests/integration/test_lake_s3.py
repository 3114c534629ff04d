from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jobs import lake_s3, s3_uploads
from jobs.inventory import list_night
from jobs.lake import Lake, LakeAddress, PreconditionFailedError, StorageOptions, open_lake
from jobs.lease import LeaseTerms, NightLease
from model.errors import (
    AccessDeniedError,
    ConfigurationError,
    LakeNotFoundError,
    NightTakenError,
    NotRetrievedError,
    StorageUnavailableError,
)
from tests.integration.conftest import S3Server
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, NIGHT


@pytest.fixture
def lake(s3_lake: LakeAddress) -> Lake:
    return open_lake(s3_lake)


def test_what_is_written_is_listed_and_read_below_the_prefix(
    lake: Lake,
    s3_server: S3Server,
) -> None:
    etag = lake.write("incoming/Schädel +%20 脑.png", b"pixels")

    (listed,) = lake.list_objects("incoming/")

    assert (listed.key, listed.etag, listed.size_bytes) == ("incoming/Schädel +%20 脑.png", etag, 6)
    assert lake.head(listed.key) == listed
    assert lake.read(listed.key, listed.etag) == b"pixels"
    bucket, key = lake.locate(listed.key).removeprefix("s3://").split("/", 1)
    stored = s3_server.client().get_object(Bucket=bucket, Key=key)
    assert key.startswith("hospital/lake/incoming/")
    assert stored["Body"].read() == b"pixels"


def test_more_objects_than_fit_into_a_page_are_all_listed(
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lake_s3, "PAGE_OBJECTS", 3)
    keys = [f"incoming/night=2026-11-20/{number}" for number in range(7)]
    for key in keys:
        lake.write(key, b"")
    lake.write("incoming/night=2026-11-21/0", b"")

    listed = list_night(lake, NIGHT, "incoming/night={night}/")

    assert listed["object_key"].to_pylist() == keys


def test_a_night_without_objects_is_empty_but_a_missing_folder_of_nights_is_an_error(
    lake: Lake,
) -> None:
    with pytest.raises(LakeNotFoundError, match=r"nothing lies in s3://.*/hospital/lake/incoming/"):
        list_night(lake, NIGHT, "incoming/night={night}/")
    lake.write("incoming/night=2026-11-19/a.png", b"x")

    assert list_night(lake, NIGHT, "incoming/night={night}/").num_rows == 0


def test_the_marker_that_tools_leave_for_a_folder_is_no_object_of_the_night(
    lake: Lake,
    s3_server: S3Server,
) -> None:
    bucket = lake.address.url.removeprefix("s3://").split("/")[0]
    marker = "hospital/lake/incoming/night=2026-11-20/"
    s3_server.client().put_object(Bucket=bucket, Key=marker, Body=b"")

    assert [item.key for item in lake.list_objects("")] == ["incoming/night=2026-11-20/"]
    assert list_night(lake, NIGHT, "incoming/night={night}/").num_rows == 0


def test_an_object_that_changed_or_went_after_listing_is_not_retrieved(lake: Lake) -> None:
    lake.write("incoming/smith^john.png", b"first")
    (listed,) = lake.list_objects("incoming/")
    lake.write("incoming/smith^john.png", b"second")

    with pytest.raises(NotRetrievedError, match="PreconditionFailed"):
        lake.read(listed.key, listed.etag)
    lake.delete(listed.key)
    lake.delete(listed.key)
    with pytest.raises(NotRetrievedError, match="NoSuchKey") as caught:
        lake.read(listed.key, listed.etag)

    assert "smith" not in str(caught.value)
    assert lake.head(listed.key) is None


def test_a_key_that_could_leave_the_prefix_is_refused(lake: Lake) -> None:
    with pytest.raises(ConfigurationError):
        lake.write("../other-lake/results", b"x")
    with pytest.raises(NotRetrievedError):
        lake.read("incoming/../../secret")


def test_of_two_writers_that_want_no_object_there_one_wins(lake: Lake) -> None:
    outcomes: list[str] = []
    start = threading.Barrier(6)

    def write() -> None:
        start.wait()
        try:
            lake.write("runs/lease.json", b"x", if_absent=True)
            outcomes.append("written")
        except PreconditionFailedError:
            outcomes.append("refused")

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refused"] * 5 + ["written"]


def test_the_storage_itself_judges_the_condition(
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Without the look beforehand, as when another writer comes right after it.
    monkeypatch.setattr(lake_s3.BucketLake, "_check_first", lambda *_, **__: None)
    first = lake.write("a", b"first", if_absent=True)
    lake.write("a", b"second", if_match=first)

    with pytest.raises(PreconditionFailedError):
        lake.write("a", b"third", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        lake.write("a", b"third", if_match=first)
    with pytest.raises(PreconditionFailedError):
        lake.write("absent", b"third", if_match=first)

    assert lake.read("a") == b"second"


def test_large_objects_go_up_in_parts_under_the_same_conditions(
    lake: Lake,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lake_s3, "SINGLE_PUT_BYTES", 1024)
    monkeypatch.setattr(s3_uploads, "PART_BYTES", 5 * 1024 * 1024)
    content = bytes(range(256)) * 24 * 1024
    source = tmp_path / "model.keras"
    source.write_bytes(content)

    first = lake.write("models/a", source, if_absent=True)
    with pytest.raises(PreconditionFailedError):
        lake.write("models/a", content, if_absent=True)
    lake.write("models/a", content[:-1], if_match=first)
    with pytest.raises(PreconditionFailedError):
        lake.write("models/a", content, if_match=first)

    assert first.endswith("-2")
    assert lake.read("models/a") == content[:-1]


def test_an_upload_that_fails_between_its_parts_leaves_nothing_behind(
    lake: Lake,
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lake_s3, "SINGLE_PUT_BYTES", 1)

    def first_part_only(_: object) -> Iterator[bytes]:
        yield b"first"
        raise KeyboardInterrupt

    monkeypatch.setattr(s3_uploads, "_parts", first_part_only)
    with pytest.raises(KeyboardInterrupt):
        lake.write("models/a", b"data")

    bucket = lake.address.url.removeprefix("s3://").split("/")[0]
    assert "Uploads" not in s3_server.client().list_multipart_uploads(Bucket=bucket)
    assert lake.head("models/a") is None


def test_a_part_is_large_enough_for_ten_thousand_parts_to_hold_the_object() -> None:
    assert s3_uploads.part_size(100) == 16 * 1024 * 1024
    assert s3_uploads.part_size(5 * 1024**4) * 10_000 >= 5 * 1024**4


def test_a_write_whose_answer_got_lost_is_recognised_as_its_own(
    lake: Lake,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lake_s3.BucketLake, "_check_first", lambda *_, **__: None)
    put_once = s3_uploads.put_in_one

    def put_twice(*arguments: object) -> str:
        put_once(*arguments)  # type: ignore[arg-type]
        return put_once(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(lake_s3, "put_in_one", put_twice)

    etag = lake.write("runs/lease.json", b"mine", if_absent=True)

    found = lake.head("runs/lease.json")
    assert found is not None
    assert found.etag == etag


def test_a_missing_bucket_is_named(s3_server: S3Server) -> None:
    lake = open_lake(s3_server.address("s3://no-such-bucket/lake"))

    with pytest.raises(LakeNotFoundError, match="no bucket 'no-such-bucket' at http://127"):
        lake.require()
    with pytest.raises(LakeNotFoundError):
        list(lake.list_objects("incoming/"))
    with pytest.raises(LakeNotFoundError):
        lake.read("incoming/a")
    with pytest.raises(LakeNotFoundError):
        lake.write("results/a", b"x")


def test_an_empty_bucket_is_a_lake(s3_server: S3Server) -> None:
    open_lake(s3_server.address(f"s3://{s3_server.new_bucket()}")).require()


def test_the_lease_keeps_two_runs_from_one_night_on_object_storage(lake: Lake) -> None:
    terms = LeaseTerms(300, lambda: FOUR_O_CLOCK)
    with NightLease(lake, NIGHT, "run-1", terms) as first:
        first.assert_held()
        with pytest.raises(NightTakenError, match="run-1"):
            NightLease(lake, NIGHT, "run-2", terms).take()

    with NightLease(lake, NIGHT, "run-3", terms) as third:
        third.assert_held()


def test_an_address_travels_to_another_process(s3_lake: LakeAddress) -> None:
    open_lake(s3_lake).write("a", b"x")

    there = open_lake(pickle.loads(pickle.dumps(s3_lake)))  # noqa: S301

    assert there.read("a") == b"x"


@pytest.mark.usefixtures("s3_server")
def test_a_server_that_does_not_answer_is_named_with_what_to_check() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
    lake = open_lake(LakeAddress("s3://bucket", StorageOptions(endpoint_url=endpoint, attempts=1)))

    with pytest.raises(StorageUnavailableError) as caught:
        lake.require()

    assert endpoint in str(caught.value)
    assert "lake.endpoint_url" in str(caught.value)


def test_without_credentials_access_is_denied_with_what_to_set(
    s3_server: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")

    with pytest.raises(AccessDeniedError, match="expected valid ones in AWS_ACCESS_KEY_ID"):
        open_lake(s3_server.address("s3://bucket")).require()


@pytest.mark.usefixtures("s3_server")
@pytest.mark.parametrize("endpoint", ["objects.hospital.example", "not a url"])
def test_an_endpoint_that_is_no_url_is_a_wrong_setting(endpoint: str) -> None:
    with pytest.raises(ConfigurationError, match=r"lake\.endpoint_url"):
        open_lake(LakeAddress("s3://bucket", StorageOptions(endpoint_url=endpoint)))
