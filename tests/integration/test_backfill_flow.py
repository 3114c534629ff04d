"""A backfill in this process: real nights, real Spark, a real Prefect server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from flows.local_prefect import prepare_prefect

prepare_prefect(os.environ)  # before Prefect is imported for the first time

from prefect.artifacts import Artifact  # noqa: E402
from prefect.client.schemas.objects import State  # noqa: E402
from prefect.testing.utilities import prefect_test_harness  # noqa: E402

from flows.backfill import backfill  # noqa: E402
from jobs.lake import LakeAddress, open_lake  # noqa: E402
from jobs.registry import register_bundle  # noqa: E402
from jobs.registry_current import change_current, read_current  # noqa: E402
from jobs.registry_record import Change  # noqa: E402
from model.bundle import Bundle  # noqa: E402
from tests.builders import MINI_LAKE  # noqa: E402
from tests.unit.jobs.registry_builders import make_version  # noqa: E402

pytestmark = [pytest.mark.slow, pytest.mark.spark]

FIRST = date(2026, 11, 10)
NIGHTS = [FIRST + timedelta(days=day) for day in range(3)]
BROKEN = NIGHTS[1]
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)

PLACE = """
demo: true
lake: {{url: {lake}}}
night: {{step_retries: 0}}
engine: {{master: "local[2]", batch_size: 8, shard_objects: 15}}
bundle: {{name: tiny, cache: {cache}}}
explanation: {{enabled: false}}
publish: {{failed_share_from_objects: 1}}
schedule: {{backfill_niceness: 0}}
"""


@dataclass(frozen=True)
class Place:
    """A lake with three nights, the second of which cannot be published, and two bundles."""

    lake: Path
    settings: Path

    def run(self, **parameters: object) -> State[Any]:
        ends = {"first_night": NIGHTS[0], "last_night": NIGHTS[-1]}
        call: Callable[..., State[Any]] = backfill
        return call(**ends, **parameters, place=str(self.settings), return_state=True)

    def bundles(self) -> dict[date, str]:
        """Which bundle each published night was scored with."""
        found = {}
        for night in NIGHTS:
            path = self.lake / f"results/night={night}/results.parquet"
            if path.exists():
                found[night] = pq.read_table(path, columns=["bundle"])["bundle"][0].as_py()
        return found


@pytest.fixture(scope="module", autouse=True)
def prefect_server() -> Iterator[None]:
    with prefect_test_harness(server_startup_timeout=250):
        yield


@pytest.fixture
def place(tiny_bundle: Bundle, spark: SparkSession, tmp_path: Path) -> Place:
    assert spark  # the nights run in its session
    made = Place(tmp_path / "lake", tmp_path / "place.yaml")
    image = min((MINI_LAKE / "incoming").rglob("image-1.jpg"))
    for night in NIGHTS:
        folder = made.lake / f"incoming/night={night}"
        folder.mkdir(parents=True)
        shutil.copy(image, folder / "whole.jpg")
    for number in range(3):
        torn = made.lake / f"incoming/night={BROKEN}/torn-{number}.jpg"
        torn.write_bytes(image.read_bytes()[:200])
    store = open_lake(LakeAddress(made.lake.as_uri()))
    for bundle in (tiny_bundle, make_version(tiny_bundle, tmp_path / "made", "2")):
        register_bundle(store, bundle, NOW)
    first = Change(
        at=NOW.isoformat(), action="promote", version="1", digest=tiny_bundle.digest
    )  # fmt: skip
    change_current(store, read_current(store, "tiny"), first, NOW)
    made.settings.write_text(
        PLACE.format(lake=made.lake.as_uri(), cache=tmp_path / "cache"), "utf-8"
    )  # fmt: skip
    return made


def artifact(kind: str) -> str:
    found = Artifact.get(f"backfill-{kind}-{NIGHTS[0]}-{NIGHTS[-1]}")
    return str(found.data)  # type: ignore[union-attr]


def test_a_night_that_fails_stops_no_other_and_published_ones_are_scored_again_by_another_bundle(
    place: Place,
) -> None:
    ended = place.run(preview=False)

    assert ended.is_failed()
    assert ended.message == f"2 nights published; not: {BROKEN}. Retry runs those"
    assert place.bundles() == {NIGHTS[0]: "tiny 1", NIGHTS[2]: "tiny 1"}
    outcome = artifact("outcome")
    assert "2 published, 1 failed, of 3 nights" in outcome
    assert "3 of 4 objects" in outcome

    again = place.run(preview=True, bundle_version="2")

    assert again.message == "preview: 2 of 3 nights would run"
    assert "another bundle than asked for" in artifact("plan")
    assert place.bundles() == {NIGHTS[0]: "tiny 1", NIGHTS[2]: "tiny 1"}

    rescored = place.run(preview=False, bundle_version="2")

    assert rescored.message == "2 nights published, 1 needed nothing"
    assert place.bundles() == {NIGHTS[0]: "tiny 2", NIGHTS[2]: "tiny 2"}
