"""A night, step by step, callable without Prefect.

open (lease, inventory) -> shards (reuse, score what is missing) -> explanations -> publish -> close
"""

from __future__ import annotations

import json
import logging
import time
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.audited_publication import told_to_audit_log
from jobs.code_version import code_version
from jobs.decided_rows import RowStamp
from jobs.explain_night import ExplainingPlan, ExplainingTask, explain_scores
from jobs.explaining_steps import ExplainingTerms
from jobs.inventory import list_night
from jobs.lake import open_lake
from jobs.lease import LeaseTerms, NightLease
from jobs.night_engine import choose_limits, limits_of, make_ready
from jobs.night_keys import (
    RUN_RECORD,
    explanations_prefix,
    results_key,
    run_prefix,
    studies_key,
)
from jobs.night_run import (
    NightOutcome,
    NightRequest,
    NightRun,
    OnProgress,
    Progress,
    PublishOptions,
)
from jobs.night_shards import ScoredShards, score_shards
from jobs.parquet_objects import write_table
from jobs.publish import Publication, count_values, prepare_publication, publish, seen_etag
from jobs.scoring_udf import DecodingOptions
from jobs.spark_session import EngineOptions
from model.errors import TriageError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = [
    "DecodingOptions",
    "EngineOptions",
    "NightOutcome",
    "NightRequest",
    "NightRun",
    "Progress",
    "PublishOptions",
    "ScoredShards",
    "choose_limits",
    "close_night",
    "describe_failure",
    "explain_sample",
    "open_night",
    "publish_night",
    "run_night",
    "score_shards",
]

LOG = logging.getLogger(__name__)


def run_night(
    request: NightRequest,
    spark: SparkSession,
    on_progress: OnProgress,
) -> NightOutcome:
    """Do a whole night.

    Args:
        request: what to do.
        spark: the session.
        on_progress: told how far each step is.

    Raises:
        TriageError: see `model.errors`; nothing has been published then.
    """
    run = open_night(request)
    try:
        on_progress(Progress("list", run.inventory.num_rows, run.inventory.num_rows))
        scored = score_shards(run, spark, on_progress)
        explanations = explain_sample(run, scored, spark, on_progress)
        outcome = publish_night(run, scored, explanations)
        on_progress(Progress("publish", run.inventory.num_rows, run.inventory.num_rows))
    except BaseException as error:
        run.failed_because = describe_failure(error)
        raise
    finally:
        close_night(run)
    return outcome


def open_night(request: NightRequest) -> NightRun:
    """Verify the bundle, take the lease, list the night, and write down what is to be done.

    Raises:
        BundleError: if the bundle cannot be used.
        ConfigurationError: if the threshold is above the bundle's.
        LakeNotFoundError: if there is no lake, or no folder of nights in it.
        NightTakenError: if another run holds the night.
    """
    # Inside the function: opening a bundle may load Keras, importing this module must not.
    from jobs.registry_bundles import open_source  # noqa: PLC0415

    started_at, begin = request.now(), time.monotonic()
    lake = open_lake(request.lake)
    lake.require()
    bundle = open_source(lake, request.bundle)
    limits = choose_limits(limits_of(bundle, request.inference), request.threshold)
    derived = make_ready(bundle, request.inference, request.engine.batch_size)
    terms = LeaseTerms(request.publish.lease_seconds, request.now)
    lease = NightLease(lake, request.night, request.run_id, terms)
    lease.take()
    try:
        inventory = list_night(lake, request.night, request.night_template)
        run = NightRun(
            request=request,
            lake=lake,
            bundle=bundle,
            limits=limits,
            lease=lease,
            inventory=inventory,
            seen_etag=seen_etag(lake, request.night),
            started_at=started_at,
            derived=derived,
            seconds={"list": time.monotonic() - begin},
        )
        write_table(lake, _run_key(run, "inventory.parquet"), inventory, {"run_id": request.run_id})
        _write_run(run, "open")
    except BaseException:
        lease.release()
        raise
    LOG.info("night %s: %d objects listed", request.night, inventory.num_rows)
    return run


def explain_sample(
    run: NightRun,
    scored: ScoredShards,
    spark: SparkSession,
    on_progress: OnProgress,
) -> pa.Table:
    """Explain a sample of the flagged images; see `jobs.explain_night`.

    Returns:
        A table with the schema `jobs.schemas.EXPLANATIONS`.
    """
    plan = plan_explaining(run)
    with run.timed("explain"):
        return explain_scores(
            spark,
            run.lake,
            scored.scores,
            plan,
            lambda done, total: on_progress(Progress("explain", done, total)),
        )


