"""What a worker does with its objects: fetch, decode, prepare, score, make rows.

Independent of Spark and TensorFlow: `ScoringTools` brings in everything that touches the world.
Every object that goes in comes out as at least one row. What fails, and what does not:

* An `ImageError` is one bad image: a row with its reason.
* Any other exception while *one* object is decoded or prepared, and the death of the decoding
  process, are defects that this object brought to light: a ``decoder_crash`` row (see
  `jobs.decoding_pool`). That reason is never reused from a shard, so the object is tried again,
  and a fault of the whole installation shows in the share of failed images, on which publishing
  is refused.
* A `TerminalError` or `TransientError` is true of the whole night, and an exception while a
  *batch* is scored cannot be pinned on one image: both end the task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from jobs.decoding_messages import FrameResult, ImageFailure, PreparedFrame
from jobs.fetching import FetchLimits, fetch_ahead
from jobs.lake import LakeObject
from jobs.scoring_rows import Picture, Row, RowMaker, Score
from jobs.stage_seconds import StageWatch
from model.errors import ImageError, TooLargeError, UnreadableError
from model.images import DecodedImage
from model.preprocessing import PreparedImage

if TYPE_CHECKING:
    from model.inference import RawScores
    from model.tumor_map import Lesion

Fetched: TypeAlias = tuple[LakeObject, bytes | ImageError]
"""An object and its bytes, or why they could not be had."""

DecodedFrames: TypeAlias = Iterator[DecodedImage | ImageError]
"""The frames of one object, in order; an `ImageError` stands for a frame that cannot be read."""


@dataclass(frozen=True)
class ScoringTools:
    """Everything that a worker needs to score objects, and to explain some of them.

    Attributes:
        fetch: bytes of an object; raises an `ImageError` for one that cannot be had.
        decode_all: objects in, each with its prepared frames out, in the same order; an object
            that cannot be opened has one failure instead.
        decode: the frames of one object with all their pixels, for explanations.
        prepare: the bundle's preprocessing, as `decode_all` applies it.
        score: (n, size, size) inputs and (n, k) picture features in, n scores out.
        locate: (m, m) tumour map and its picture in, lesion out.
        rows: makes the rows.
        batch_size: frames a call of `score`.
        maximum_bytes: a larger object is not even fetched.
        fetch_limits: how far ahead to fetch.
        watch: told how long the stages take.
    """

    fetch: Callable[[LakeObject], bytes]
    decode_all: Callable[[Iterable[Fetched]], Iterator[tuple[LakeObject, list[FrameResult]]]]
    decode: Callable[[bytes], DecodedFrames]
    prepare: Callable[[DecodedImage], PreparedImage]
    score: Callable[[npt.NDArray[np.uint8], npt.NDArray[np.float32]], RawScores]
    locate: Callable[[npt.NDArray[np.float32], PreparedImage], Lesion]
    rows: RowMaker
    batch_size: int
    maximum_bytes: int
    fetch_limits: FetchLimits
    watch: StageWatch = field(default_factory=StageWatch)


@dataclass(frozen=True)
class _Frame:
    source: LakeObject
    picture: Picture
    prepared: PreparedImage


def score_objects(sources: Iterable[LakeObject], tools: ScoringTools) -> Iterator[Row]:
    """Yield the rows of all objects; those of one object need not stand together.

    Batches run across objects, so that single slices fill them too. At most one batch of prepared
    frames, one decoded frame and the objects fetched ahead are held at a time.
    """
    waiting: list[_Frame] = []
    fetched = fetch_ahead(sources, partial(_fetch, tools), tools.fetch_limits)
    for source, results in tools.decode_all(fetched):
        for item in _frames(source, results, tools.rows):
            if not isinstance(item, _Frame):
                yield item
                continue
            waiting.append(item)
            if len(waiting) == tools.batch_size:
                yield from _score_frames(waiting, tools)
                waiting = []
    if waiting:
        yield from _score_frames(waiting, tools)


def _fetch(tools: ScoringTools, source: LakeObject) -> bytes | ImageError:
    if source.size_bytes > tools.maximum_bytes:
        return TooLargeError(
            f"the object has {source.size_bytes} bytes, the limit is {tools.maximum_bytes}",
        )
    try:
        with tools.watch.timed("fetch"):
            return tools.fetch(source)
    except ImageError as error:
        return error


def _frames(
    source: LakeObject,
    results: list[FrameResult],
    rows: RowMaker,
) -> Iterator[_Frame | Row]:
    """Yield what becomes of every frame of an object.

    The frames are counted here, because the audit wants frames 0, 1, 2 ... or a single row
    without a frame: a decoder that gives up between two frames gives a failed frame, not a
    failed object.
    """
    if not results:
        yield rows.failed(source, ImageFailure.of(UnreadableError("the object holds no image")))
    study_uid = next((result.study_uid for result in results if result.study_uid), None)
    for frame, result in enumerate(results):
        if isinstance(result, PreparedFrame):
            yield _Frame(source, _picture_of(result, frame), result.prepared)
        else:
            is_whole_object = len(results) == 1 and result.frame is None
            place = None if is_whole_object else frame
            yield rows.failed(source, result, frame=place, study_uid=study_uid)


def _score_frames(frames: list[_Frame], tools: ScoringTools) -> Iterator[Row]:
    with tools.watch.timed("predict"):
        scores = tools.score(
            np.stack([frame.prepared.network_input for frame in frames]),
            np.stack([frame.prepared.picture_features for frame in frames]),
        )
    with tools.watch.timed("locate"):
        rows = list(_rows(frames, scores, tools))
    yield from rows


def _rows(frames: list[_Frame], scores: RawScores, tools: ScoringTools) -> Iterator[Row]:
    for index, frame in enumerate(frames):
        lesion = tools.locate(scores.tumor_maps[index], frame.prepared)
        score = Score(
            probability=float(scores.probabilities[index]),
            scope_score=float(scores.scope_scores[index]),
            box=lesion.box,
            lesion_area_fraction=lesion.area_fraction,
        )
        yield tools.rows.scored(frame.source, frame.picture, score)


def _picture_of(result: PreparedFrame, frame: int) -> Picture:
    return Picture(
        format=result.format,
        frame=frame,
        width=result.prepared.original_width,
        height=result.prepared.original_height,
        brightness=result.prepared.brightness,
        study_uid=result.study_uid,
        acquisition=result.acquisition,
        detail=result.detail,
    )
