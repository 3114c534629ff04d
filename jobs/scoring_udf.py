"""The function that Spark runs in its workers: object references in, rows of scores out.

It has no side effects, so that Spark may retry it or run it twice. TensorFlow is imported only
inside the worker process (it hangs if it was started before a fork), the network is loaded once
a process and kept from job to job.
"""

from __future__ import annotations

import atexit
import functools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias
from zipimport import zipimporter

import pandas as pd

from jobs.cluster import find_shipped
from jobs.decoding_messages import FrameResult
from jobs.decoding_pool import DecodingPool
from jobs.decoding_whole import KEEP_IMAGE, decode_whole
from jobs.fetching import FetchLimits
from jobs.identifiers import IdentifierKey
from jobs.lake import Lake, LakeAddress, LakeObject, open_lake
from jobs.scoring_rows import Row, RowMaker, StudyFrom, rows_to_frame
from jobs.scoring_steps import Fetched, ScoringTools, score_objects
from jobs.silent_worker import each_shows_life, ended_when_silent
from jobs.stage_seconds import StageWatch
from model.derived_network import DerivedNetwork, open_derived
from model.errors import NotRetrievedError, StorageUnavailableError
from model.preflight import DecodingLimits
from model.unforeseen import quoting_nothing

if TYPE_CHECKING:
    from pyspark.accumulators import Accumulator

    from model.bundle import Bundle
    from model.inference import Scorer
    from model.preprocessing import PreprocessingParameters

ScoreBatches: TypeAlias = Callable[[Iterable[pd.DataFrame]], Iterator[pd.DataFrame]]
"""What ``mapInPandas`` takes."""

BYTES_AHEAD: Final = 64 * 1024 * 1024
"""A worker holds at most so much of fetched objects, or one object."""

ROWS_A_FRAME: Final = 256
THREADS: Final = 1
"""Of the network in one worker: Spark gives a task one core (``spark.task.cpus``)."""


@dataclass(frozen=True)
class DecodingOptions:
    """What decoding an object may take.

    Attributes:
        limits: of the object.
        timeout_seconds: for all frames of an object together.
        memory_bytes: of the decoding process.
    """

    limits: DecodingLimits
    timeout_seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class ScoringTask:
    """What travels to the workers. Small; the network itself is read there, and verified.

    Attributes:
        lake: where the objects are.
        bundle_folder: of the network, as the workers see it.
        bundle_digest: of that bundle; another one is refused.
        identifiers: the key of the hashes.
        night_folder: the night's root in the lake, ending in a slash.
        study_from: what study an image belongs to.
        decoding: limits of decoding.
        batch_size: images a call of the network.
        fetch_threads: objects fetched ahead.
        scored_at: written into every row; decided by the driver, whose clock is the only one.
        derived: what the driver made of the bundle for the engine; None lets every worker make a
            graph of TensorFlow by itself.
        silence_seconds: without a sign of life end the worker; None where it is no process of its
            own.
    """

    lake: LakeAddress
    bundle_folder: Path
    bundle_digest: str
    identifiers: IdentifierKey
    night_folder: str
    study_from: StudyFrom
    decoding: DecodingOptions
    batch_size: int
    fetch_threads: int
    scored_at: datetime
    derived: DerivedNetwork | None = None
    silence_seconds: float | None = None

    @property
    def rows(self) -> RowMaker:
        """What makes this task's rows."""
        return RowMaker(self.identifiers, self.night_folder, self.study_from, self.scored_at)


