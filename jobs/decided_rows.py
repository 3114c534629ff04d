"""From a night's scores to its decided rows, and the audit of these rows. Nothing here does I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.schemas import RESULTS
from jobs.shards import references
from model.decision import DecisionLimits, decide_reasons, decisions_of
from model.errors import AuditError
from model.reasons import CLEARED_REASONS, Decision

_MEASURES = ("probability", "scope_score", "lesion_area_fraction")


@dataclass(frozen=True)
class RowStamp:
    """What every row of a night says of the run that made it.

    Attributes:
        bundle: name and version.
        bundle_digest: of all its files.
        run_id: of the attempt.
        limits: what was decided with.
        notes: further key-value metadata of the tables: the bundle's own threshold, the key id of
            the hashes, the code version.
    """

    bundle: str
    bundle_digest: str
    run_id: str
    limits: DecisionLimits
    notes: Mapping[str, str] = field(default_factory=dict)


def decide_rows(scores: pa.Table, stamp: RowStamp) -> tuple[pa.Table, pa.Table]:
    """Decide every row of a night.

    Args:
        scores: `SCORES`, in any order.
        stamp: limits and names.

    Returns:
        `RESULTS` sorted by key and frame, and (study_known, folder_id) of the same rows, which
        the studies are judged by.
    """
    ordered = scores.sort_by([("object_key", "ascending"), ("frame", "ascending")])
    reasons = decide_reasons(
        _objects(ordered["failure"]),
        _floats(ordered["probability"]),
        _floats(ordered["scope_score"]),
        stamp.limits,
    )
    columns = {name: ordered[name] for name in ordered.column_names if name in RESULTS.names}
    columns |= {name: _finite_or_null(ordered[name]) for name in _MEASURES}
    columns |= {
        "reason": pa.array(reasons, pa.string()),
        "decision": pa.array(decisions_of(reasons), pa.string()),
        "threshold": pa.array(np.full(len(ordered), stamp.limits.threshold)),
        "bundle": _repeat(stamp.bundle, len(ordered)),
        "bundle_digest": _repeat(stamp.bundle_digest, len(ordered)),
        "run_id": _repeat(stamp.run_id, len(ordered)),
    }
    results = pa.table([columns[name] for name in RESULTS.names], schema=RESULTS)
    return results, ordered.select(["study_known", "folder_id"])


def audit_rows(results: pa.Table, inventory: pa.Table, night: date) -> None:
    """Make sure that the rows of a night add up.

    Args:
        results: `RESULTS`, sorted by key and frame.
        inventory: `INVENTORY` of the same night.
        night: for the message.

    Raises:
        AuditError: naming every count that is off. Nothing must be published then.
    """
    problems = [*_object_problems(results, inventory), *_frame_problems(results)]
    problems += _value_problems(results)
    if problems:
        message = (
            f"night {night} was not published, its rows do not add up: {'; '.join(problems)}; "
            "start the night again, and report it if this comes back"
        )
        raise AuditError(message)


def _object_problems(results: pa.Table, inventory: pa.Table) -> list[str]:
    if _are_the_listed(results, inventory):
        return []
    listed, found = references(inventory), references(results).unique()
    lost = inventory.num_rows - _count(pc.is_in(listed, value_set=found))
    foreign = len(found) - _count(pc.is_in(found, value_set=listed.unique()))
    problems = []
    if lost:
        problems.append(f"{lost} of {inventory.num_rows} listed objects have no row")
    if foreign:
        problems.append(f"{foreign} objects have rows, but were not listed")
    return problems


def _are_the_listed(results: pa.Table, inventory: pa.Table) -> bool:
    """Tell in a moment whether all is well: both are sorted by key, so that they must be equal.

    Looking up a million texts, as is done if they are not, takes ten seconds and 350 MB.
    """
    firsts = results.select(["object_key", "etag"]).filter(pa.array(_begins_object(results)))
    return all(firsts[name].equals(inventory[name]) for name in firsts.column_names)


def _begins_object(results: pa.Table) -> npt.NDArray[np.bool_]:
    """Return, (n,), which rows have another key than the row before."""
    begins = np.ones(results.num_rows, dtype=bool)
    if results.num_rows:
        keys = results["object_key"].combine_chunks()
        begins[1:] = pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)
    return begins


def _frame_problems(results: pa.Table) -> list[str]:
    """Every object must have one row without a frame, or the frames 0, 1, 2 ... once each."""
    if results.num_rows == 0:
        return []
    starts = np.flatnonzero(_begins_object(results))
    sizes = np.diff(np.append(starts, results.num_rows))
    numbers = np.arange(results.num_rows, dtype=np.int64)
    expected: npt.NDArray[np.int64] = numbers - np.repeat(starts, sizes)
    frames = pc.fill_null(results["frame"], -1).to_numpy().astype(np.int64)
    whole_object = (frames == -1) & (np.repeat(sizes, sizes) == 1)
    wrong = int(np.count_nonzero((frames != expected) & ~whole_object))
    if not wrong:
        return []
    return [f"{wrong} of {results.num_rows} rows are not the frame that was expected there"]


def _value_problems(results: pa.Table) -> list[str]:
    rows = results.num_rows
    distinct = pc.count_distinct(results["image_id"]).as_py()
    flagged = _count(pc.equal(results["decision"], str(Decision.FLAGGED)))
    cleared = pc.equal(results["decision"], str(Decision.CLEARED))
    may_clear = pa.array(sorted(str(reason) for reason in CLEARED_REASONS))
    wrongly = _count(pc.and_not(cleared, pc.is_in(results["reason"], value_set=may_clear)))
    problems = []
    if distinct != rows:
        problems.append(f"{rows} rows have only {distinct} different image ids")
    if flagged + _count(cleared) != rows:
        problems.append(f"{flagged} flagged and {_count(cleared)} cleared are not {rows} rows")
    if wrongly:
        problems.append(f"{wrongly} rows are cleared for a reason that clears nothing")
    for name in _MEASURES:
        infinite = _count(pc.invert(pc.is_finite(results[name])))
        if infinite:
            problems.append(f"{infinite} rows have a {name} that is no finite number")
    required = [field.name for field in RESULTS if not field.nullable]
    nulls = {name: results[name].null_count for name in required}
    return problems + [f"{count} rows have no {name}" for name, count in nulls.items() if count]


def _count(flags: pa.ChunkedArray) -> int:
    return int(pc.sum(flags).as_py() or 0)


def _finite_or_null(column: pa.ChunkedArray) -> pa.ChunkedArray:
    finite = pc.fill_null(pc.is_finite(column), fill_value=False)
    return pc.if_else(finite, column, pa.scalar(None, pa.float64()))


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _objects(column: pa.ChunkedArray) -> npt.NDArray[np.object_]:
    return np.asarray(column.to_pandas(), dtype=object)


def _repeat(text: str, count: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(count, dtype=np.int64)))
