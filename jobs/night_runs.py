"""The runs of a night as they wrote themselves down: ``runs/<night>/<run_id>/run.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from jobs.lake import Lake
from jobs.night_keys import RUN_RECORD, runs_prefix
from model.errors import NotRetrievedError

PUBLISHED: Final = "published"


@dataclass(frozen=True)
class RunRecord:
    """One attempt at a night.

    Attributes:
        run_id: begins with the time, UTC, so that ids sort by it.
        state: ``open``, ``published`` or ``stopped``; ``open`` for ever if the run was killed.
        written_at: when the run last wrote.
        failed_because: one sentence without names or keys; None if nothing was said.
        outcome: the counts of `NightOutcome`; empty unless published.
        objects: that were listed.
        seconds: by step.
    """

    run_id: str
    state: str
    written_at: datetime
    failed_because: str | None
    outcome: Mapping[str, Any]
    objects: int
    seconds: Mapping[str, float]


def list_runs(lake: Lake, night: date) -> list[RunRecord]:
    """Return the runs of a night, the oldest first; records that cannot be read are left out."""
    prefix = runs_prefix(night)
    keys = (item.key for item in lake.list_objects(prefix))
    names = sorted(key for key in keys if key.endswith(f"/{RUN_RECORD}"))
    records = (_read_run(lake, key) for key in names)
    return [record for record in records if record is not None]


def _read_run(lake: Lake, key: str) -> RunRecord | None:
    try:
        content = json.loads(lake.read(key))
        return RunRecord(
            run_id=str(content["run_id"]),
            state=str(content["state"]),
            written_at=datetime.fromisoformat(content["written_at"]),
            failed_because=content.get("failed_because"),
            outcome=content.get("outcome") or {},
            objects=int(content["objects"]),
            seconds=content.get("seconds") or {},
        )
    except (NotRetrievedError, ValueError, KeyError, TypeError):
        return None
