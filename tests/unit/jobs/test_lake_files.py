from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from jobs.lake import (
    LakeAddress,
    PreconditionFailedError,
    StorageOptions,
    bucket_and_prefix,
    open_lake,
)
from model.errors import (
    AccessDeniedError,
    ConfigurationError,
    LakeNotFoundError,
    NotRetrievedError,
    OutputError,
    StorageUnavailableError,
)
from tests.unit.jobs.night_builders import folder_lake


def keys_of(folder: Path, prefix: str = "") -> list[str]:
    return sorted(item.key for item in folder_lake(folder).list_objects(prefix))


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def refuse_access(*_: object, **__: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_what_is_written_is_listed_and_read(tmp_path: Path) -> None:
    lake = folder_lake(tmp_path)

    etag = lake.write("results/night=2026-11-20/results.parquet", b"rows")

    assert [(item.key, item.etag, item.size_bytes) for item in lake.list_objects("results/")] == [
        ("results/night=2026-11-20/results.parquet", etag, 4),
    ]
    assert lake.read("results/night=2026-11-20/results.parquet", etag) == b"rows"
    assert lake.head("results/night=2026-11-20/results.parquet") == next(lake.list_objects(""))


def test_a_local_file_is_stored_with_its_content(tmp_path: Path) -> None:
    source = put(tmp_path / "elsewhere" / "model.keras", b"weights")
    lake = folder_lake(tmp_path / "lake")

    lake.write("models/a/1/model.keras", source)

    assert lake.read("models/a/1/model.keras") == b"weights"


def test_folders_of_any_depth_are_listed_and_a_prefix_may_end_inside_a_name(tmp_path: Path) -> None:
    put(tmp_path / "runs" / "a" / "b" / "c" / "deep")
    put(tmp_path / "runs" / "ab")
    put(tmp_path / "other" / "a")

    assert keys_of(tmp_path, "runs/") == ["runs/a/b/c/deep", "runs/ab"]
    assert keys_of(tmp_path, "runs/ab") == ["runs/ab"]
    assert keys_of(tmp_path, "nothing/") == []


def test_names_that_are_no_utf8_are_listed_and_read(tmp_path: Path) -> None:
    put(tmp_path / "incoming" / os.fsdecode(b"Sch\xe4del.png"), b"latin-1")
    put(tmp_path / "incoming" / "Schädel 脑\n.png", b"utf-8")
    put(tmp_path / "incoming" / "%!odd", b"looks escaped")
    put(tmp_path / "incoming" / "100%.png", b"plain")
    lake = folder_lake(tmp_path)

    found = {item.key: lake.read(item.key, item.etag) for item in lake.list_objects("incoming/")}

    assert found == {
        "incoming/%!Sch%E4del.png": b"latin-1",
        "incoming/Schädel 脑\n.png": b"utf-8",
        "incoming/%!%25%21odd": b"looks escaped",
        "incoming/100%.png": b"plain",
    }
    assert all(key.encode("utf-8") for key in found)


@pytest.mark.parametrize(
    "key",
    [
        "",
        "/etc/passwd",
        "a/../../b",
        "..",
        "a/./b",
        "a\\..\\b",
        "\\a",
        "a\0b",
        "a//b",
        "a/",
        "%!x%2Fy",
    ],
)
def test_a_key_that_could_leave_the_root_is_refused(tmp_path: Path, key: str) -> None:
    lake = folder_lake(tmp_path / "lake")

    with pytest.raises(ConfigurationError, match="a path below the lake's root"):
        lake.write(key, b"x")
    with pytest.raises(NotRetrievedError):
        lake.read(key)
    assert list(tmp_path.iterdir()) == []


def test_links_are_listed_but_not_followed_out_of_their_folder(tmp_path: Path) -> None:
    put(tmp_path / "outside" / "patient.png", b"secret")
    night = tmp_path / "lake" / "incoming" / "night"
    put(night / "own.png", b"own")
    (night / "link.png").symlink_to("own.png")
    (night / "out.png").symlink_to(tmp_path / "outside" / "patient.png")
    (night / "folder").symlink_to(tmp_path / "outside")
    (night / "broken.png").symlink_to("nowhere.png")
    (night / "loop.png").symlink_to("loop.png")
    lake = folder_lake(tmp_path / "lake")

    listed = {item.key.rpartition("/")[2]: item for item in lake.list_objects("incoming/night/")}

    assert sorted(listed) == ["broken.png", "folder", "link.png", "loop.png", "out.png", "own.png"]
    assert lake.read(listed["link.png"].key, listed["link.png"].etag) == b"own"
    for name in ("broken.png", "folder", "loop.png", "out.png"):
        with pytest.raises(NotRetrievedError):
            lake.read(listed[name].key)


def test_the_folders_at_the_root_may_be_links_to_other_disks(tmp_path: Path) -> None:
    put(tmp_path / "disk" / "night" / "a.png", b"a")
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "incoming").symlink_to(tmp_path / "disk")
    lake = folder_lake(tmp_path / "lake")

    assert [item.key for item in lake.list_objects("")] == ["incoming/night/a.png"]
    assert lake.read("incoming/night/a.png") == b"a"
    assert lake.write("incoming/night/b.png", b"b")


