"""Explain images of a night that is published already: those asked for, all flagged, or a sample.

The scores are those of the published rows; nothing is scored or decided anew. Images that were
explained before keep their place in the night's index, so that asking twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from jobs.audit_log import Fact, record_event
from jobs.cluster import ship_to_workers
from jobs.contact_sheet import write_contact_sheet
from jobs.explain_night import explain_images
from jobs.lake import open_lake
from jobs.lease import LeaseTerms, NightLease
from jobs.night_keys import explanations_index_key
from jobs.night_run import NightRequest, NightRun
from jobs.parquet_objects import write_table
from jobs.published_night import PublishedNight, read_night
from jobs.sampling import ASKED, EXPLAINABLE, SAMPLE_COLUMNS, choose_sample
from jobs.schemas import EXPLANATIONS, INVENTORY
from jobs.score_night import plan_explaining
from model.decision import DECIDED_BY_SCORE, DecisionLimits
from model.errors import BundleError, ConfigurationError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from model.bundle import Bundle

Record: TypeAlias = dict[str, Any]

NOTHING_TO_EXPLAIN: Final = "{reason}: the image has no score, so there is nothing to explain"


@dataclass(frozen=True)
class Wanted:
    """Which images are explained.

    Attributes:
        image_ids: these; with none, a sample or all.
        everything: all that are flagged for a score.
    """

    image_ids: tuple[str, ...] = ()
    everything: bool = False


@dataclass
class OpenExplaining:
    """A published night whose images are about to be explained, under its lease.

    Attributes:
        run: what scored the night, its request carrying the published run's id.
        night: as it is published.
        sample: rows to explain.
        silent: rows asked for that hold no score.
    """

    run: NightRun
    night: PublishedNight
    sample: list[Record]
    silent: list[Record]


def open_explaining(request: NightRequest, wanted: Wanted) -> OpenExplaining:
    """Read the night, verify that its bundle is at hand, choose the images, take the lease.

    Raises:
        ConfigurationError: if the night is not published, or an image is not in it.
        BundleError: if the night was scored by another bundle than the one in use.
        NightTakenError: if a run holds the night.
    """
    # Inside the function: opening a bundle may load Keras, importing this module must not.
    from jobs.registry_bundles import open_source  # noqa: PLC0415

    lake = open_lake(request.lake)
    lake.require()
    night = read_night(lake, request.night)
    if night is None:
        message = (
            f"night {request.night} is not published in this lake: expected its results; run "
            "mri-triage night first, or name another night"
        )
        raise ConfigurationError(message)
    bundle = open_source(lake, request.bundle)
    require_same_bundle(night, bundle)
    limits = DecisionLimits(
        float(night.metadata["threshold"]), float(night.metadata["minimum_scope_score"])
    )
    sample, silent = choose_wanted(night, limits, request, wanted)
    terms = LeaseTerms(request.publish.lease_seconds, request.now)
    lease = NightLease(lake, request.night, request.run_id, terms)
    lease.take()
    run = NightRun(
        request=replace(request, run_id=night.metadata["run_id"]),
        lake=lake,
        bundle=bundle,
        limits=limits,
        lease=lease,
        inventory=INVENTORY.empty_table(),
        seen_etag=None,
        started_at=request.now(),
    )
    return OpenExplaining(run, night, sample, silent)


def require_same_bundle(night: PublishedNight, bundle: Bundle) -> None:
    """Refuse to explain the scores of one model by another.

    Raises:
        BundleError: if the night was scored by another bundle.
    """
    scored_by = night.metadata["bundle_digest"]
    if bundle.digest != scored_by:
        message = (
            f"night {night.night} was scored by {night.metadata['bundle']}, digest "
            f"{scored_by[:12]}, and the bundle in use has {bundle.digest[:12]}: an explanation "
            "must come from the model that scored; name that bundle in the settings "
            "(bundle.version or bundle.location), or score the night again"
        )
        raise BundleError(message)


def choose_wanted(
    night: PublishedNight,
    limits: DecisionLimits,
    request: NightRequest,
    wanted: Wanted,
) -> tuple[list[Record], list[Record]]:
    """Return the rows to explain, and those asked for that hold no score.

    Raises:
        ConfigurationError: if an image is not in the night.
    """
    results = night.results
    if wanted.image_ids:
        rows = find_rows(night, wanted.image_ids)
    elif wanted.everything:
        reasons = pa.array(sorted(str(reason) for reason in EXPLAINABLE))
        kept = results.filter(pc.is_in(results["reason"], value_set=reasons))
        rows = kept.sort_by("image_id").to_pylist()
    else:
        options = request.explanation
        scores = results.append_column("failure", pa.array(_failures(results), pa.string()))
        sample = choose_sample(scores, limits, options.sample_size, options.seed, options.mix)
        return sample.to_pylist(), []
    named = [
        {name: row[name] for name in (*SAMPLE_COLUMNS, "reason")} | {"chosen_for": ASKED}
        for row in rows
    ]
    scored = [row for row in named if row["probability"] is not None and row["frame"] is not None]
    return scored, [row for row in named if row not in scored]


def explain_published(
    opened: OpenExplaining,
    spark: SparkSession,
    on_progress: Callable[[int, int], None],
) -> pa.Table:
    """Explain the chosen images, then put the night's index and contact sheet in place.

    Args:
        opened: see `open_explaining`; its lease is held.
        spark: the session.
        on_progress: told how many images are done, of how many.

    Returns:
        `EXPLANATIONS` of the images that were asked for now.

    Raises:
        OutputError: if the lake does not take the files.
        NightTakenError: if the lease was lost meanwhile.
    """
    run, night = opened.run, opened.night
    facts: dict[str, Fact] = {"night": night.night.isoformat(), "images": len(opened.sample)}
    record_event(run.lake, "explain", facts, run.request.now())
    if not run.request.engine.is_local:
        ship_to_workers(spark, run.bundle.folder)
    plan = plan_explaining(run)
    explained = explain_images(spark, run.lake, opened.sample, plan, on_progress)
    silent = [_silent_row(row, run) for row in opened.silent]
    asked = pa.concat_tables([explained, pa.Table.from_pylist(silent, schema=EXPLANATIONS)])
    index = merge_index(night.explanations, asked)
    run.lease.assert_held()
    write_contact_sheet(run.lake, night.night, index)
    write_table(run.lake, explanations_index_key(night.night), index, night.metadata)
    return asked


def merge_index(before: pa.Table | None, asked: pa.Table) -> pa.Table:
    """Put new rows in the place of those of the same images, the others behind; see the module.

    Args:
        before: `EXPLANATIONS` of the same run, or None.
        asked: `EXPLANATIONS`.
    """
    rows: dict[str, Record] = {}
    for row in [] if before is None else before.to_pylist():
        rows[row["image_id"]] = row
    for row in asked.to_pylist():
        known = rows.get(row["image_id"])
        rows[row["image_id"]] = row | ({"chosen_for": known["chosen_for"]} if known else {})
    return pa.Table.from_pylist(list(rows.values()), schema=EXPLANATIONS)


def find_rows(night: PublishedNight, image_ids: Sequence[str]) -> list[Record]:
    """Return the published rows of images, in the order asked for, none twice.

    Raises:
        ConfigurationError: if an image is not in the night.
    """
    wanted = list(dict.fromkeys(image_ids))
    table = night.results
    found = {
        row["image_id"]: row
        for row in table.filter(pc.is_in(table["image_id"], value_set=pa.array(wanted))).to_pylist()
    }
    if missing := [image_id for image_id in wanted if image_id not in found]:
        message = (
            f"no image {missing[0]!r} in the published night {night.night}: take the id from its "
            "results.parquet, its page or its explanations"
        )
        raise ConfigurationError(message)
    return [found[image_id] for image_id in wanted]


def _failures(results: pa.Table) -> list[str | None]:
    """Return what made a row fail before it was scored: the scores' column, of published rows."""
    by_score = {str(reason) for reason in DECIDED_BY_SCORE}
    return [None if reason in by_score else reason for reason in results["reason"].to_pylist()]


def _silent_row(row: Record, run: NightRun) -> Record:
    reason = row["reason"].replace("_", " ")
    columns = ("image_id", "study_id", "frame", "chosen_for", "reason", "probability")
    return {
        **dict.fromkeys(EXPLANATIONS.names),
        **{name: row[name] for name in columns},
        "detail": NOTHING_TO_EXPLAIN.format(reason=reason),
        "seed": run.request.explanation.seed,
        "bundle_digest": run.bundle.digest,
        "run_id": run.request.run_id,
    }
