"""Publishing a night: decide, audit, and put the tables in place, results.parquet last.

results.parquet is the commit point: the explanations' index and the studies go first, all carry
the run id, and readers ignore those that do not match. A run killed in between leaves the old
night as it was, and the next run repairs the rest.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from jobs.decided_rows import RowStamp, audit_rows, decide_rows
from jobs.failure_pattern import describe_pattern
from jobs.lake import Lake, PreconditionFailedError
from jobs.lease import NightLease
from jobs.night_keys import explanations_index_key, results_key, studies_key
from jobs.parquet_objects import read_table, to_parquet
from jobs.schemas import EXPLANATIONS
from jobs.studies import make_studies
from model.errors import AuditError, NightShrankError, NightTakenError, NotRetrievedError
from model.reasons import Reason

FORMAT_VERSION: Final = "1"

FAILED_REASONS: Final = frozenset(
    {
        Reason.UNREADABLE,
        Reason.DECODER_CRASH,
        Reason.TIMED_OUT,
        Reason.NOT_RETRIEVED,
        Reason.INVALID_SCORE,
    },
)
"""Too many of these say that something is wrong with the job or its surroundings."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PublishLimits:
    """What may be published.

    Attributes:
        maximum_failed_share: 0..1, of objects that failed for one of `FAILED_REASONS`.
        failed_share_from_objects: smallest night that the share is judged on.
        allow_fewer: publish although objects of the published night are missing.
        publish_anyway: publish whatever the failed share is.
    """

    maximum_failed_share: float
    failed_share_from_objects: int
    allow_fewer: bool = False
    publish_anyway: bool = False


@dataclass(frozen=True)
class Publication:
    """A night, ready to be put in place.

    Attributes:
        night: which.
        stamp: what every row says of the run.
        results: `RESULTS`.
        studies: `STUDIES`.
        warnings: what an operator should know.
        failed_objects: number of objects that failed for one of `FAILED_REASONS`.
        limits: what it was judged by.
    """

    night: date
    stamp: RowStamp
    results: pa.Table
    studies: pa.Table
    warnings: tuple[str, ...]
    failed_objects: int
    limits: PublishLimits

    @property
    def objects(self) -> int:
        """How many objects the rows belong to."""
        return _count_objects(self.results)


def seen_etag(lake: Lake, night: date) -> str | None:
    """Return the etag of the published night, to be remembered from the start of a run."""
    return _etag_of(lake, results_key(night))


def _etag_of(lake: Lake, key: str) -> str | None:
    found = lake.head(key)
    return None if found is None else found.etag


def prepare_publication(
    night: date,
    inventory: pa.Table,
    scores: pa.Table,
    stamp: RowStamp,
    limits: PublishLimits,
) -> Publication:
    """Decide and audit a night. Nothing is written.

    Args:
        night: which.
        inventory: `INVENTORY`.
        scores: `SCORES` of exactly these objects.
        stamp: limits of the decision, and what is written into every row.
        limits: what may be published.

    Raises:
        AuditError: if the rows do not add up, or too many objects failed.
    """
    results, places = decide_rows(scores, stamp)
    audit_rows(results, inventory, night)
    studies = make_studies(results, places, stamp.run_id)
    failed = _failed_rows(results)
    warnings = [*_empty_night(night, inventory), *_judge_failures(night, failed, results, limits)]
    failed_objects = _count_objects(failed)
    return Publication(night, stamp, results, studies, tuple(warnings), failed_objects, limits)


def publish(
    lake: Lake,
    lease: NightLease,
    publication: Publication,
    explanations: pa.Table,
    seen: str | None,
) -> str:
    """Put a night in place and return the etag of its results.

    Args:
        lake: where.
        lease: of this night, held.
        publication: what.
        explanations: `EXPLANATIONS` of this run; their pictures are in place already.
        seen: what `seen_etag` gave when the run began.

    Raises:
        NightTakenError: if the lease is lost or another run published the night meanwhile.
        NightShrankError: if published objects would vanish.
        OutputError: if the lake cannot be written.
    """
    night = publication.night
    # Looked at before the lease: whoever takes it over from a run that sleeps changes these, and
    # the sleeper's writes then find something else than they expect.
    keys = (explanations_index_key(night), studies_key(night))
    replaced = [_etag_of(lake, key) for key in keys]
    lease.assert_held()
    found = seen_etag(lake, night)
    if found != seen:
        if found is not None and _is_own(lake, publication, found):
            return found  # of an attempt of this run that never heard the storage's answer
        raise _published_meanwhile(night)
    if seen is not None and not publication.limits.allow_fewer:
        _refuse_shrinking(lake, publication, seen)
    metadata = describe(publication)
    index = explanations.select(EXPLANATIONS.names).cast(EXPLANATIONS)
    try:
        for key, table, etag in zip(keys, (index, publication.studies), replaced, strict=True):
            _replace(lake, key, to_parquet(table, metadata), etag)
        data = to_parquet(publication.results, metadata)
        lease.assert_held()
        return _replace(lake, results_key(night), data, seen)
    except PreconditionFailedError:
        raise _published_meanwhile(night) from None


