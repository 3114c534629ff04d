"""Drift of a published night: read what it is judged by, judge it, write the verdict down.

``drift/night=.../drift.json`` holds the verdict and the night in a few numbers, for the chart over
nights. It is small, names no image, and is written again whenever the night is judged again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake
from jobs.night_keys import results_key
from jobs.parquet_objects import read_table
from jobs.published_night import list_published_nights
from jobs.scanners import name_scanners
from jobs.schemas import RESULTS, conform
from model.card import Card
from model.drift import DriftLimits, DriftTest, DriftVerdict, judge_drift
from model.drift_images import NightImages
from model.errors import NotRetrievedError, OutputError
from model.reasons import Decision, Reason

FORMAT_VERSION: Final = 1

READ: Final = (
    "study_id",
    "decision",
    "reason",
    "probability",
    "brightness",
    "width",
    "height",
    "manufacturer",
    "scanner_model",
)
"""Columns of the results that drift is judged by; no other one is read."""

_SCHEMA: Final = pa.schema([RESULTS.field(name) for name in READ])


@dataclass(frozen=True)
class NightDrift:
    """A night's verdict and the night in numbers.

    Attributes:
        night: which.
        run_id: of the run that published what was judged.
        images: how many.
        numbers: medians and shares by name; None where there is nothing to measure.
        scanners: share of the images by scanner.
        references: what the bundle's card says to expect of its own test images, by name.
        reference_nights: what the night was held to; empty if there were too few.
        set_aside: nights before that stand out themselves.
        tests: see `model.drift`, those that stand out most first.
    """

    night: date
    run_id: str
    images: int
    numbers: dict[str, float | None]
    scanners: dict[str, float]
    references: dict[str, float]
    reference_nights: tuple[date, ...] = ()
    set_aside: tuple[date, ...] = ()
    tests: tuple[DriftTest, ...] = field(default_factory=tuple)

    @property
    def alarms(self) -> list[str]:
        """The sentences of the tests that are alarms."""
        return [test.sentence for test in self.tests if test.alarm]

    @property
    def remarks(self) -> list[str]:
        """What is far from the bundle's references; no alarm, for hospitals differ from them."""
        return list_remarks(self.numbers, self.references)


REMARK_FACTOR: Final = 3.0
"""A share so many times the bundle's own is worth a remark."""


def judge_night(
    lake: Lake,
    night: date,
    history_nights: int,
    limits: DriftLimits,
    card: Card | None = None,
) -> NightDrift:
    """Judge a published night against the published nights before it. Nothing is written.

    Args:
        lake: where.
        night: which.
        history_nights: how many nights before it.
        limits: what is drift.
        card: of the bundle that scored, for its references; None without.

    Raises:
        OutputError: if the night was not published, or cannot be read.
    """
    tonight, run_id = _require(lake, night)
    before = [one for one in list_published_nights(lake) if one < night][-history_nights:]
    history = [images for one in before if (images := read_images(lake, one)) is not None]
    verdict = judge_drift(tonight, history, limits)
    return _sum_up(tonight, run_id, verdict, {} if card is None else references_of(card))


def read_images(lake: Lake, night: date) -> NightImages | None:
    """Read the columns of a night that drift is judged by; None if it cannot be read."""
    found = _read(lake, night)
    return None if found is None else found[0]


def references_of(card: Card) -> dict[str, float]:
    """Return what a bundle did on its own test images: shares flagged and out of scope."""
    references: dict[str, float] = {}
    check = card.scope.check
    counts = None if check is None else check.brain_mr.get("all")
    if counts is not None and counts.n:
        references["out_of_scope"] = counts.out_of_scope / counts.n
    specificity = (card.metrics.get("overall") or {}).get("specificity")
    if specificity:
        references["normals_flagged"] = 1.0 - float(specificity["value"])
    return references


def list_remarks(numbers: Mapping[str, float | None], references: Mapping[str, float]) -> list[str]:
    """Compare a night with the bundle's references, in sentences."""
    remarks = []
    scope, expected = numbers.get("out_of_scope"), references.get("out_of_scope")
    if scope is not None and expected and scope > REMARK_FACTOR * expected:
        remarks.append(
            f"{scope:.1%} of the scored images are out of scope, {expected:.1%} of the bundle's "
            "own brain MR were: it may not know this hospital's images"
        )
    flagged, normal = numbers.get("flagged"), references.get("normals_flagged")
    if flagged is not None and normal and flagged > REMARK_FACTOR * normal:
        remarks.append(
            f"{flagged:.0%} of the images are flagged, {normal:.0%} of the bundle's own normals "
            "were: the order saves little reading here"
        )
    return remarks


def drift_key(night: date) -> str:
    """Return the key of a night's verdict."""
    return f"drift/night={night.isoformat()}/drift.json"


