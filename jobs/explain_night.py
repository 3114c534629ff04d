"""Explain a sample of a night's flagged images on Spark; the driver writes pictures and weights.

As in scoring, the workers have no side effects: pictures (some 300 KB each, a handful a night)
come back as columns, and the driver puts them into the lake.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pandas as pd
import pyarrow as pa

from jobs.contact_sheet import write_contact_sheet
from jobs.lake import Lake, LakeObject
from jobs.night_keys import explanations_prefix
from jobs.sampling import DEFAULT_MIX, choose_sample
from jobs.schemas import EXPLANATIONS
from jobs.silent_worker import ended_when_silent
from jobs.spark_jobs import read_failure
from model.decision import DecisionLimits
from model.unforeseen import quoting_nothing

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.explaining_steps import ExplainingTerms
    from jobs.scoring_udf import ScoringTask

LOG = logging.getLogger(__name__)

Record: TypeAlias = dict[str, Any]

ExplainBatches: TypeAlias = Callable[[Iterable[pd.DataFrame]], Iterable[pd.DataFrame]]
"""What ``mapInPandas`` takes."""

SAMPLED: Final = (
    "image_id string, object_key string, etag string, size_bytes long, frame int, "
    "probability double, reason string"
)
"""Columns that go to the workers."""

EXPLAINED: Final = (
    "image_id string, overlay binary, overlay_colour_blind binary, weights binary, "
    "r_squared double, stability double, inside_head double, map_agreement double, "
    "doubts string, outlines array<array<double>>, detail string, may_leave_lake boolean"
)
"""Columns that come back from them."""

FILES: Final = {
    "overlay": "overlay.png",
    "overlay_colour_blind": "overlay_colour_blind.png",
    "weights": "weights.json",
}
"""Names in an image's folder, by the column that holds their content, then their path."""

MEASURED: Final = (
    "r_squared",
    "stability",
    "inside_head",
    "map_agreement",
    "doubts",
    "outlines",
    "detail",
    "may_leave_lake",
)
"""Columns that are taken over from the workers as they are."""

IMAGES_A_JOB: Final = 32
"""Pictures of one job wait in the driver until they are written: about 30 MB."""


@dataclass(frozen=True)
class ExplanationOptions:
    """Which flagged images are explained, and how hard.

    Attributes:
        enabled: false explains none.
        sample_size: images a night.
        mix: parts of the sample by the way in which images are chosen; see `jobs.sampling`.
        perturbations: pictures scored for one explanation.
        seed: of the sample's random part and of the perturbations.
    """

    enabled: bool = True
    sample_size: int = 8
    mix: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_MIX))
    perturbations: int = 500
    seed: int = 20260101


@dataclass(frozen=True)
class ExplainingTask:
    """What travels to the workers.

    Attributes:
        scoring: the task that the night was scored with; it brings the same tools.
        terms: what holds for every explanation.
    """

    scoring: ScoringTask
    terms: ExplainingTerms


@dataclass(frozen=True)
class ExplainingPlan:
    """What the driver knows of the explanations to make.

    Attributes:
        night: whose folder the files go to.
        run_id: written into every row.
        limits: of the night's decision, an operator's threshold included.
        options: see there.
        task: what travels to the workers.
    """

    night: date
    run_id: str
    limits: DecisionLimits
    options: ExplanationOptions
    task: ExplainingTask


def explain_scores(
    spark: SparkSession,
    lake: Lake,
    scores: pa.Table,
    plan: ExplainingPlan,
    on_progress: Callable[[int, int], None],
) -> pa.Table:
    """Choose a sample, explain it and write its files; publish writes the index.

    An image that cannot be explained has a row with a detail and no files, even where the Spark
    job itself fails.

    Args:
        spark: the session.
        lake: where the files go.
        scores: see `jobs.sampling.choose_sample`.
        plan: see there.
        on_progress: told how many images are done, of how many.

    Returns:
        A table with the schema `EXPLANATIONS`, in the order of the sample.

    Raises:
        OutputError: if the lake does not take the files.
    """
    size = plan.options.sample_size if plan.options.enabled else 0
    options = plan.options
    sample = choose_sample(scores, plan.limits, size, options.seed, options.mix)
    explained = explain_images(spark, lake, sample.to_pylist(), plan, on_progress)
    if explained.num_rows:
        write_contact_sheet(lake, plan.night, explained)
    return explained


