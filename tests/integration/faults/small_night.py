"""Eight objects of the mini lake as a night: small enough to be scored again and again."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
from pyspark.sql import SparkSession

from jobs.lake import LakeAddress, open_lake
from jobs.night_run import NightOutcome, NightRequest
from jobs.published_night import read_night
from jobs.schemas import EXPLANATIONS
from jobs.score_night import close_night, open_night, publish_night, run_night, score_shards
from model.bundle import Bundle
from tests.builders import BUSY_NIGHT, MINI_LAKE, make_request
from tests.integration.spark_fixtures import ignore_progress

FOLDER: Final = f"incoming/night={BUSY_NIGHT.isoformat()}"
IMAGES: Final = tuple(
    f"{FOLDER}/neuro/study-{study}/image-{image}.jpg"
    for study in (3000, 3001, 3002)
    for image in (1, 2)
)
OTHERS: Final = (
    f"{FOLDER}/neuro/study-0007/series-1/slice-001.dcm",
    f"{FOLDER}/transfer/picture-31.jpg",  # cut off in the middle
)
SHARDS: Final = 2
CUT_OFF: Final = OTHERS[1]


@dataclass(frozen=True)
class CalmNight:
    """The small night when nothing goes wrong.

    Attributes:
        scores: what Spark computes for it, `SCORES`.
        rows: what is published.
    """

    scores: pa.Table
    rows: pd.DataFrame


@dataclass(frozen=True)
class CalmFolder:
    """The small night in a folder when nothing goes wrong.

    Attributes:
        origin: the lake before it was scored; not to be changed, copy it, times included.
        night: what becomes of it.
    """

    origin: Path
    night: CalmNight

    def copy(self, lake: Path) -> LakeAddress:
        """Copy the lake as it was before it was scored."""
        return address_of(shutil.copytree(self.origin, lake))


def address_of(folder: Path) -> LakeAddress:
    """Return the address of a lake in a folder."""
    return LakeAddress(folder.as_uri())


def fill_lake(address: LakeAddress, keys: tuple[str, ...] = IMAGES + OTHERS) -> None:
    """Put objects of the mini lake into a lake."""
    lake = open_lake(address)
    for key in keys:
        lake.write(key, (MINI_LAKE / key).read_bytes())


def small_request(address: LakeAddress, bundle: Bundle, **changes: object) -> NightRequest:
    """Ask for the night, in two shards; the changes are those of `tests.builders`."""
    request = make_request(MINI_LAKE, bundle.folder, **changes)
    engine = replace(
        request.engine,
        shard_objects=len(IMAGES + OTHERS) // SHARDS,
        # Memory that runs out while a thread starts leaves a worker that stands still.
        silence_seconds=60.0,
    )
    return replace(request, lake=address, engine=engine)


def run_small_night(
    address: LakeAddress,
    bundle: Bundle,
    spark: SparkSession,
    **changes: object,
) -> NightOutcome:
    """Score and publish the night."""
    return run_night(small_request(address, bundle, **changes), spark, ignore_progress)


def score_calmly(address: LakeAddress, bundle: Bundle, spark: SparkSession) -> CalmNight:
    """Score and publish the night step by step, and keep what Spark computed."""
    run = open_night(small_request(address, bundle))
    scored = score_shards(run, spark, ignore_progress)
    publish_night(run, scored, EXPLANATIONS.empty_table())
    close_night(run)
    return CalmNight(scored.scores, published_rows(address))


def published_rows(address: LakeAddress) -> pd.DataFrame:
    """Read the published rows without the two columns in which two runs of a night may differ."""
    published = read_night(open_lake(address), BUSY_NIGHT)
    assert published is not None
    frame: pd.DataFrame = published.results.to_pandas()
    return frame.drop(columns=["run_id", "scored_at"])


def is_published(address: LakeAddress) -> bool:
    """Whether a reader sees the night."""
    return read_night(open_lake(address), BUSY_NIGHT) is not None
