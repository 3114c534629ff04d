"""From decided images to studies. A study is cleared only if it has counting images, all cleared.

An object whose study could not be read may belong to any study of its folder, so it flags them
all. At the night's root there is no such folder: there it is a study of its own.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.schemas import STUDIES
from model.reasons import Decision, Reason

JUDGED_REASONS: Final = frozenset(
    {
        Reason.BELOW_THRESHOLD,
        Reason.TUMOR_SUSPECTED,
        Reason.NOT_BRAIN_MR,
        Reason.NON_DIAGNOSTIC,
        Reason.INVALID_SCORE,
    },
)
"""Reasons of images whose pixels were seen; counting images with another one are `unreadable`."""

_REASONS: Final = sorted(str(reason) for reason in Reason)
_CLEARED: Final = str(Decision.CLEARED)
_FLAGGED: Final = str(Decision.FLAGGED)


def make_studies(results: pa.Table, places: pa.Table, run_id: str) -> pa.Table:
    """Judge every study of a night.

    Args:
        results: `RESULTS` rows.
        places: (study_known, folder_id) of the same rows, as in `SCORES`.
        run_id: written into every row.

    Returns:
        `STUDIES`, sorted by study id. The images of all studies add up to the rows.
    """
    if results.num_rows == 0:
        return STUDIES.empty_table()
    encoded = results["study_id"].combine_chunks().dictionary_encode()
    studies = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    count = len(encoded.dictionary)
    counts = _bools(results["counts_for_study"])
    flagged = counts & _bools(pc.not_equal(results["decision"], _CLEARED))
    lost = _study_lost(counts, places)
    reasons = _reason_bits(results)

    inherited = _folders_of_lost(lost, places, reasons)
    bits = np.zeros(count, dtype=np.int64)
    np.bitwise_or.at(bits, studies, reasons | inherited)
    counted = np.bincount(studies[counts], minlength=count)
    flagged_images = np.bincount(studies[flagged], minlength=count)
    doubtful = np.bincount(studies[inherited != 0], minlength=count)
    cleared = (counted > 0) & (flagged_images == 0) & (doubtful == 0)
    columns = {
        "study_id": encoded.dictionary,
        "images": np.bincount(studies, minlength=count),
        "counted": counted,
        "flagged": flagged_images,
        "unreadable": np.bincount(studies[counts & _unseen(results)], minlength=count),
        "max_probability": _maximum_probability(results, studies, counts, count),
        "decision": np.where(cleared, _CLEARED, _FLAGGED),
        "reasons": _reason_lists(bits),
        "run_id": pa.array([run_id]).take(pa.array(np.zeros(count, dtype=np.int64))),
    }
    arrays = [_array(columns[field.name], field.type) for field in STUDIES]
    return pa.table(arrays, schema=STUDIES).sort_by("study_id")


def _study_lost(counts: npt.NDArray[np.bool_], places: pa.Table) -> npt.NDArray[np.bool_]:
    """Which rows may belong to any study of their folder.

    What is positively recognised as no diagnostic image counts for no study, and so for none of
    its folder.
    """
    return counts & ~_bools(places["study_known"]) & _bools(pc.is_valid(places["folder_id"]))


def _folders_of_lost(
    lost: npt.NDArray[np.bool_],
    places: pa.Table,
    reasons: npt.NDArray[np.int64],
) -> npt.NDArray[np.int64]:
    """Give every row the reasons, as bits, of the objects in its folder whose study is lost."""
    folders = places["folder_id"].combine_chunks().dictionary_encode()
    # Rows without a folder share one more place at the end, which nothing is ever written to.
    codes = pc.fill_null(folders.indices, len(folders.dictionary))
    codes = codes.to_numpy(zero_copy_only=False).astype(np.int64)
    bits = np.zeros(len(folders.dictionary) + 1, dtype=np.int64)
    np.bitwise_or.at(bits, codes[lost], reasons[lost])
    inherited: npt.NDArray[np.int64] = bits[codes]
    return inherited


def _reason_bits(results: pa.Table) -> npt.NDArray[np.int64]:
    positions = pc.index_in(results["reason"], value_set=pa.array(_REASONS))
    bits: npt.NDArray[np.int64] = np.left_shift(1, positions.to_numpy().astype(np.int64))
    return bits


def _reason_lists(bits: npt.NDArray[np.int64]) -> pa.Array:
    distinct, inverse = np.unique(bits, return_inverse=True)
    lists = [
        [reason for position, reason in enumerate(_REASONS) if mask >> position & 1]
        for mask in distinct.tolist()
    ]
    return pa.array(lists, type=pa.list_(pa.string())).take(pa.array(inverse))


def _unseen(results: pa.Table) -> npt.NDArray[np.bool_]:
    judged = pa.array(sorted(str(reason) for reason in JUDGED_REASONS))
    return ~_bools(pc.is_in(results["reason"], value_set=judged))


def _maximum_probability(
    results: pa.Table,
    studies: npt.NDArray[np.int64],
    counts: npt.NDArray[np.bool_],
    count: int,
) -> pa.Array:
    probabilities = results["probability"].to_numpy().astype(np.float64)
    known = counts & np.isfinite(probabilities)
    maxima = np.full(count, -np.inf)
    np.maximum.at(maxima, studies[known], probabilities[known])
    return pa.array(maxima, mask=np.isneginf(maxima))


def _bools(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.to_numpy(), dtype=bool)


def _array(values: npt.NDArray[np.generic] | pa.Array, kind: pa.DataType) -> pa.Array:
    made = values if isinstance(values, pa.Array) else pa.array(values)
    return made.cast(kind)