def test_nothing_is_written_through_a_link_further_down(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "lake" / "results").mkdir(parents=True)
    (tmp_path / "lake" / "results" / "night").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OutputError, match="leads out of the lake"):
        folder_lake(tmp_path / "lake").write("results/night/results.parquet", b"x")

    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_pipe_is_listed_and_reading_it_fails_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    lake = folder_lake(tmp_path)

    assert [item.key for item in lake.list_objects("")] == ["pipe.png"]
    with pytest.raises(NotRetrievedError, match="no regular file"):
        lake.read("pipe.png")


def test_an_object_that_changed_or_went_after_listing_is_not_retrieved(tmp_path: Path) -> None:
    path = put(tmp_path / "smith^john.png", b"first")
    lake = folder_lake(tmp_path)
    listed = next(lake.list_objects(""))
    path.write_bytes(b"second")

    with pytest.raises(NotRetrievedError, match="changed"):
        lake.read(listed.key, listed.etag)
    path.unlink()
    with pytest.raises(NotRetrievedError) as caught:
        lake.read(listed.key, listed.etag)

    assert "smith" not in str(caught.value)


def test_an_object_without_permission_is_not_retrieved(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(tmp_path / "smith^john.png")
    # Faked, for root may read everything.
    monkeypatch.setattr(os, "open", refuse_access)

    with pytest.raises(NotRetrievedError, match="Permission denied") as caught:
        folder_lake(tmp_path).read("smith^john.png")

    assert "smith" not in str(caught.value)


def test_a_folder_without_permission_stops_the_listing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "scandir", refuse_access)
    lake = folder_lake(tmp_path)

    with pytest.raises(AccessDeniedError, match="read and list permission"):
        list(lake.list_objects("incoming/"))
    with pytest.raises(AccessDeniedError, match="read and list permission"):
        lake.require()


