"""What a backfill has finished, kept in the lake: a run that is started again goes on from it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date

from jobs.lake import Lake
from jobs.night_keys import backfill_key
from model.errors import NotRetrievedError, OutputError


def read_finished(lake: Lake, backfill_id: str) -> dict[date, str]:
    """Return the nights that a backfill has published, and the runs that did it.

    Raises:
        OutputError: if the record is none.
    """
    key = backfill_key(backfill_id)
    try:
        content = json.loads(lake.read(key))
        return {date.fromisoformat(night): str(run) for night, run in content.items()}
    except NotRetrievedError:
        return {}
    except (ValueError, AttributeError):
        message = f"{key} is not the record of a backfill: delete it, and the backfill begins anew"
        raise OutputError(message) from None


def write_finished(lake: Lake, backfill_id: str, finished: Mapping[date, str]) -> None:
    """Keep which nights are done."""
    content = {night.isoformat(): run_id for night, run_id in sorted(finished.items())}
    lake.write(backfill_key(backfill_id), json.dumps(content, indent=1).encode())
