"""Published nights for the worklist's tests, by the job's own steps."""

from __future__ import annotations

from datetime import date

import pyarrow as pa

from jobs.decided_rows import RowStamp
from jobs.lake import Lake
from jobs.lease import LeaseTerms, NightLease
from jobs.publish import Publication, PublishLimits, prepare_publication, publish, seen_etag
from jobs.schemas import EXPLANATIONS
from model.decision import DecisionLimits
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, NIGHT, inventory, scores

LIMITS = PublishLimits(maximum_failed_share=1.0, failed_share_from_objects=1, allow_fewer=True)


def study(number: int) -> str:
    return f"{number:024x}"


def prepare_rows(
    *rows: dict[str, object], run_id: str = "run-1", night: date = NIGHT
) -> Publication:
    """Decide rows with a threshold of 0.5; image ids become hexadecimal."""
    named = [row | {"image_id": f"{number:024x}"} for number, row in enumerate(rows)]
    keys = sorted({str(row["object_key"]) for row in rows})
    stamp = RowStamp("net 1.0", "abc", run_id, DecisionLimits(0.5, 0.5))
    return prepare_publication(night, inventory(*keys), scores(*named), stamp, LIMITS)


def publish_rows(
    lake: Lake, *rows: dict[str, object], run_id: str = "run-1", night: date = NIGHT
) -> None:
    """Publish a night."""
    lease = NightLease(lake, night, run_id, LeaseTerms(300, lambda: FOUR_O_CLOCK))
    lease.take()
    publication = prepare_rows(*rows, run_id=run_id, night=night)
    no_explanations: pa.Table = EXPLANATIONS.empty_table()
    publish(lake, lease, publication, no_explanations, seen_etag(lake, night))
    lease.release()