def test_a_broken_mount_is_storage_that_is_not_available(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stale(*_: object) -> None:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(os, "scandir", stale)

    with pytest.raises(StorageUnavailableError, match=r"Stale file handle.*mounted"):
        list(folder_lake(tmp_path).list_objects("incoming/"))


def test_a_missing_lake_is_named_with_its_folder(tmp_path: Path) -> None:
    with pytest.raises(LakeNotFoundError, match=r"no folder .*/absent"):
        folder_lake(tmp_path / "absent").require()


def test_a_missing_folder_of_a_lake_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()
    lake = folder_lake(tmp_path)

    lake.require("incoming/")
    with pytest.raises(LakeNotFoundError):
        lake.require("arriving/")


def test_of_two_writers_that_want_no_object_there_one_wins(tmp_path: Path) -> None:
    lake = folder_lake(tmp_path)
    outcomes: list[str] = []
    start = threading.Barrier(8)

    def write(number: int) -> None:
        start.wait()
        try:
            lake.write("runs/lease.json", b"%d" % number, if_absent=True)
            outcomes.append("written")
        except PreconditionFailedError:
            outcomes.append("refused")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["refused"] * 7 + ["written"]


def test_a_write_that_expects_another_etag_changes_nothing(tmp_path: Path) -> None:
    lake = folder_lake(tmp_path)
    first = lake.write("a", b"first")
    second = lake.write("a", b"second", if_match=first)

    with pytest.raises(PreconditionFailedError, match="another writer"):
        lake.write("a", b"third", if_match=first)

    assert lake.read("a", second) == b"second"


def test_a_write_that_expects_an_object_does_not_create_one(tmp_path: Path) -> None:
    lake = folder_lake(tmp_path)

    with pytest.raises(PreconditionFailedError):
        lake.write("a", b"x", if_match="1-1")

    assert lake.head("a") is None


def test_without_hard_links_a_conditional_write_still_works(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    lake = folder_lake(tmp_path)

    lake.write("a", b"first", if_absent=True)
    with pytest.raises(PreconditionFailedError):
        lake.write("a", b"second", if_absent=True)

    assert lake.read("a") == b"first"


def test_a_failed_write_leaves_the_old_object_and_no_other_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = folder_lake(tmp_path)
    lake.write("results/rows", b"old")

    def disk_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", disk_full)
    with pytest.raises(OutputError, match="No space left on device"):
        lake.write("results/rows", b"new")

    assert lake.read("results/rows") == b"old"
    names = sorted(path.name for path in (tmp_path / "results").iterdir())
    assert names == [".mri-triage.lock", "rows"]


def test_files_of_an_unfinished_write_are_no_objects(tmp_path: Path) -> None:
    put(tmp_path / ".0123456789abcdef0123456789abcdef.mri-triage-tmp")
    put(tmp_path / ".mri-triage.lock")
    put(tmp_path / ".hidden.png")

    assert keys_of(tmp_path) == [".hidden.png"]


def test_a_folder_that_may_not_be_written_is_an_output_error(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lake = folder_lake(tmp_path)
    monkeypatch.setattr(Path, "open", refuse_access)

    with pytest.raises(OutputError, match=r"Permission denied.*write permission"):
        lake.write("results/rows", b"x")


def test_a_file_where_a_folder_should_be_is_an_output_error(tmp_path: Path) -> None:
    put(tmp_path / "results")

    with pytest.raises(OutputError):
        folder_lake(tmp_path).write("results/rows", b"x")


def test_deleting_an_object_twice_is_no_error(tmp_path: Path) -> None:
    lake = folder_lake(tmp_path)
    lake.write("a", b"x")

    lake.delete("a")
    lake.delete("a")

    assert lake.head("a") is None


def test_an_object_is_located_by_a_url_that_can_be_opened(tmp_path: Path) -> None:
    assert folder_lake(tmp_path).locate("a b.png") == f"file://{tmp_path}/a%20b.png"


def test_a_relative_folder_becomes_absolute_for_the_workers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)

    lake = open_lake(LakeAddress("file://.demo/lake", StorageOptions()))

    assert lake.address.url == f"file://{tmp_path}/.demo/lake"


@pytest.mark.parametrize("url", ["", "http://lake", "/srv/lake", "file://", "s3://"])
def test_an_unknown_url_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"lake\.url"):
        open_lake(LakeAddress(url))


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_lake(LakeAddress("s3://AKIA:hunter2@bucket/prefix"))

    assert "hunter2" not in str(caught.value)


def test_a_bucket_url_is_split_into_bucket_and_prefix() -> None:
    assert bucket_and_prefix("s3://mri-lake") == ("mri-lake", "")
    assert bucket_and_prefix("s3://mri-lake/") == ("mri-lake", "")
    assert bucket_and_prefix("s3://mri-lake/a/b/") == ("mri-lake", "a/b/")
