"""Which flagged images of a night are explained. Pure: the same scores and seed, the same sample.

Five ways choose in turn, each its part of the mix: the highest probabilities (is the model looking
at the lesion?), the flagged ones nearest the threshold (what does it hesitate about?), one of each
reason, one of each scanner (is one of them read otherwise?), and random ones (what is usual?).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from functools import partial
from types import MappingProxyType
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from model.decision import DecisionLimits, decide_reasons
from model.reasons import Reason

HIGHEST_SCORE: Final = "highest_score"
NEAR_THRESHOLD: Final = "near_threshold"
EACH_REASON: Final = "each_reason"
EACH_SCANNER: Final = "each_scanner"
RANDOM: Final = "random"
WAYS: Final = (HIGHEST_SCORE, NEAR_THRESHOLD, EACH_REASON, EACH_SCANNER, RANDOM)
"""How an image got into the sample, in the order in which the ways choose."""

ASKED: Final = "asked"
"""Chosen by an operator, by its id or with its whole night."""

DEFAULT_MIX: Final[Mapping[str, int]] = MappingProxyType(
    {HIGHEST_SCORE: 2, NEAR_THRESHOLD: 2, EACH_REASON: 1, EACH_SCANNER: 1, RANDOM: 2}
)
"""Parts of the sample; those of a way that finds too few go to the random ones."""

EXPLAINABLE: Final = frozenset({Reason.TUMOR_SUSPECTED, Reason.NOT_BRAIN_MR})
"""Flagged for a score, so that there is something to explain; the others have no probability."""

SAMPLE_COLUMNS: Final = (
    "image_id",
    "object_key",
    "etag",
    "size_bytes",
    "frame",
    "study_id",
    "probability",
)
"""Columns of the scores that a sample keeps; it adds ``reason`` and ``chosen_for``."""

Way: TypeAlias = Callable[[Collection[int]], list[int]]
"""Rows that are taken already in, rows in the order of preference out."""

SCANNER_COLUMNS: Final = ("manufacturer", "scanner_model")


def choose_sample(
    scores: pa.Table,
    limits: DecisionLimits,
    sample_size: int,
    seed: int,
    mix: Mapping[str, int] = DEFAULT_MIX,
) -> pa.Table:
    """Choose the images to explain among those flagged for a reason of `EXPLAINABLE`.

    Args:
        scores: the columns of `SAMPLE_COLUMNS` and `SCANNER_COLUMNS`, ``failure`` and
            ``scope_score``, in any order of rows; the order does not change the sample.
        limits: those of the night's decision.
        sample_size: images wanted; fewer come back when the night has fewer.
        seed: of the lots.
        mix: parts of the sample by way; see `WAYS`. A way that is not named gets none.

    Returns:
        `SAMPLE_COLUMNS`, ``reason`` and ``chosen_for``, no image twice, in the order of `WAYS`.
    """
    reasons = pa.array(_reasons(scores, limits).astype(str), pa.string())
    wanted = pa.array(sorted(str(reason) for reason in EXPLAINABLE))
    judged = scores.select([*SAMPLE_COLUMNS, *SCANNER_COLUMNS]).append_column("reason", reasons)
    flagged = judged.filter(pc.is_in(reasons, value_set=wanted)).sort_by("image_id")
    shares = split_sample_size(min(sample_size, len(flagged)), mix)
    chosen = _take_in_turn(_ways(flagged, limits, seed), shares)
    rows = np.array([row for _, row in chosen], dtype=np.int64)
    ways = [way for way, _ in chosen]
    kept = flagged.select([*SAMPLE_COLUMNS, "reason"])
    return kept.take(pa.array(rows)).append_column("chosen_for", pa.array(ways, pa.string()))


def split_sample_size(sample_size: int, mix: Mapping[str, int] = DEFAULT_MIX) -> dict[str, int]:
    """Share a sample out by the mix; what is left over goes to the earlier of the `WAYS`."""
    parts = {way: mix.get(way, 0) for way in WAYS}
    whole = sum(parts.values())
    if whole == 0:
        return {**parts, RANDOM: sample_size}
    shares = {way: sample_size * part // whole for way, part in parts.items()}
    # Largest remainder first, and of equal ones the earlier way: the shares add up exactly.
    left = sorted(WAYS, key=lambda way: (-(sample_size * parts[way] % whole), WAYS.index(way)))
    for way in left[: sample_size - sum(shares.values())]:
        shares[way] += 1
    return shares


def _ways(flagged: pa.Table, limits: DecisionLimits, seed: int) -> dict[str, Way]:
    """Return, for every way, the rows in the order in which it would take them."""
    probabilities = flagged["probability"].to_numpy()
    lots = _lots(flagged["image_id"], seed)
    suspected = np.array(flagged["reason"].to_pylist(), dtype=object) == Reason.TUMOR_SUSPECTED
    highest = np.argsort(-probabilities, kind="stable")
    nearest = np.argsort(np.abs(probabilities - limits.threshold), kind="stable")
    drawn = np.argsort(lots, kind="stable")
    return {
        # A picture of something else may have any probability: it tells nothing of tumours.
        HIGHEST_SCORE: lambda _: highest[suspected[highest]].tolist(),
        NEAR_THRESHOLD: lambda _: nearest[suspected[nearest]].tolist(),
        EACH_REASON: partial(_one_of_each, drawn, flagged["reason"].to_pylist()),
        EACH_SCANNER: partial(_one_of_each, drawn, _scanners(flagged)),
        RANDOM: lambda _: drawn.tolist(),
    }


def _one_of_each(
    drawn: npt.NDArray[np.int64],
    kinds: list[str | None],
    taken: Collection[int],
) -> list[int]:
    """Order rows so that the kind that was chosen least comes next; unnamed kinds are left out.

    Args:
        drawn: rows in the order of their lots, which also decides between kinds.
        kinds: of each row.
        taken: rows that other ways chose.
    """
    seen = Counter(kinds[row] for row in taken)
    ranked: list[tuple[int, int, int]] = []
    for row in drawn.tolist():
        kind = kinds[row]
        if kind is not None and row not in taken:
            ranked.append((seen[kind], len(ranked), row))
            seen[kind] += 1
    return [row for _, _, row in sorted(ranked)]


def _scanners(flagged: pa.Table) -> list[str | None]:
    pairs = zip(*(flagged[name].to_pylist() for name in SCANNER_COLUMNS), strict=True)
    return [f"{maker} {model}" if maker or model else None for maker, model in pairs]


def _reasons(scores: pa.Table, limits: DecisionLimits) -> npt.NDArray[np.object_]:
    return decide_reasons(
        np.array(scores["failure"].to_pylist(), dtype=object),
        _floats(scores["probability"]),
        _floats(scores["scope_score"]),
        limits,
    )


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    floats: npt.NDArray[np.float64] = pc.fill_null(column, float("nan")).to_numpy()
    return floats


def _lots(image_ids: pa.ChunkedArray, seed: int) -> npt.NDArray[np.bytes_]:
    """Draw a lot for each image: from its id and the seed, so that other images change nothing."""
    ids = image_ids.to_pylist()
    lots = [hashlib.sha256(f"{seed}:{image_id}".encode()).hexdigest() for image_id in ids]
    return np.array(lots, dtype=np.bytes_)


def _take_in_turn(ways: Mapping[str, Way], shares: Mapping[str, int]) -> list[tuple[str, int]]:
    """Let every way take its share of rows that no way before it took, and random ones the rest."""
    taken: dict[int, str] = {}
    wanted = sum(shares.values())
    for way in WAYS:
        share = wanted - len(taken) if way == RANDOM else shares[way]
        free = [row for row in ways[way](taken) if row not in taken]
        taken.update(dict.fromkeys(free[:share], way))
    return [(way, row) for row, way in taken.items()]
