"""What the Prefect UI shows of a night: summary, pictures, counts, failures, progress.

Nothing here holds an object's key or a name; and nothing here may fail a night that is published.
"""

from __future__ import annotations

import base64
import io
import logging
import time
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from PIL import Image
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from conf.settings import Settings
from flows.progress import title_of
from flows.reports import artifact_key, format_night_page, list_counts
from jobs.lake import Lake, open_lake
from jobs.night_history import NightCounts, counts_of, read_history
from jobs.night_keys import explanations_index_key, explanations_prefix, results_key
from jobs.night_run import NightOutcome, NightRequest, Progress
from jobs.parquet_objects import read_table
from jobs.publish import FAILED_REASONS
from jobs.unusual_nights import UnusualLimits, find_unusual
from model.errors import NotRetrievedError

PICTURE_WIDTH: Final = 840
"""Pixels: as wide as an artifact's page, so that the three pictures of an overlay can be told."""

PICTURE_QUALITY: Final = 72
"""JPEG; six pictures then stay below 400 kB, so that a page opens at once."""

MOST_FAILURES: Final = 100
"""Rows of the table; the results have them all."""

PROGRESS_SECONDS: Final = 3.0

LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class WorstCase:
    """A flagged image with its picture.

    Attributes:
        image_id: keyed hash.
        study_id: keyed hash.
        probability: 0..1.
        picture: bytes of a JPEG.
    """

    image_id: str
    study_id: str
    probability: float
    picture: bytes

    @property
    def address(self) -> str:
        """The picture as a ``data:`` address, which needs no server."""
        return "data:image/jpeg;base64," + base64.b64encode(self.picture).decode()


class NightReporter:
    """Writes the artifacts of one night; whatever goes wrong with them is a warning."""

    def __init__(self, request: NightRequest, settings: Settings) -> None:
        """Describe the night; nothing is written yet."""
        self._request = request
        self._settings = settings
        self._progress: dict[str, UUID] = {}
        self._written: dict[str, float] = {}

    def show_progress(self, progress: Progress) -> None:
        """Move the bar of a step; at most one write every few seconds."""
        now = time.monotonic()
        ended = progress.done >= progress.total
        due = now - self._written.get(progress.step, -PROGRESS_SECONDS) >= PROGRESS_SECONDS
        if progress.step not in {"score", "explain"} or not (due or ended):
            return
        self._written[progress.step] = now
        share = 100.0 * progress.done / max(1, progress.total)
        try:
            self._write_progress(progress.step, share)
        except Exception as error:  # noqa: BLE001 - a bar is no reason to end a night
            LOG.warning("progress could not be stored: %s", type(error).__name__)

    def store_report(self, outcome: NightOutcome) -> None:
        """Store summary, counts and failures."""
        try:
            self._store_report(outcome)
        except Exception as error:  # noqa: BLE001 - the night is published, whatever becomes of this
            LOG.warning("the report of the night could not be stored: %s", type(error).__name__)

    def _write_progress(self, step: str, share: float) -> None:
        known = self._progress.get(step)
        if known is not None:
            update_progress_artifact(known, share)
            return
        # Typed as if it might be a coroutine, which it is only within asynchronous flows.
        self._progress[step] = create_progress_artifact(  # type: ignore[assignment]
            share,
            key=f"{artifact_key(self._request.night)}-{step}",
            description=f"{title_of(step)}, night {self._request.night}",
        )

    def _store_report(self, outcome: NightOutcome) -> None:
        store, reports = open_lake(self._request.lake), self._settings.reports
        history, unusual = hold_against_history(store, outcome, self._settings)
        worst = read_worst_cases(store, outcome, reports.worst_cases) if reports.pictures else []
        key = artifact_key(outcome.night)
        create_markdown_artifact(
            format_night_page(outcome, history, unusual, worst),
            key=key,
            description=f"Night {outcome.night}",
        )
        create_table_artifact(list_counts(outcome), key=f"{key}-counts", description="Counts")
        if failures := read_failures(store, outcome):
            create_table_artifact(failures, key=f"{key}-failures", description="Failures")


def hold_against_history(
    store: Lake,
    outcome: NightOutcome,
    settings: Settings,
) -> tuple[list[NightCounts], list[str]]:
    """Return the counts of the nights before a night, and what is unusual about it."""
    history = read_history(store, outcome.night, settings.reports.history_nights)
    limits = UnusualLimits(settings.alerts.least_nights, settings.alerts.deviations)
    return history, find_unusual(counts_of(outcome), history, limits)


def read_worst_cases(store: Lake, outcome: NightOutcome, number: int) -> list[WorstCase]:
    """Return the explained images of the highest probability whose picture may leave the lake."""
    try:
        index, metadata = read_table(store, explanations_index_key(outcome.night))
    except NotRetrievedError:
        return []
    if metadata.get("run_id") != outcome.run_id:
        return []
    shown = index.filter(pc.and_kleene(index["may_leave_lake"], pc.is_valid(index["overlay"])))
    rows = shown.sort_by([("probability", "descending"), ("image_id", "ascending")])
    folder = explanations_prefix(outcome.night)
    return [
        WorstCase(
            image_id=row["image_id"],
            study_id=row["study_id"],
            probability=row["probability"],
            picture=_shrink(store.read(folder + row["overlay"])),
        )
        for row in rows.slice(0, number).to_pylist()
    ]


def read_failures(store: Lake, outcome: NightOutcome) -> list[dict[str, Any]]:
    """Return the images that failed: identifier, reason and detail, by reason."""
    if not any(str(reason) in outcome.by_reason for reason in FAILED_REASONS):
        return []
    rows, _ = read_table(
        store,
        results_key(outcome.night),
        columns=["reason", "detail", "image_id", "study_id"],
    )
    reasons = pa.array(sorted(str(reason) for reason in FAILED_REASONS))
    failed = rows.filter(pc.is_in(rows["reason"], value_set=reasons)).sort_by("reason")
    listed: list[dict[str, Any]] = failed.slice(0, MOST_FAILURES).to_pylist()
    return listed


def _shrink(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    height = max(1, round(image.height * PICTURE_WIDTH / image.width))
    small = image.resize((PICTURE_WIDTH, height), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=PICTURE_QUALITY, optimize=True)
    return buffer.getvalue()
