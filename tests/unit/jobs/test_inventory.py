from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.inventory import list_night
from jobs.lake import LakeAddress, LakeObject
from jobs.lake_files import FolderLake
from jobs.night_keys import night_prefix, nights_parent
from jobs.schemas import INVENTORY
from model.errors import LakeNotFoundError
from tests.unit.jobs.night_builders import NIGHT, folder_lake

TEMPLATE = "incoming/night={night}/"


class ListedLake(FolderLake):
    """A lake whose listing is given."""

    def __init__(self, *objects: LakeObject) -> None:
        super().__init__(LakeAddress("file:///nowhere"), Path("/nowhere"))
        self.objects = objects
        self.prefixes: list[str] = []

    def require(self, prefix: str = "") -> None:
        self.prefixes.append(prefix)

    def list_objects(self, prefix: str) -> Iterator[LakeObject]:
        self.prefixes.append(prefix)
        return iter(self.objects)


def test_all_objects_of_the_night_are_listed_by_key_and_none_of_the_next(tmp_path: Path) -> None:
    lake = folder_lake(tmp_path)
    for key in ("b.png", "a/z.dcm", "a/b/c.dcm", "notes.txt"):
        lake.write(f"incoming/night=2026-11-20/{key}", b"123")
    lake.write("incoming/night=2026-11-21/d.png", b"123")

    listed = list_night(lake, NIGHT, TEMPLATE)

    assert listed.schema == INVENTORY
    assert listed["object_key"].to_pylist() == [
        "incoming/night=2026-11-20/a/b/c.dcm",
        "incoming/night=2026-11-20/a/z.dcm",
        "incoming/night=2026-11-20/b.png",
        "incoming/night=2026-11-20/notes.txt",
    ]
    assert listed["size_bytes"].to_pylist() == [3, 3, 3, 3]


def test_a_night_without_a_folder_has_no_objects(tmp_path: Path) -> None:
    (tmp_path / "incoming").mkdir()

    listed = list_night(folder_lake(tmp_path), NIGHT, TEMPLATE)

    assert (listed.num_rows, listed.schema) == (0, INVENTORY)


@pytest.mark.parametrize("existing", ["", "arriving"])
def test_without_the_folder_of_all_nights_the_lake_is_not_found(
    tmp_path: Path,
    existing: str,
) -> None:
    (tmp_path / "lake" / existing).mkdir(parents=True)

    with pytest.raises(LakeNotFoundError, match=r"lake\.night_template"):
        list_night(folder_lake(tmp_path / "lake"), NIGHT, TEMPLATE)


def test_only_the_markers_of_folders_are_left_out() -> None:
    lake = ListedLake(
        LakeObject("incoming/night=2026-11-20/", "e", 0),
        LakeObject("incoming/night=2026-11-20/odd/", "e", 7),
        LakeObject("incoming/night=2026-11-20/empty.dcm", "e", 0),
    )

    listed = list_night(lake, NIGHT, TEMPLATE)

    assert listed["object_key"].to_pylist() == [
        "incoming/night=2026-11-20/empty.dcm",
        "incoming/night=2026-11-20/odd/",
    ]


def test_a_template_without_a_final_slash_still_means_a_folder() -> None:
    lake = ListedLake()

    list_night(lake, date(2026, 11, 2), "incoming/{night}")

    assert lake.prefixes == ["incoming/", "incoming/2026-11-02/"]


def test_the_folder_of_all_nights_is_what_stands_before_the_nights_own() -> None:
    assert nights_parent("incoming/night={night}/") == "incoming/"
    assert nights_parent("a/b/{night}/mr/") == "a/b/"
    assert nights_parent("night={night}/") == ""
    assert night_prefix("a/{night}/mr", NIGHT) == "a/2026-11-20/mr/"


def test_two_hundred_thousand_objects_stay_small_in_memory() -> None:
    class LargeLake(ListedLake):
        def list_objects(self, prefix: str) -> Iterator[LakeObject]:
            return (LakeObject(f"{prefix}{i:09d}.dcm", "e", i) for i in range(200_000))

    lake = LargeLake()
    before = pa.total_allocated_bytes()

    listed = list_night(lake, NIGHT, TEMPLATE)

    assert listed.num_rows == 200_000
    assert pa.total_allocated_bytes() - before < 30_000_000
