import importlib
import sys
import zipimport
from pathlib import Path
from zipfile import ZipFile

import pandas as pd
import pytest

from jobs.lake import Lake, LakeObject
from jobs.scoring_udf import fetch_object, frames_of, keep_archives_as_read, objects_of
from model.errors import NotRetrievedError, StorageUnavailableError

SOURCE = LakeObject("incoming/a.png", "e1", 3)


class BusyLake:
    """A storage that never hands out the object, and does or does not answer otherwise."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers

    def read(self, key: str, etag: str | None = None) -> bytes:
        assert (key, etag) == (SOURCE.key, SOURCE.etag)
        message = "too busy"
        raise StorageUnavailableError(message)

    def require(self, prefix: str = "") -> None:
        assert prefix == ""
        if not self.answers:
            message = "no answer at all"
            raise StorageUnavailableError(message)


def busy(*, answers: bool) -> Lake:
    return BusyLake(answers=answers)  # type: ignore[return-value]


def test_one_object_that_the_storage_keeps_back_costs_only_its_row() -> None:
    with pytest.raises(NotRetrievedError):
        fetch_object(busy(answers=True), SOURCE)


def test_a_storage_that_is_down_ends_the_task() -> None:
    with pytest.raises(StorageUnavailableError, match="no answer at all"):
        fetch_object(busy(answers=False), SOURCE)


def test_references_become_objects() -> None:
    references = pd.DataFrame(
        {"object_key": ["a", "b"], "etag": ["e1", "e2"], "size_bytes": [1, 2]},
    )

    assert list(objects_of(references)) == [LakeObject("a", "e1", 1), LakeObject("b", "e2", 2)]


def test_rows_are_handed_to_spark_in_frames_of_bounded_size() -> None:
    frames = frames_of({"object_key": f"{number}"} for number in range(600))

    assert [len(frame) for frame in frames] == [256, 256, 88]


def test_the_next_task_reads_no_archive_anew_and_can_still_import_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = tmp_path / "code.zip"
    with ZipFile(archive, "w") as written:
        for name in ("imported_before", "imported_after"):
            written.writestr(f"{name}.py", "")
    monkeypatch.syspath_prepend(str(archive))
    importlib.import_module("imported_before")
    read: list[str] = []
    read_directory = vars(zipimport)["_read_directory"]

    def count(path: str) -> object:
        read.append(path)
        return read_directory(path)

    monkeypatch.setattr(zipimport, "_read_directory", count)

    keep_archives_as_read()
    importlib.invalidate_caches()  # as Spark does at the start of a task
    importlib.import_module("imported_after")

    assert str(archive) not in read
    assert "imported_after" in sys.modules
