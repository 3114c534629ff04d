"""Small nights for tests: what a test leaves out is filled in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from jobs.lake import Lake, LakeAddress, open_lake
from jobs.schemas import INVENTORY, SCORES

NIGHT = date(2026, 11, 20)
FOUR_O_CLOCK = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


def folder_lake(folder: Path) -> Lake:
    """Open the lake in a folder."""
    return open_lake(LakeAddress(folder.as_uri()))


def inventory(*keys: str, etag: str = "e1") -> pa.Table:
    """List these objects."""
    rows = [{"object_key": key, "etag": etag, "size_bytes": 9} for key in sorted(keys)]
    return pa.Table.from_pylist(rows, schema=INVENTORY)


def score(key: str, **changes: object) -> dict[str, object]:
    """Make a row of `SCORES` for an image well below any threshold."""
    frame = changes.get("frame", 0)
    return {
        "image_id": f"image {key} {frame}",
        "object_key": key,
        "etag": "e1",
        "size_bytes": 9,
        "format": "png",
        "frame": 0,
        "study_id": "study",
        "counts_for_study": True,
        "study_known": True,
        "folder_id": None,
        "failure": None,
        "probability": 0.01,
        "scope_score": 0.9,
        "scored_at": FOUR_O_CLOCK,
        **changes,
    }


def failed(key: str, reason: str, **changes: object) -> dict[str, object]:
    """Make a row of `SCORES` for an object that could not be scored."""
    nothing = {"frame": None, "format": None, "probability": None, "scope_score": None}
    return score(key, failure=reason, **{**nothing, **changes})


def scores(*rows: dict[str, object]) -> pa.Table:
    """Put rows into a table."""
    return pa.Table.from_pylist(list(rows), schema=SCORES)
