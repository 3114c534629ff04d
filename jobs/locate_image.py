"""From an image id back to the object, for whoever may read the lake."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.lake import Lake
from jobs.night_keys import results_key
from model.errors import ConfigurationError, NotRetrievedError, OutputError

RESULTS_PREFIX: Final = "results/"
_COLUMNS: Final = ["image_id", "object_key", "frame"]


@dataclass(frozen=True)
class FoundImage:
    """Where an image is.

    Attributes:
        object_key: relative to the lake's root.
        frame: from 0; None if the object could not be opened.
    """

    object_key: str
    frame: int | None


def find_image(lake: Lake, image_id: str, night: date | None = None) -> FoundImage:
    """Look an image up in the published nights, the latest first.

    Args:
        lake: where the nights were published.
        image_id: as in results.parquet.
        night: look in this one only; None for all.

    Raises:
        ConfigurationError: if no published night holds it.
        OutputError: if a published night cannot be read.
    """
    nights = 0
    for key in _published(lake, night):
        nights += 1
        rows = _read_rows(lake, key)
        matches = rows.filter(pc.equal(rows["image_id"], image_id)).to_pylist()
        if matches:
            return FoundImage(matches[0]["object_key"], matches[0]["frame"])
    message = (
        f"no image {image_id!r} in {nights} published nights: take the id from results.parquet "
        "of this lake"
    )
    raise ConfigurationError(message)


def _read_rows(lake: Lake, key: str) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(lake.read(key)))
        # By this thread alone, see `jobs.parquet_objects.read_table`.
        return file.read(columns=_COLUMNS, use_threads=False)
    except (NotRetrievedError, pa.ArrowException) as error:
        message = (
            f"{key} cannot be read ({type(error).__name__}): expected it as this job writes it; "
            "run the night again, or name another one"
        )
        raise OutputError(message) from None


def _published(lake: Lake, night: date | None) -> Iterator[str]:
    if night is not None:
        key = results_key(night)
        return iter([key] if lake.head(key) else [])
    keys = (found.key for found in lake.list_objects(RESULTS_PREFIX))
    return iter(sorted((key for key in keys if key.endswith("/results.parquet")), reverse=True))