def make_score_batches(
    task: ScoringTask,
    seconds: Accumulator[dict[str, float]] | None = None,
) -> ScoreBatches:
    """Make the function for ``mapInPandas``.

    Its input has the columns of `jobs.schemas.INVENTORY`, its output those of
    `jobs.schemas.SCORES`; every object gives at least one row. See `jobs.scoring_steps` for which
    errors become rows and which end the task. `seconds` is told how long the stages took.
    """

    def score_batches(references: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        # Spark writes down whatever leaves this function, and a library's text may quote a file.
        with quoting_nothing(), ended_when_silent(task.silence_seconds) as show_life:
            sources = (source for frame in references for source in objects_of(frame))
            tools = make_tools(task)
            rows = score_objects(each_shows_life(sources, show_life), tools)
            yield from frames_of(each_shows_life(rows, show_life))
            if seconds is not None:
                seconds.add(tools.watch.seconds)
            keep_archives_as_read()

    return score_batches


def keep_archives_as_read() -> None:
    """Spare the next task of this process to read the directories of Spark's archives anew.

    At the start of every task Spark lets Python forget what it knows of the places that it
    imports from; of an archive all entries are then read again, for Spark's own a tenth of a
    second. What is not among those places is not forgotten, and whoever imports from it finds it
    as it was.
    """
    places = sys.path_importer_cache
    for path in [path for path, finder in places.items() if isinstance(finder, zipimporter)]:
        del places[path]


def objects_of(references: pd.DataFrame) -> Iterator[LakeObject]:
    """Yield the objects that a frame with the columns of `INVENTORY` refers to."""
    columns = (references[name] for name in ("object_key", "etag", "size_bytes"))
    for key, etag, size_bytes in zip(*columns, strict=True):
        yield LakeObject(str(key), str(etag), int(size_bytes))


def frames_of(rows: Iterable[Row]) -> Iterator[pd.DataFrame]:
    """Yield rows as frames of at most `ROWS_A_FRAME` rows."""
    remaining = iter(rows)
    while some := list(islice(remaining, ROWS_A_FRAME)):
        yield rows_to_frame(some)


def fetch_object(lake: Lake, source: LakeObject) -> bytes:
    """Read an object; a storage that is up but does not hand out this one costs only its row.

    Raises:
        NotRetrievedError: if this object cannot be had.
        StorageUnavailableError: if the lake itself does not answer.
        AccessDeniedError: if the credentials are refused.
    """
    try:
        return lake.read(source.key, source.etag)
    except StorageUnavailableError:
        # The retries are used up. If the lake still answers, it is this object that is ill.
        lake.require()
    message = "the storage answers, but did not hand out this object"
    raise NotRetrievedError(message)


def make_tools(task: ScoringTask) -> ScoringTools:
    """Gather what a worker needs, loading the network if this process has not done so before.

    Raises:
        BundleError: if the worker sees another bundle than the driver, or none.
    """
    # Inside the function: the driver imports this module and must not load TensorFlow.
    from model.preprocessing import prepare_image  # noqa: PLC0415
    from model.tumor_map import locate_lesion  # noqa: PLC0415

    bundle, scorer = _load_scorer(
        str(task.bundle_folder), task.bundle_digest, task.batch_size, task.derived
    )
    card, options = bundle.card, task.decoding
    watch = StageWatch()
    pool = _decoding_pool(options, card.preprocessing, task.batch_size)
    return ScoringTools(
        fetch=functools.partial(fetch_object, open_lake(task.lake)),
        decode_all=functools.partial(_decode_all, pool, watch),
        decode=lambda data: decode_whole(_whole_pool(options), data),
        prepare=lambda image: prepare_image(image, card.preprocessing),
        score=scorer.score,
        locate=lambda tumor_map, image: locate_lesion(tumor_map, image, card.map_threshold),
        rows=task.rows,
        batch_size=task.batch_size,
        maximum_bytes=options.limits.maximum_bytes,
        fetch_limits=FetchLimits(task.fetch_threads, BYTES_AHEAD),
        watch=watch,
    )


def _decode_all(
    pool: DecodingPool,
    watch: StageWatch,
    items: Iterable[Fetched],
) -> Iterator[tuple[LakeObject, list[FrameResult]]]:
    """Decode objects, and tell the watch how long the decoding process worked on them."""
    before = pool.seconds
    decode, prepare = before.decode, before.prepare
    yield from pool.decode_all(items)
    watch.add(
        {
            "decode": pool.seconds.decode - decode,
            "preprocess": pool.seconds.prepare - prepare,
        }
    )


@functools.lru_cache(maxsize=1)
def _load_scorer(
    folder: str,
    digest: str,
    batch_size: int,
    derived: DerivedNetwork | None,
) -> tuple[Bundle, Scorer]:
    from model.bundle import open_bundle  # noqa: PLC0415
    from model.inference import load_scorer  # noqa: PLC0415

    bundle = open_bundle(find_shipped(Path(folder)), expected_digest=digest)
    if derived is not None:
        derived = open_derived(find_shipped(derived.folder), expected_digest=derived.digest)
    return bundle, load_scorer(bundle, batch_size=batch_size, threads=THREADS, derived=derived)


# The pools outlive the task: a new decoding process takes longer to start than a small task lasts.
# They end with the worker.


@functools.lru_cache(maxsize=1)
def _decoding_pool(
    options: DecodingOptions,
    parameters: PreprocessingParameters,
    ahead: int,
) -> DecodingPool:
    return _start(
        DecodingPool(
            options.limits,
            parameters,
            timeout_seconds=options.timeout_seconds,
            memory_bytes=options.memory_bytes,
            # As many as the network takes at once: decoding goes on while it is at work.
            ahead=ahead,
            ahead_bytes=BYTES_AHEAD,
        )
    )


@functools.lru_cache(maxsize=1)
def _whole_pool(options: DecodingOptions) -> DecodingPool:
    return _start(
        DecodingPool(
            options.limits,
            None,
            prepare=KEEP_IMAGE,
            timeout_seconds=options.timeout_seconds,
            memory_bytes=options.memory_bytes,
        )
    )


def _start(pool: DecodingPool) -> DecodingPool:
    atexit.register(pool.close)
    return pool.__enter__()
