"""Published nights as the worklist reads them: few columns, kept by etag, never a mixture.

A night is a *snapshot*: its rows, and the studies and explanations of the same run. While a night
is published anew, its studies are replaced before its results. Whoever looks in between gets the
old snapshot if it was read before, else studies that are judged from the old rows again, with every
doubt against clearing.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from jobs.lake import Lake, LakeObject
from jobs.night_keys import explanations_index_key, results_key, studies_key
from jobs.parquet_objects import read_table
from jobs.published_night import list_results, night_of, read_of_run
from jobs.scanners import name_scanners
from jobs.schemas import EXPLANATIONS, RESULTS, STUDIES, conform
from jobs.studies import JUDGED_REASONS, make_studies
from model.errors import NotRetrievedError, OutputError

LISTED: Final = (
    "image_id",
    "object_key",
    "etag",
    "frame",
    "format",
    "study_id",
    "counts_for_study",
    "decision",
    "reason",
    "detail",
    "probability",
    "threshold",
    "box_x",
    "box_y",
    "box_width",
    "box_height",
    "lesion_area_fraction",
    "width",
    "height",
    "manufacturer",
    "scanner_model",
    "field_strength_tesla",
    "pixel_spacing_mm",
    "plane",
    "sequence",
)
"""Columns of the results that the worklist shows or needs; the others are never read."""

REPEATED: Final = (
    "format",
    "decision",
    "reason",
    "manufacturer",
    "scanner_model",
    "plane",
    "sequence",
    "study_id",
)
"""Columns with few different values: kept as a dictionary, a tenth of the memory."""

NIGHTS_KEPT: Final = 4
SUMMARIES_KEPT: Final = 400
TRIES: Final = 4
PAUSE_SECONDS: Final = 0.05

_SCHEMA: Final = pa.schema([RESULTS.field(name) for name in LISTED])


@dataclass(frozen=True)
class NightSnapshot:
    """A published night, all of one run.

    Attributes:
        night: which.
        etag: of its results.
        images: `LISTED` columns and `scanner`, sorted by key and frame as they were published.
        studies: `STUDIES`.
        explanations: `EXPLANATIONS` of the same run, or None.
        metadata: see `jobs.publish.describe`.
    """

    night: date
    etag: str
    images: pa.Table
    studies: pa.Table
    explanations: pa.Table | None
    metadata: Mapping[str, str]

    @property
    def run_id(self) -> str:
        """Of the run that published."""
        return self.metadata.get("run_id", "")

    @property
    def bundle_digest(self) -> str:
        """Of the model that scored."""
        return self.metadata.get("bundle_digest", "")


@dataclass(frozen=True)
class NightSummary:
    """A published night in a line.

    Attributes:
        night: which.
        metadata: see `jobs.publish.describe`; empty if the night cannot be read.
    """

    night: date
    metadata: Mapping[str, str]

    def count(self, name: str) -> int | None:
        """Return one of the counts, or None if it is not told."""
        text = self.metadata.get(name, "")
        return int(text) if text.isdigit() else None


class NightStore:
    """Reads nights and keeps the last few; safe to use from several threads."""

    def __init__(self, lake: Lake, pause: Callable[[float], None] = time.sleep) -> None:
        """Take the lake; nothing is read yet."""
        self.lake = lake
        self._pause = pause
        self._snapshots: OrderedDict[date, NightSnapshot] = OrderedDict()
        self._summaries: OrderedDict[str, NightSummary] = OrderedDict()
        self._lock = threading.Lock()
        self._reading: dict[date, threading.Lock] = {}

    def list_nights(self) -> list[LakeObject]:
        """List the results of the published nights, the latest first."""
        return list_results(self.lake)[::-1]

    def summarise(self, results: LakeObject) -> NightSummary:
        """Read the counts of a night, of which nothing but the footer is decoded."""
        version = f"{results.key} {results.etag}"
        with self._lock:
            known = self._summaries.get(version)
        if known is None:
            known = NightSummary(night_of(results), self._read_metadata(results))
            with self._lock:
                self._summaries[version] = known
                while len(self._summaries) > SUMMARIES_KEPT:
                    self._summaries.popitem(last=False)
        return known

    def open_night(self, night: date) -> NightSnapshot | None:
        """Return a night as it is published now, or None if it never was.

        Raises:
            OutputError: if it cannot be read as the tables that it should be.
        """
        with self._lock:
            reading = self._reading.setdefault(night, threading.Lock())
        with reading:  # two readers of one night need not read it twice
            found = self.lake.head(results_key(night))
            if found is None:
                return None
            with self._lock:
                kept = self._snapshots.get(night)
                if kept is not None and kept.etag == found.etag:
                    self._snapshots.move_to_end(night)
                    return kept
            snapshot = self._read(night)
            if snapshot is not None:
                self._keep(snapshot)
            return snapshot

    def _keep(self, snapshot: NightSnapshot) -> None:
        with self._lock:
            self._snapshots[snapshot.night] = snapshot
            self._snapshots.move_to_end(snapshot.night)
            while len(self._snapshots) > NIGHTS_KEPT:
                self._snapshots.popitem(last=False)

    def _read(self, night: date) -> NightSnapshot | None:
        error: Exception | None = None
        for _ in range(TRIES):
            found = self.lake.head(results_key(night))
            if found is None:
                return None
            try:
                return self._read_version(night, found.etag)
            except NotRetrievedError as changed:
                error = changed  # published anew since `head`: once more
            except (pa.ArrowException, OSError, KeyError, ValueError) as damaged:
                error = damaged
                break
            self._pause(PAUSE_SECONDS)
        name = type(error).__name__
        message = (
            f"the published night {night} cannot be read ({name}): expected the tables as the "
            "nightly job writes them; run the night again"
        )
        raise OutputError(message)

    def _read_version(self, night: date, etag: str) -> NightSnapshot:
        key = results_key(night)
        table, metadata = read_table(self.lake, key, etag=etag, columns=LISTED, skip_absent=True)
        images = conform(table, _SCHEMA)
        run_id = metadata.get("run_id")
        studies = read_of_run(self.lake, studies_key(night), STUDIES, run_id)
        for _ in range(TRIES):
            if studies is not None:
                break
            self._pause(PAUSE_SECONDS)
            found = self.lake.head(key)
            if found is None or found.etag != etag:
                message = "the night was published anew"
                raise NotRetrievedError(message)
            studies = read_of_run(self.lake, studies_key(night), STUDIES, run_id)
        if studies is None:
            studies = judge_again(images, run_id or "")
        explanations = read_of_run(self.lake, explanations_index_key(night), EXPLANATIONS, run_id)
        return NightSnapshot(night, etag, _compact(images), studies, explanations, metadata)

    def _read_metadata(self, results: LakeObject) -> Mapping[str, str]:
        try:
            _, metadata = read_table(self.lake, results.key, etag=results.etag, columns=[])
        except (NotRetrievedError, pa.ArrowException, OSError, KeyError, ValueError):
            return {}
        return metadata


def judge_again(images: pa.Table, run_id: str) -> pa.Table:
    """Judge the studies of published rows, whose own table is gone.

    The rows do not say which studies could not be read. Whatever could not be opened, and is a
    DICOM or may be one, counts as such, so that more studies are flagged than were, never fewer.

    Args:
        images: columns of `RESULTS`.
        run_id: of the run that published them.

    Returns:
        `STUDIES`.
    """
    judged = pa.array(sorted(str(reason) for reason in JUDGED_REASONS))
    unseen = pc.invert(pc.is_in(images["reason"], value_set=judged))
    may_be_dicom = pc.fill_null(pc.equal(images["format"], "dicom"), fill_value=True)
    folders = pc.replace_substring_regex(images["object_key"], "/?[^/]*$", "")
    places = pa.table(
        {
            "study_known": pc.invert(pc.and_(unseen, may_be_dicom)),
            "folder_id": folders,
        }
    )
    return make_studies(images, places, run_id)


def _compact(images: pa.Table) -> pa.Table:
    with_scanner = images.append_column("scanner", name_scanners(images))
    for name in (*REPEATED, "scanner"):
        position = with_scanner.column_names.index(name)
        encoded = pc.dictionary_encode(with_scanner[name]).combine_chunks()
        with_scanner = with_scanner.set_column(position, name, encoded)
    return with_scanner