def explain_images(
    spark: SparkSession,
    lake: Lake,
    sample: Sequence[Record],
    plan: ExplainingPlan,
    on_progress: Callable[[int, int], None],
) -> pa.Table:
    """Explain given images and write their files, a few at a time; see `explain_scores`.

    Args:
        spark: the session.
        lake: where the files go.
        sample: rows with the columns that `choose_sample` returns.
        plan: see there.
        on_progress: told how many images are done, of how many.

    Returns:
        A table with the schema `EXPLANATIONS`, in the order of the sample.

    Raises:
        OutputError: if the lake does not take the files.
    """
    on_progress(0, len(sample))
    rows: list[Record] = []
    for start in range(0, len(sample), IMAGES_A_JOB):
        some = list(sample[start : start + IMAGES_A_JOB])
        explained = _explain_on_spark(spark, some, plan.task)
        for image in some:
            files = explained[image["image_id"]]
            _write_files(lake, plan.night, files)
            rows.append(_make_row(image, files, plan))
            on_progress(len(rows), len(sample))
    return pa.Table.from_pylist(rows, schema=EXPLANATIONS)


def make_explain_batches(task: ExplainingTask) -> ExplainBatches:
    """Make the function for ``mapInPandas``: columns of a sample in, `EXPLAINED` out."""

    def explain_batches(references: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        # Inside the function: the driver need not load lime, scikit-learn and scikit-image.
        from jobs.explaining_steps import ChosenImage, explain_image  # noqa: PLC0415
        from jobs.scoring_udf import make_tools  # noqa: PLC0415

        silence_seconds = task.scoring.silence_seconds
        with quoting_nothing(), ended_when_silent(silence_seconds) as show_life:
            tools = make_tools(task.scoring)
            for frame in references:
                for row in frame.to_dict("records"):
                    source = LakeObject(row["object_key"], row["etag"], int(row["size_bytes"]))
                    frame_number, probability = int(row["frame"]), float(row["probability"])
                    image = ChosenImage(
                        source, frame_number, row["image_id"], probability, row["reason"]
                    )
                    show_life()
                    yield pd.DataFrame([asdict(explain_image(image, tools, task.terms))])

    return explain_batches


def _explain_on_spark(
    spark: SparkSession,
    sample: list[Record],
    task: ExplainingTask,
) -> dict[str, Record]:
    """Return what became of every image, by its id."""
    try:
        return _run_job(spark, sample, task)
    except Exception as error:  # noqa: BLE001 - an explanation is worth less than the night
        LOG.warning("a job that explains %d images failed: %s", len(sample), read_failure(error))
    if len(sample) > 1:
        # One image may have taken a worker down with it: alone, it costs only its own row.
        parts = [_explain_on_spark(spark, [image], task) for image in sample]
        return {image_id: files for part in parts for image_id, files in part.items()}
    detail = "the Spark job that explained this image failed"
    return {
        image["image_id"]: {"image_id": image["image_id"], "detail": detail} for image in sample
    }


def _run_job(spark: SparkSession, sample: list[Record], task: ExplainingTask) -> dict[str, Record]:
    tasks = min(len(sample), spark.sparkContext.defaultParallelism)
    spark.conf.set("spark.sql.leafNodeDefaultParallelism", str(tasks))
    columns = [column.split(" ")[0] for column in SAMPLED.split(", ")]
    references = spark.createDataFrame(
        [tuple(image[name] for name in columns) for image in sample],
        SAMPLED,
    )
    explained = references.mapInPandas(make_explain_batches(task), EXPLAINED)
    files: list[Record] = explained.toArrow().to_pylist()
    return {one["image_id"]: one for one in files}


def _write_files(lake: Lake, night: date, files: Record) -> None:
    folder = f"{explanations_prefix(night)}{files['image_id']}/"
    for column, name in FILES.items():
        if files.get(column) is not None:
            lake.write(f"{folder}{name}", files[column])


def _make_row(image: Record, files: Record, plan: ExplainingPlan) -> Record:
    image_id = image["image_id"]
    kept = ("image_id", "study_id", "frame", "chosen_for", "reason", "probability")
    paths = {
        column: f"{image_id}/{name}" if files.get(column) is not None else None
        for column, name in FILES.items()
    }
    return {
        **{name: image[name] for name in kept},
        **paths,
        **{name: files.get(name) for name in MEASURED},
        "seed": plan.options.seed,
        "bundle_digest": plan.task.terms.bundle_digest,
        "run_id": plan.run_id,
    }
