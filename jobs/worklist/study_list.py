"""The order of the studies, filters and pages. Pure: a snapshot in, lines out."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from jobs.scanners import NOT_TOLD
from jobs.worklist.night_store import NightSnapshot
from model.reasons import Decision, Reason

PAGE_SIZE: Final = 50

FILTERED: Final = ("reason", "scanner", "plane")
"""Columns of the images that studies are filtered by."""

_SUSPECTED: Final = str(Reason.TUMOR_SUSPECTED)
_CLEARED: Final = str(Decision.CLEARED)


@dataclass(frozen=True)
class StudyFilter:
    """Which studies are shown: those with an image that all of these are true of.

    Attributes:
        decision: ``flagged``, ``cleared``, or None for both.
        reason: of an image, or None for any.
        scanner: maker and model, or None for any.
        plane: axial, coronal ..., or None for any.
    """

    decision: str | None = None
    reason: str | None = None
    scanner: str | None = None
    plane: str | None = None


@dataclass(frozen=True)
class StudyPage:
    """One page of a night's studies.

    Attributes:
        number: from 1.
        pages: how many there are, at least 1.
        total: studies that the filter lets through.
        first_rank: position of the first one, from 1.
        studies: rows of `STUDIES`, each with `scanners` and `planes`, lists of texts.
    """

    number: int
    pages: int
    total: int
    first_rank: int
    studies: list[dict[str, Any]]


def list_choices(snapshot: NightSnapshot) -> Mapping[str, list[str]]:
    """Return, for each of `FILTERED`, the values that the night holds, sorted."""
    return {name: sorted(_values(snapshot.images[name])) for name in FILTERED}


def order_studies(snapshot: NightSnapshot, chosen: StudyFilter) -> pa.Table:
    """Return the studies that a filter lets through, in the order in which to read them.

    Flagged before cleared; among the flagged ones those with a suspected tumour, by probability,
    then those of which something could not be judged, then the rest. Ties are broken by the id, so
    that the order is the same whenever it is asked for.
    """
    studies = snapshot.studies
    if chosen.decision is not None:
        studies = studies.filter(pc.equal(studies["decision"], chosen.decision))
    if any(getattr(chosen, name) is not None for name in FILTERED):
        wanted = pa.array(_matching_studies(snapshot.images, chosen), pa.string())
        studies = studies.filter(pc.is_in(studies["study_id"], value_set=wanted))
    probability = pc.fill_null(studies["max_probability"], -1.0).to_numpy()
    ids = np.asarray(studies["study_id"].to_numpy(), dtype=str)
    order = np.lexsort((ids, -probability, _rank(studies)))
    return studies.take(pa.array(order))


def cut_page(snapshot: NightSnapshot, ordered: pa.Table, number: int) -> StudyPage:
    """Cut a page out of ordered studies; a number beyond the last page gives the last one."""
    pages = max(1, -(-ordered.num_rows // PAGE_SIZE))
    number = min(max(1, number), pages)
    start = (number - 1) * PAGE_SIZE
    studies = ordered.slice(start, PAGE_SIZE).to_pylist()
    told = _describe_images(snapshot.images, [study["study_id"] for study in studies])
    return StudyPage(
        number=number,
        pages=pages,
        total=ordered.num_rows,
        first_rank=start + 1,
        studies=[study | told[study["study_id"]] for study in studies],
    )


def find_neighbours(ordered: pa.Table, study_id: str) -> tuple[int, str | None, str | None]:
    """Return a study's rank from 1 (0 if it is not among them), and the ones before and after."""
    position = pc.index(ordered["study_id"], study_id).as_py()
    if position < 0:
        return 0, None, None
    ids = ordered["study_id"]
    before = ids[position - 1].as_py() if position else None
    after = ids[position + 1].as_py() if position + 1 < ordered.num_rows else None
    return position + 1, before, after


def images_of_study(snapshot: NightSnapshot, study_id: str) -> list[dict[str, Any]]:
    """Return the images of a study in the order of their objects and frames."""
    rows = snapshot.images
    found: list[dict[str, Any]] = rows.filter(pc.equal(rows["study_id"], study_id)).to_pylist()
    return found