def write_drift(lake: Lake, drift: NightDrift) -> None:
    """Write a verdict down, over an earlier one.

    Raises:
        OutputError: if the lake cannot be written.
    """
    content = {"format_version": FORMAT_VERSION, **asdict(drift)}
    text = json.dumps(content, indent=1, sort_keys=True, allow_nan=False, default=_to_text)
    lake.write(drift_key(drift.night), text.encode())


def read_drift(lake: Lake, night: date) -> NightDrift | None:
    """Read a night's verdict; None if there is none, or it cannot be read."""
    try:
        content = json.loads(lake.read(drift_key(night)))
        if content.pop("format_version") != FORMAT_VERSION:
            return None
        dates = ("reference_nights", "set_aside")
        return NightDrift(
            **{name: value for name, value in content.items() if name not in {*dates, "tests"}}
            | {name: tuple(map(date.fromisoformat, content[name])) for name in dates}
            | {
                "night": date.fromisoformat(content["night"]),
                "tests": tuple(DriftTest(**test) for test in content["tests"]),
            }
        )
    except (NotRetrievedError, ValueError, KeyError, TypeError):
        return None


def _require(lake: Lake, night: date) -> tuple[NightImages, str]:
    found = _read(lake, night)
    if found is None:
        message = (
            f"night {night} was not published, or cannot be read: expected {results_key(night)}; "
            "run the night first"
        )
        raise OutputError(message)
    return found


def _read(lake: Lake, night: date) -> tuple[NightImages, str] | None:
    try:
        table, metadata = read_table(lake, results_key(night), columns=READ, skip_absent=True)
        rows = conform(table, _SCHEMA)
    except (NotRetrievedError, pa.ArrowException, OSError, KeyError, ValueError):
        return None
    return to_images(night, rows), metadata.get("run_id", "")


def to_images(night: date, rows: pa.Table) -> NightImages:
    """Turn rows with the columns `READ` into what `model.drift` judges."""
    studies = rows["study_id"].combine_chunks().dictionary_encode().indices
    opened = pc.is_valid(rows["width"])
    size = pc.binary_join_element_wise(
        rows["width"].cast(pa.string()), rows["height"].cast(pa.string()), "x"
    )
    return NightImages(
        night=night,
        studies=studies.to_numpy(zero_copy_only=False).astype(np.int64),
        probability=_floats(rows["probability"]),
        flagged=_flags(pc.not_equal(rows["decision"], str(Decision.CLEARED))),
        out_of_scope=_flags(pc.equal(rows["reason"], str(Reason.NOT_BRAIN_MR))),
        brightness=_floats(rows["brightness"]),
        resolution=_texts(pc.if_else(opened, size, "")),
        scanner=_texts(pc.if_else(opened, name_scanners(rows), "")),
    )


def _sum_up(
    images: NightImages,
    run_id: str,
    verdict: DriftVerdict,
    references: dict[str, float],
) -> NightDrift:
    scored = np.isfinite(images.probability)
    opened = images.resolution != ""
    names, counts = np.unique(images.scanner[opened], return_counts=True)
    widths = np.array([int(one.partition("x")[0]) for one in images.resolution[opened]])
    return NightDrift(
        night=images.night,
        run_id=run_id,
        images=images.count,
        numbers={
            "flagged": _mean(images.flagged),
            "out_of_scope": _mean(images.out_of_scope[scored]),
            "probability": _quantile(images.probability, 0.5),
            "probability_90": _quantile(images.probability, 0.9),
            "brightness": _quantile(images.brightness, 0.5),
            "brightness_10": _quantile(images.brightness, 0.1),
            "brightness_90": _quantile(images.brightness, 0.9),
            "width": _quantile(widths.astype(np.float64), 0.5),
        },
        scanners={
            str(name): round(float(count / opened.sum()), 4)
            for name, count in zip(names, counts, strict=True)
        },
        references={name: round(value, 4) for name, value in references.items()},
        reference_nights=verdict.reference_nights,
        set_aside=verdict.set_aside,
        tests=verdict.tests,
    )


def _mean(flags: npt.NDArray[np.bool_]) -> float | None:
    return round(float(flags.mean()), 4) if flags.size else None


def _quantile(values: npt.NDArray[np.float64], share: float) -> float | None:
    known = values[np.isfinite(values)]
    return round(float(np.quantile(known, share)), 4) if known.size else None


def _floats(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    return np.asarray(column.to_numpy(), dtype=np.float64)


def _flags(column: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(column.to_numpy(), dtype=bool)


def _texts(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    return np.asarray(column.to_numpy(), dtype=np.str_)


def _to_text(value: Any) -> str:  # noqa: ANN401 - what JSON has no word for
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError
