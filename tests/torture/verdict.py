"""Whether a published night kept the promise: nothing lost, nothing cleared by mistake."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from model.reasons import Decision, Reason
from tests.torture.mutations import Mutant
from tests.torture.oracle import Oracle, Pixels, differ
from tests.torture.originals import Original


@dataclass(frozen=True)
class Listed:
    """An object of the night.

    Attributes:
        key: in the lake.
        kind: origin of a whole file, or how it was damaged.
        data: its bytes.
        original: what it was made from; itself for a whole file.
    """

    key: str
    kind: str
    data: bytes
    original: Original

    @classmethod
    def whole(cls, folder: str, original: Original) -> Listed:
        """Put a file into the night as it is."""
        key = f"{folder}{original.origin.replace(' ', '-')}/{original.name}"
        return cls(key, original.origin, original.data, original)

    @classmethod
    def damaged(cls, folder: str, mutant: Mutant) -> Listed:
        """Put a damaged file into the night."""
        key = f"{folder}{mutant.kind.replace(' ', '-')}/{mutant.name}"
        return cls(key, mutant.kind, mutant.data, mutant.original)


@dataclass
class Verdict:
    """What was found.

    Attributes:
        reasons: number of images by kind and reason.
        files: number of objects by kind.
        undecodable: number of objects by kind of which no independent reader reads anything.
        changed: number of cleared objects by kind whose pixels differ from the original's.
        violations: sentences; empty if the promise was kept.
    """

    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    files: Counter[str] = field(default_factory=Counter)
    undecodable: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    violations: list[str] = field(default_factory=list)


def judge_night(
    listed: Iterable[Listed],
    rows: pd.DataFrame,
    limits: tuple[float, float],
    oracle: Oracle,
) -> Verdict:
    """Hold a night's rows against what was listed, and what was cleared against the oracle.

    Args:
        listed: every object of the night.
        rows: as published.
        limits: threshold and smallest scope score of the run.
        oracle: reads independently of this project.
    """
    objects = {item.key: item for item in listed}
    verdict = Verdict(violations=[*_lost_objects(objects, rows), *_wrong_rows(rows, limits)])
    cleared = set(rows.loc[rows["decision"] == Decision.CLEARED, "object_key"])
    for key, reason in zip(rows["object_key"], rows["reason"], strict=True):
        if key in objects:
            verdict.reasons.setdefault(objects[key].kind, Counter())[reason] += 1
    whole: dict[bytes, Pixels | None] = {}
    for item, pixels in zip(objects.values(), oracle.read_all(_bytes_of(objects)), strict=True):
        verdict.files[item.kind] += 1
        if pixels is None:
            verdict.undecodable[item.kind] += 1
            if item.key in cleared:
                verdict.violations.append(f"cleared, and nobody can read it: {item.key}")
        elif item.key in cleared and item.data != item.original.data:
            if item.original.data not in whole:
                (whole[item.original.data],) = oracle.read_all([item.original.data])
            before = whole[item.original.data]
            verdict.changed[item.kind] += before is None or differ(before, pixels)
    return verdict


def _bytes_of(objects: Mapping[str, Listed]) -> list[bytes]:
    return [item.data for item in objects.values()]


def _lost_objects(objects: Mapping[str, Listed], rows: pd.DataFrame) -> list[str]:
    found = set(rows["object_key"])
    lost = [f"listed, and no row: {key}" for key in objects if key not in found]
    return lost + [f"a row, and never listed: {key}" for key in sorted(found - set(objects))]


def _wrong_rows(rows: pd.DataFrame, limits: tuple[float, float]) -> list[str]:
    """Name the cleared rows that nothing may clear; the rule is written down once more here."""
    threshold, minimum_scope = limits
    may_clear = (
        (rows["reason"] == Reason.BELOW_THRESHOLD)
        & rows["probability"].between(0.0, threshold, inclusive="left")
        & rows["scope_score"].between(minimum_scope, 1.0)
        & rows["frame"].notna()
        & (rows["width"] > 0)
        & (rows["height"] > 0)
    )
    cleared = rows["decision"] == Decision.CLEARED
    unknown = ~rows["decision"].isin([str(decision) for decision in Decision])
    wrong = rows[(cleared & ~may_clear) | unknown]
    return [f"decided wrongly: {json.dumps(_told(row))}" for row in wrong.to_dict("records")]


def _told(row: Mapping[Any, Any]) -> dict[str, str]:
    names = ("object_key", "frame", "decision", "reason", "probability", "scope_score")
    return {name: str(row[name]) for name in names}