def plan_explaining(run: NightRun) -> ExplainingPlan:
    """Gather what explanations of this night need."""
    request = run.request
    terms = ExplainingTerms(
        threshold=run.limits.threshold,
        map_threshold=run.bundle.card.map_threshold,
        bundle_digest=run.bundle.digest,
        preprocessing=run.bundle.card.preprocessing,
        perturbations=request.explanation.perturbations,
        seed=request.explanation.seed,
    )
    return ExplainingPlan(
        night=request.night,
        run_id=request.run_id,
        limits=run.limits,
        options=request.explanation,
        task=ExplainingTask(run.make_task(request.now()), terms),
    )


def publish_night(run: NightRun, scored: ScoredShards, explanations: pa.Table) -> NightOutcome:
    """Decide, audit and put the night in place, the results last; see `jobs.publish`.

    Raises:
        AuditError: if the rows do not add up, or too many objects failed.
        NightTakenError: if the lease is lost or another run published the night meanwhile.
        NightShrankError: if published objects would vanish.
        OutputError: if the lake cannot be written.
    """
    request = run.request
    with run.timed("publish"):
        publication = prepare_publication(
            request.night,
            run.inventory,
            scored.scores,
            stamp_of(run),
            request.publish.limits,
        )
        with told_to_audit_log(run.lake, publication, request.now):
            publish(run.lake, run.lease, publication, explanations, run.seen_etag)
    run.outcome = _make_outcome(run, scored, publication)
    return run.outcome


def close_night(run: NightRun) -> None:
    """Write down how the run ended, and let the lease go."""
    try:
        _write_run(run, "published" if run.outcome else "stopped")
    except TriageError as error:
        # The night is published, or is about to fail with an error that says more than this one.
        LOG.warning("how the run ended could not be written down: %s", error)
    finally:
        run.lease.release()


def describe_failure(error: BaseException) -> str:
    """Say why a run failed; errors that are not this project's own may quote keys or headers."""
    own = isinstance(error, TriageError)
    return f"{type(error).__name__}: {error}" if own else type(error).__name__


def stamp_of(run: NightRun) -> RowStamp:
    """Return what every published row says of this run."""
    override = run.request.threshold
    return RowStamp(
        limits=run.limits,
        bundle=run.bundle_name,
        bundle_digest=run.bundle.digest,
        run_id=run.request.run_id,
        notes={
            "bundle_threshold": repr(run.bundle.card.limits.threshold),
            "threshold_override": "" if override is None else repr(override),
            "identifier_key_id": run.request.identifier_key.key_id,
            "code_version": code_version(),
        },
    )


def _make_outcome(
    run: NightRun,
    scored: ScoredShards,
    publication: Publication,
) -> NightOutcome:
    request = run.request
    night, results = request.night, publication.results
    keys = (results_key(night), studies_key(night), explanations_prefix(night))
    results_url, studies_url, explanations_url = (run.lake.locate(key.rstrip("/")) for key in keys)
    return NightOutcome(
        night=night,
        run_id=request.run_id,
        objects=publication.objects,
        rows=results.num_rows,
        by_decision=count_values(results["decision"]),
        by_reason=count_values(results["reason"]),
        studies_by_decision=count_values(publication.studies["decision"]),
        seconds=dict(run.seconds),
        images_per_second=scored.images_scored / scored.seconds if scored.seconds else 0.0,
        results_key=keys[0],
        results_url=results_url,
        studies_key=keys[1],
        studies_url=studies_url,
        explanations_prefix=keys[2],
        explanations_url=explanations_url,
        warnings=list(publication.warnings),
        threshold=run.limits.threshold,
        bundle=run.bundle_name,
        bundle_digest=run.bundle.digest,
        shards_reused=scored.shards_reused,
        shards_scored=scored.shards_scored,
        stages=run.stages,
    )


def _write_run(run: NightRun, state: str) -> None:
    content = json.dumps(run.describe(state), indent=1, sort_keys=True)
    run.lake.write(_run_key(run, RUN_RECORD), content.encode())


def _run_key(run: NightRun, name: str) -> str:
    return f"{run_prefix(run.request.night, run.request.run_id)}{name}"
