"""Where everything of a night lies in the lake. Keys are relative to the lake's root."""

from __future__ import annotations

from datetime import date
from typing import Final

RUN_RECORD: Final = "run.json"
"""Name of what a run writes down about itself."""

BACKFILLS_PREFIX: Final = "backfills/"
"""The folder of what backfills have finished."""


def night_prefix(template: str, night: date) -> str:
    """Return the folder of a night's objects, ending in a slash."""
    return template.format(night=night.isoformat()).rstrip("/") + "/"


def nights_parent(template: str) -> str:
    """Return the folder that holds the folders of the nights; empty for the lake's root."""
    before = template.split("{night}", maxsplit=1)[0]
    folder, slash, _ = before.rpartition("/")
    return folder + slash


def results_key(night: date) -> str:
    """Return the key of the night's rows, the commit point."""
    return f"results/night={night.isoformat()}/results.parquet"


def studies_key(night: date) -> str:
    """Return the key of the night's studies."""
    return f"studies/night={night.isoformat()}/studies.parquet"


def explanations_prefix(night: date) -> str:
    """Return the folder of the night's explanations, ending in a slash."""
    return f"explanations/night={night.isoformat()}/"


def explanations_index_key(night: date) -> str:
    """Return the key of the table of explained images."""
    return f"{explanations_prefix(night)}index.parquet"


def dicom_prefix(night: date) -> str:
    """Return the folder of a night's DICOM objects, which name patients; see SECURITY.md."""
    return f"dicom/night={night.isoformat()}/"


def lease_key(night: date) -> str:
    """Return the key of the lease on a night."""
    return f"runs/{night.isoformat()}/lease.json"


def shards_prefix(night: date) -> str:
    """Return the folder of the night's shards, ending in a slash."""
    return f"runs/{night.isoformat()}/shards/"


def shard_key(night: date, name: str) -> str:
    """Return the key of one shard."""
    return f"{shards_prefix(night)}{name}.parquet"


def run_prefix(night: date, run_id: str) -> str:
    """Return the folder of one attempt at a night, ending in a slash."""
    return f"runs/{night.isoformat()}/{run_id}/"


def runs_prefix(night: date) -> str:
    """Return the folder of all that runs of a night keep, ending in a slash."""
    return f"runs/{night.isoformat()}/"


def backfill_key(backfill_id: str) -> str:
    """Return the key of what a backfill has finished."""
    return f"{BACKFILLS_PREFIX}{backfill_id}.json"
