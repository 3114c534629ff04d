"""Publish nights of a small lake without Spark: every other step is the night's own.

    python -m tests.published_lake LAKE BUNDLE NIGHT...

For tests of what reads published nights. Run it in a process of its own: it loads TensorFlow.
"""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from jobs import explain_night
from jobs.explain_night import ExplainingPlan, ExplainingTask, ExplanationOptions
from jobs.explaining_steps import ChosenImage, ExplainingTerms, explain_image
from jobs.identifiers import load_identifier_key
from jobs.lake import LakeObject
from jobs.night_run import NightRun
from jobs.sampling import choose_sample
from jobs.schemas import EXPLANATIONS
from jobs.score_night import (
    ScoredShards,
    close_night,
    open_night,
    publish_night,
)
from jobs.scoring_rows import rows_to_table
from jobs.scoring_steps import ScoringTools, score_objects
from jobs.scoring_udf import make_tools
from tests.builders import make_request

PERTURBATIONS = 40
EXPLAINED_IMAGES = 3


def publish_without_spark(lake: Path, bundle: Path, night: date, number: int) -> None:
    """Score and publish a night in this process."""
    request = make_request(
        lake,
        bundle,
        night=night,
        run_id=f"20261121T0415{number:02d}-000001",
        identifier_key=load_identifier_key({}, demo=True),
    )
    run = open_night(replace(request, engine=replace(request.engine, batch_size=32)))
    try:
        now = datetime.now(UTC)
        tools = make_tools(run.make_task(now))
        objects = [LakeObject(**_to_object(row)) for row in run.inventory.to_pylist()]
        scores = rows_to_table(score_objects(objects, tools))
        publish_night(
            run, ScoredShards(scores, 0, 1, scores.num_rows, 1.0), _explain(run, scores, tools)
        )
    finally:
        close_night(run)


def _to_object(row: dict[str, Any]) -> dict[str, Any]:
    return {"key": row["object_key"], "etag": row["etag"], "size_bytes": row["size_bytes"]}


def _explain(run: NightRun, scores: pa.Table, tools: ScoringTools) -> pa.Table:
    card = run.bundle.card
    terms = ExplainingTerms(
        threshold=card.threshold,
        map_threshold=card.map_threshold,
        bundle_digest=run.bundle.digest,
        preprocessing=card.preprocessing,
        perturbations=PERTURBATIONS,
        seed=1,
    )
    plan = ExplainingPlan(
        night=run.request.night,
        run_id=run.request.run_id,
        limits=run.limits,
        options=ExplanationOptions(perturbations=PERTURBATIONS, seed=1),
        task=ExplainingTask(run.make_task(datetime.now(UTC)), terms),
    )
    sample = choose_sample(scores, run.limits, EXPLAINED_IMAGES, 1).to_pylist()
    rows = []
    for image in sample:
        source = LakeObject(**_to_object(image))
        chosen = ChosenImage(
            source, image["frame"], image["image_id"], image["probability"], image["reason"]
        )
        files = asdict(explain_image(chosen, tools, terms))
        explain_night._write_files(run.lake, plan.night, files)
        rows.append(explain_night._make_row(image, files, plan))
    return pa.Table.from_pylist(rows, schema=EXPLANATIONS)


def main(arguments: list[str]) -> None:
    """Publish the nights that are named."""
    lake, bundle, *nights = arguments
    for number, night in enumerate(nights):
        publish_without_spark(Path(lake), Path(bundle), date.fromisoformat(night), number)


if __name__ == "__main__":
    main(sys.argv[1:])
