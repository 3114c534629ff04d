from __future__ import annotations

from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from jobs.lake import Lake, LakeAddress, open_lake
from jobs.locate_image import FoundImage, find_image
from model.errors import ConfigurationError, OutputError


def publish(folder: Path, night: str, *rows: tuple[str, str, int | None]) -> None:
    path = folder / f"results/night={night}/results.parquet"
    path.parent.mkdir(parents=True)
    columns = {
        "image_id": pa.array([row[0] for row in rows], pa.string()),
        "object_key": pa.array([row[1] for row in rows], pa.string()),
        "frame": pa.array([row[2] for row in rows], pa.int32()),
    }
    pq.write_table(pa.table(columns), path)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    publish(tmp_path, "2026-11-19", ("aa", "incoming/night=2026-11-19/old.dcm", 0))
    publish(
        tmp_path,
        "2026-11-20",
        ("bb", "incoming/night=2026-11-20/series.dcm", 3),
        ("cc", "incoming/night=2026-11-20/broken.jpg", None),
    )
    return open_lake(LakeAddress(tmp_path.as_uri()))


def test_an_image_is_found_in_whichever_night_it_was_published(lake: Lake) -> None:
    assert find_image(lake, "aa") == FoundImage("incoming/night=2026-11-19/old.dcm", 0)
    assert find_image(lake, "bb") == FoundImage("incoming/night=2026-11-20/series.dcm", 3)


def test_an_object_that_could_not_be_opened_is_found_without_a_frame(lake: Lake) -> None:
    assert find_image(lake, "cc") == FoundImage("incoming/night=2026-11-20/broken.jpg", None)


def test_only_the_named_night_is_looked_at(lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match="no image 'aa' in 1 published nights"):
        find_image(lake, "aa", date(2026, 11, 20))


def test_a_night_that_was_not_published_holds_no_image(lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match="in 0 published nights"):
        find_image(lake, "aa", date(2026, 11, 1))


def test_an_unknown_id_is_refused_with_the_number_of_nights_looked_at(lake: Lake) -> None:
    with pytest.raises(ConfigurationError, match="no image 'zz' in 2 published nights"):
        find_image(lake, "zz")


def test_a_damaged_night_is_named(lake: Lake) -> None:
    lake.write("results/night=2026-11-21/results.parquet", b"no table")

    with pytest.raises(OutputError, match=r"results/night=2026-11-21/results\.parquet"):
        find_image(lake, "aa")
