from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.lake import Lake
from jobs.night_drift import (
    drift_key,
    judge_night,
    list_remarks,
    read_drift,
    read_images,
    references_of,
    write_drift,
)
from jobs.night_keys import results_key
from model.bundle import open_bundle, packaged_bundle_folder
from model.drift import DriftLimits
from model.errors import OutputError
from tests.unit.jobs.night_builders import failed, folder_lake, score
from tests.unit.jobs.worklist.published import publish_rows, study

LIMITS = DriftLimits(least_nights=3, deals=199)
FIRST = date(2026, 11, 1)


def night(number: int) -> date:
    return FIRST + timedelta(days=number)


def publish_night(lake: Lake, number: int, brightness: float = 0.3) -> None:
    random = np.random.default_rng(number)
    rows = [
        score(
            f"{image}.png",
            study_id=study(image // 3),
            probability=float(random.beta(1, 4)),
            brightness=float(random.normal(brightness, 0.02)),
            width=256,
            height=256,
            manufacturer="GE",
        )
        for image in range(90)
    ]
    torn = failed("torn.dcm", "unreadable", study_id=study(99))
    publish_rows(lake, *rows, torn, night=night(number), run_id=f"run-{number}")


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = folder_lake(tmp_path)
    for number in range(5):
        publish_night(made, number)
    return made


def test_a_night_that_came_too_dark_is_said_and_written_down(lake: Lake) -> None:
    publish_night(lake, 5, brightness=0.2)

    judged = judge_night(lake, night(5), 14, LIMITS)
    write_drift(lake, judged)

    assert any("images are darker" in sentence for sentence in judged.alarms)
    assert judged.reference_nights == tuple(night(number) for number in range(5))
    assert judged.run_id == "run-5"
    assert judged.images == 91
    assert judged.numbers["brightness"] == pytest.approx(0.2, abs=0.01)
    assert judged.scanners == {"GE": 1.0}
    assert read_drift(lake, night(5)) == judged


def test_only_nights_before_a_night_are_its_history_and_only_so_many(lake: Lake) -> None:
    publish_night(lake, 6, brightness=0.1)

    judged = judge_night(lake, night(4), 3, LIMITS)

    assert judged.reference_nights == (night(1), night(2), night(3))
    assert judged.alarms == []


def test_what_stands_in_the_lake_names_no_object(lake: Lake) -> None:
    write_drift(lake, judge_night(lake, night(4), 14, LIMITS))

    written = lake.read(drift_key(night(4)))

    assert b".png" not in written
    assert b"torn" not in written


def test_nights_of_an_older_release_have_no_brightness(lake: Lake, tmp_path: Path) -> None:
    path = tmp_path / results_key(night(0))
    pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["brightness"]), path)

    images = read_images(lake, night(0))

    assert images is not None
    assert np.isnan(images.brightness).all()
    assert judge_night(lake, night(4), 14, LIMITS).alarms == []


def test_a_night_that_was_never_published_is_named(lake: Lake) -> None:
    with pytest.raises(OutputError, match="2026-11-21 was not published"):
        judge_night(lake, night(20), 14, LIMITS)


def test_a_verdict_that_cannot_be_read_is_none(lake: Lake) -> None:
    lake.write(drift_key(night(1)), b"{}")
    lake.write(drift_key(night(2)), b"no json")

    assert [read_drift(lake, night(number)) for number in range(3)] == [None] * 3


def test_the_bundle_s_own_figures_are_the_references() -> None:
    references = references_of(open_bundle(packaged_bundle_folder()).card)

    assert references["out_of_scope"] == pytest.approx(6 / 774)
    assert 0.0 < references["normals_flagged"] < 0.5
    usual = {"out_of_scope": 0.02, "flagged": 0.2}
    assert list_remarks(usual, references) == []
    assert len(list_remarks({"out_of_scope": 0.2, "flagged": 0.9}, references)) == 2
