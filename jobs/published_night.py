"""Reading a published night, with only those tables that belong together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa

from jobs.lake import Lake, LakeObject
from jobs.locate_image import RESULTS_PREFIX
from jobs.night_keys import explanations_index_key, results_key, studies_key
from jobs.parquet_objects import read_table
from jobs.schemas import EXPLANATIONS, RESULTS, STUDIES, conform
from model.errors import NotRetrievedError, OutputError

_RESULTS: Final = re.compile(r"results/night=(\d{4}-\d{2}-\d{2})/results\.parquet")


@dataclass(frozen=True)
class PublishedNight:
    """What a reader sees of a night.

    Attributes:
        night: which.
        results: `RESULTS`.
        studies: `STUDIES` of the same run; None where they are of another one.
        explanations: `EXPLANATIONS` of the same run; None where they are of another one.
        metadata: of the results; see `jobs.publish.describe`.
    """

    night: date
    results: pa.Table
    studies: pa.Table | None
    explanations: pa.Table | None
    metadata: Mapping[str, str]


def list_results(lake: Lake) -> list[LakeObject]:
    """List the results of the published nights, the oldest first."""
    found = (item for item in lake.list_objects(RESULTS_PREFIX) if _RESULTS.fullmatch(item.key))
    return sorted(found, key=lambda item: item.key)


def list_published_nights(lake: Lake) -> list[date]:
    """List the published nights, the oldest first."""
    return [night_of(item) for item in list_results(lake)]


def night_of(results: LakeObject) -> date:
    """Return the night of an object that `list_results` gave.

    Raises:
        ValueError: if it is none of these.
    """
    match = _RESULTS.fullmatch(results.key)
    if match is None:
        message = "this object holds no night's results"
        raise ValueError(message)
    return date.fromisoformat(match[1])


def read_night(lake: Lake, night: date) -> PublishedNight | None:
    """Read a published night, or None if it was never published.

    Raises:
        OutputError: if its results cannot be read as the table that they should be.
    """
    if lake.head(results_key(night)) is None:
        return None
    try:
        results, metadata = read_table(lake, results_key(night))
        results = conform(results, RESULTS)
    except (NotRetrievedError, pa.ArrowException, OSError, KeyError, ValueError) as error:
        message = (
            f"the published night {night} cannot be read ({type(error).__name__}): expected "
            f"{results_key(night)} as this job writes it; run the night again"
        )
        raise OutputError(message) from None
    run_id = metadata.get("run_id")
    return PublishedNight(
        night,
        results,
        read_of_run(lake, studies_key(night), STUDIES, run_id),
        read_of_run(lake, explanations_index_key(night), EXPLANATIONS, run_id),
        metadata,
    )


def read_of_run(lake: Lake, key: str, schema: pa.Schema, run_id: str | None) -> pa.Table | None:
    """Read a table of a night, or None where it is of another run, or cannot be read."""
    try:
        table, metadata = read_table(lake, key)
        matches = run_id is not None and metadata.get("run_id") == run_id
        return conform(table, schema) if matches else None
    except (NotRetrievedError, pa.ArrowException, OSError, KeyError, ValueError):
        return None