def _replace(lake: Lake, key: str, data: bytes, etag: str | None) -> str:
    return lake.write(key, data, if_absent=etag is None, if_match=etag)


def describe(publication: Publication) -> dict[str, str]:
    """Return the key-value metadata that all tables of a night carry."""
    decisions = count_values(publication.results["decision"])
    return {
        **publication.stamp.notes,
        "format_version": FORMAT_VERSION,
        "night": publication.night.isoformat(),
        "run_id": publication.stamp.run_id,
        "bundle": publication.stamp.bundle,
        "bundle_digest": publication.stamp.bundle_digest,
        "threshold": repr(publication.stamp.limits.threshold),
        "minimum_scope_score": repr(publication.stamp.limits.minimum_scope_score),
        "objects": str(publication.objects),
        "rows": str(publication.results.num_rows),
        "flagged": str(decisions.get("flagged", 0)),
        "cleared": str(decisions.get("cleared", 0)),
        "studies": str(publication.studies.num_rows),
        "failed_objects": str(publication.failed_objects),
        "publish_anyway": str(publication.limits.publish_anyway).lower(),
        "allow_fewer": str(publication.limits.allow_fewer).lower(),
    }


def count_values(column: pa.ChunkedArray) -> dict[str, int]:
    """Count how often each text stands in a column, sorted by text."""
    counted = pc.value_counts(column).to_pylist()
    return dict(sorted((item["values"], item["counts"]) for item in counted))


def _empty_night(night: date, inventory: pa.Table) -> list[str]:
    if inventory.num_rows:
        return []
    warning = (
        f"night {night} holds no objects: expected the images of one day; check that the scanners "
        "deliver to the lake, and lake.night_template"
    )
    _log.warning("%s", warning)
    return [warning]


def _failed_rows(results: pa.Table) -> pa.Table:
    """Return the rows that failed for one of `FAILED_REASONS`."""
    reasons = pa.array(sorted(str(reason) for reason in FAILED_REASONS))
    return results.filter(pc.is_in(results["reason"], value_set=reasons))


def _rows_of_others(results: pa.Table, failed: pa.Table) -> pa.Table:
    """Return the rows of objects that did not fail: nearly all, so it copies nearly all."""
    has_failed = pc.is_in(results["object_key"], value_set=failed["object_key"].unique())
    return results.filter(pc.invert(has_failed))


def _judge_failures(
    night: date,
    failed_rows: pa.Table,
    results: pa.Table,
    limits: PublishLimits,
) -> list[str]:
    failed = _count_objects(failed_rows)
    objects = _count_objects(results)
    too_many = failed > limits.maximum_failed_share * objects
    if not too_many or objects < limits.failed_share_from_objects:
        return []
    found = (
        f"{failed} of {objects} objects of night {night} failed: expected a share of at most "
        f"{limits.maximum_failed_share:g}; of those that failed, "
        f"{describe_pattern(failed_rows, _rows_of_others(results, failed_rows))}"
    )
    if limits.publish_anyway:
        return [f"{found}; published anyway, as asked"]
    message = (
        f"{found}; nothing was published; look into the cause and start the night again, or, if "
        "these objects are broken indeed, add --publish-anyway"
    )
    raise AuditError(message)


def _count_objects(rows: pa.Table) -> int:
    return int(pc.count_distinct(rows["object_key"]).as_py())


def _is_own(lake: Lake, publication: Publication, etag: str) -> bool:
    try:
        _, metadata = read_table(lake, results_key(publication.night), etag=etag, columns=[])
    except (NotRetrievedError, pa.ArrowException, OSError, ValueError):
        return False
    return metadata.get("run_id") == publication.stamp.run_id


def _refuse_shrinking(lake: Lake, publication: Publication, seen: str) -> None:
    night = publication.night
    try:
        published, _ = read_table(lake, results_key(night), etag=seen, columns=["object_key"])
    except (NotRetrievedError, pa.ArrowException, OSError, ValueError) as error:
        message = (
            f"the published night {night} cannot be read ({type(error).__name__}), so that nobody "
            "can say which objects it holds: expected a Parquet file with object_key; if it is to "
            "be replaced, allow fewer objects by the explicit flag"
        )
        raise NightShrankError(message) from None
    keys = published["object_key"].unique()
    kept = pc.is_in(keys, value_set=publication.results["object_key"].unique())
    missing = len(keys) - (pc.sum(kept).as_py() or 0)
    if missing:
        message = (
            f"night {night} was published with {len(keys)} objects, and {missing} of them are no "
            f"longer listed ({publication.objects} are): expected none to vanish; nothing was "
            "published; find out who removed them, or allow fewer objects by the explicit flag"
        )
        raise NightShrankError(message)


def _published_meanwhile(night: date) -> NightTakenError:
    message = (
        f"night {night} was published by another run while this one was at work: expected it as it "
        "was at the start; nothing was published over it; start the night again, its shards are "
        "kept"
    )
    return NightTakenError(message)