def find_image(snapshot: NightSnapshot, image_id: str) -> dict[str, Any] | None:
    """Return an image of the night, or None."""
    position = pc.index(snapshot.images["image_id"], image_id).as_py()
    if position < 0:
        return None
    row: dict[str, Any] = snapshot.images.slice(position, 1).to_pylist()[0]
    return row


def find_study(snapshot: NightSnapshot, study_id: str) -> dict[str, Any] | None:
    """Return a study of the night, or None."""
    position = pc.index(snapshot.studies["study_id"], study_id).as_py()
    if position < 0:
        return None
    row: dict[str, Any] = snapshot.studies.slice(position, 1).to_pylist()[0]
    return row


def choose_for_double_reading(snapshot: NightSnapshot, number: int) -> list[str]:
    """Choose cleared studies at random for a second pair of eyes.

    The order is that of a hash of the id, which knows nothing of scores or pictures: a simple
    random sample, the same for every reader and after a restart.

    Returns:
        Ids of at most `number` studies, in the order in which to read them.
    """
    studies = snapshot.studies
    cleared = studies.filter(pc.equal(studies["decision"], _CLEARED))["study_id"].to_pylist()
    salt = snapshot.night.isoformat()

    def position(study_id: str) -> bytes:
        return hashlib.sha256(f"double reading {salt} {study_id}".encode()).digest()

    return sorted(cleared, key=position)[:number]


def choose_first_image(images: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the image to show first: of the highest probability, else the first flagged one."""
    scored = [one for one in images if one["probability"] is not None]
    if scored:
        return max(scored, key=lambda one: one["probability"])
    flagged = [one for one in images if one["decision"] != _CLEARED]
    return (flagged or images)[0]


def _rank(studies: pa.Table) -> npt.NDArray[np.int64]:
    cleared = pc.equal(studies["decision"], _CLEARED).to_numpy().astype(bool)
    reasons = studies["reasons"].to_pylist()
    suspected = np.array([_SUSPECTED in of_study for of_study in reasons], dtype=bool)
    unreadable = studies["unreadable"].to_numpy() > 0
    unknown = unreadable | studies["max_probability"].is_null().to_numpy()
    rank = np.full(studies.num_rows, 2, dtype=np.int64)
    rank[unknown] = 1
    rank[suspected] = 0
    rank[cleared] = 3
    return rank


def _matching_studies(images: pa.Table, chosen: StudyFilter) -> list[str]:
    mask = None
    for name in FILTERED:
        wanted = getattr(chosen, name)
        if wanted is None:
            continue
        column = images[name]
        told = name == "scanner" or wanted != NOT_TOLD
        one = _is(column, wanted) if told else pc.is_null(column)
        mask = one if mask is None else pc.and_(mask, one)
    found: list[str] = images.filter(mask)["study_id"].unique().to_pylist()
    return found


def _is(column: pa.ChunkedArray, wanted: str) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(column, wanted), fill_value=False)


def _values(column: pa.ChunkedArray) -> list[str]:
    return [NOT_TOLD if value is None else value for value in column.unique().to_pylist()]


def _describe_images(images: pa.Table, study_ids: Sequence[str]) -> dict[str, dict[str, list[str]]]:
    """Return scanners and planes of studies, by id."""
    wanted = pa.array(study_ids, pa.string())
    rows = images.select(["study_id", "scanner", "plane"])
    rows = rows.filter(pc.is_in(rows["study_id"], value_set=wanted))
    told: dict[str, dict[str, set[str]]] = {
        one: {"scanners": set(), "planes": set()} for one in study_ids
    }
    for row in rows.to_pylist():
        told[row["study_id"]]["scanners"].add(row["scanner"])
        told[row["study_id"]]["planes"].add(row["plane"] or NOT_TOLD)
    return {
        one: {name: sorted(values) for name, values in both.items()} for one, both in told.items()
    }
