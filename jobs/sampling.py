"""Which flagged images of a night are explained. Pure: the same scores and seed, the same sample.

A third each: the highest probabilities (is the model looking at the lesion?), the flagged ones
nearest the threshold (what does it hesitate about?), and random ones (what is usual?).
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from model.decision import DecisionLimits, decide_reasons
from model.reasons import Reason

HIGHEST_SCORE: Final = "highest_score"
NEAR_THRESHOLD: Final = "near_threshold"
RANDOM: Final = "random"
WAYS: Final = (HIGHEST_SCORE, NEAR_THRESHOLD, RANDOM)
"""How an image got into the sample, in the order in which the ways choose."""

SAMPLE_COLUMNS: Final = (
    "image_id",
    "object_key",
    "etag",
    "size_bytes",
    "frame",
    "study_id",
    "probability",
)
"""Columns of the scores that a sample keeps; it adds ``chosen_for``."""


def choose_sample(
    scores: pa.Table,
    limits: DecisionLimits,
    sample_size: int,
    seed: int,
) -> pa.Table:
    """Choose the images to explain among those flagged as `tumor_suspected`.

    The other flagged images have no probability, or one of a picture that is no brain MR: there
    is nothing to explain.

    Args:
        scores: the columns of `SAMPLE_COLUMNS`, ``failure`` and ``scope_score``, in any order of
            rows; the order does not change the sample.
        limits: those of the night's decision.
        sample_size: images wanted; fewer come back when the night has fewer.
        seed: of the random part.

    Returns:
        `SAMPLE_COLUMNS` and ``chosen_for``, no image twice, in the order of `WAYS`.
    """
    suspected = scores.select(SAMPLE_COLUMNS).filter(_mask_suspected(scores, limits))
    suspected = suspected.sort_by("image_id")
    probabilities = suspected["probability"].to_numpy()
    places = {
        HIGHEST_SCORE: np.argsort(-probabilities, kind="stable"),
        NEAR_THRESHOLD: np.argsort(np.abs(probabilities - limits.threshold), kind="stable"),
        RANDOM: np.argsort(_lots(suspected["image_id"], seed), kind="stable"),
    }
    chosen = _take_in_turn(places, min(sample_size, len(suspected)))
    rows = np.array([row for _, row in chosen], dtype=np.int64)
    ways = [way for way, _ in chosen]
    return suspected.take(pa.array(rows)).append_column("chosen_for", pa.array(ways, pa.string()))


def split_sample_size(sample_size: int) -> dict[str, int]:
    """Share a sample out among the `WAYS`: 8 become 3, 3 and 2."""
    each, left = divmod(sample_size, len(WAYS))
    return {way: each + (number < left) for number, way in enumerate(WAYS)}


def _mask_suspected(scores: pa.Table, limits: DecisionLimits) -> pa.ChunkedArray:
    reasons = decide_reasons(
        np.array(scores["failure"].to_pylist(), dtype=object),
        _floats(scores["probability"]),
        _floats(scores["scope_score"]),
        limits,
    )
    return pa.array(reasons == str(Reason.TUMOR_SUSPECTED), pa.bool_())


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    floats: npt.NDArray[np.float64] = pc.fill_null(column, float("nan")).to_numpy()
    return floats


def _lots(image_ids: pa.ChunkedArray, seed: int) -> npt.NDArray[np.bytes_]:
    """Draw a lot for each image: from its id and the seed, so that other images change nothing."""
    ids = image_ids.to_pylist()
    lots = [hashlib.sha256(f"{seed}:{image_id}".encode()).hexdigest() for image_id in ids]
    return np.array(lots, dtype=np.bytes_)


def _take_in_turn(
    places: dict[str, npt.NDArray[np.int64]],
    sample_size: int,
) -> list[tuple[str, int]]:
    """Let every way take its share of rows that no way before it took."""
    taken: dict[int, str] = {}
    for way, share in split_sample_size(sample_size).items():
        free = [int(row) for row in places[way] if int(row) not in taken]
        taken.update(dict.fromkeys(free[:share], way))
    return [(way, row) for row, way in taken.items()]
