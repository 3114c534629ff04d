"""From what is known of an image to a row of `jobs.schemas.SCORES`. Nothing here does I/O."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, TypeAlias

import pandas as pd
import pyarrow as pa

from jobs.decoding_messages import ImageFailure
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeObject
from jobs.schemas import SCORES
from model.images import Acquisition, Box
from model.reasons import Reason

Row: TypeAlias = Mapping[str, object]
"""One row of `SCORES`, by column; columns left out are null."""

StudyFrom: TypeAlias = Literal["dicom_or_folder", "folder", "image"]
"""What study an image belongs to: see `place_in_study`."""

DICOM: Final = "dicom"
LONGEST_DETAIL: Final = 300  # characters; a codec's message must not fill the table


@dataclass(frozen=True)
class Picture:
    """What is known of one decoded frame besides its pixels.

    Attributes:
        format: ``jpeg``, ``png``, ``dicom`` ...
        frame: index in the object, from 0.
        width: pixels of the object's own image.
        height: pixels of the object's own image.
        study_uid: DICOM StudyInstanceUID, or None.
        acquisition: scanner fields.
        detail: something a reader of the row should know, or None.
        brightness: mean gray of the decoded picture, 0..1, or None.
    """

    format: str
    frame: int
    width: int
    height: int
    study_uid: str | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    detail: str | None = None
    brightness: float | None = None


@dataclass(frozen=True)
class Score:
    """What the network says of one frame.

    Attributes:
        probability: calibrated, 0..1; anything else becomes null and is flagged at publish.
        scope_score: 0 (surely not brain MR) to 1.
        box: the suspected lesion in pixels of the original, or None.
        lesion_area_fraction: of the picture, 0..1.
    """

    probability: float
    scope_score: float
    box: Box | None
    lesion_area_fraction: float


@dataclass(frozen=True)
class StudyPlace:
    """Which study an image belongs to.

    Attributes:
        study_id: keyed hash.
        known: false where the object would have told its study, had it been readable.
        folder_id: keyed hash of the object's folder; None at the night's root.
    """

    study_id: str
    known: bool
    folder_id: str | None


@dataclass(frozen=True)
class RowMaker:
    """Makes the rows of one night's objects.

    Attributes:
        identifiers: the key of the hashes.
        night_folder: the night's root in the lake, ending in a slash.
        study_from: what study an image belongs to.
        scored_at: written into every row.
    """

    identifiers: IdentifierKey
    night_folder: str
    study_from: StudyFrom
    scored_at: datetime

    def scored(self, source: LakeObject, picture: Picture, score: Score) -> Row:
        """Make the row of a frame that the network has seen."""
        box = score.box
        return {
            **self._object_columns(source, picture.frame, self._place(source, picture.study_uid)),
            **_picture_columns(picture),
            "counts_for_study": True,
            "probability": _finite(score.probability),
            "scope_score": _finite(score.scope_score),
            "box_x": box.x if box else None,
            "box_y": box.y if box else None,
            "box_width": box.width if box else None,
            "box_height": box.height if box else None,
            "lesion_area_fraction": _finite(score.lesion_area_fraction),
        }

    def failed(
        self,
        source: LakeObject,
        failure: ImageFailure,
        *,
        frame: int | None = None,
        study_uid: str | None = None,
    ) -> Row:
        """Make the row of an object, or of one frame of it, that could not be scored.

        Args:
            source: the object.
            failure: why; where it knows the study, that one counts.
            frame: None if the object could not be opened at all.
            study_uid: what the object's other frames said.
        """
        known_uid = failure.study_uid or study_uid
        # A JPEG names no study, readable or not; only a DICOM, or what may be one, would have.
        unread = known_uid is None and failure.format in (None, DICOM)
        place = self._place(source, known_uid, unread=unread)
        return {
            **self._object_columns(source, frame, place),
            # Only what is positively recognised as no diagnostic image is left out of its study.
            "counts_for_study": failure.reason is not Reason.NON_DIAGNOSTIC,
            "format": failure.format,
            "failure": str(failure.reason),
            "detail": failure.detail[:LONGEST_DETAIL] or None,
        }

    def _place(
        self,
        source: LakeObject,
        study_uid: str | None,
        *,
        unread: bool = False,
    ) -> StudyPlace:
        folder = folder_below(source.key, self.night_folder)
        return place_in_study(
            source,
            folder,
            study_uid,
            study_from=self.study_from,
            unread=unread,
            identifiers=self.identifiers,
        )

    def _object_columns(self, source: LakeObject, frame: int | None, place: StudyPlace) -> Row:
        return {
            "image_id": self.identifiers.image_id(source.key, source.etag, frame),
            "object_key": source.key,
            "etag": source.etag,
            "size_bytes": source.size_bytes,
            "frame": frame,
            "study_id": place.study_id,
            "study_known": place.known,
            "folder_id": place.folder_id,
            "scored_at": self.scored_at,
        }


def place_in_study(  # noqa: PLR0913 - the rule has these inputs
    source: LakeObject,
    folder: str | None,
    study_uid: str | None,
    *,
    study_from: StudyFrom,
    unread: bool,
    identifiers: IdentifierKey,
) -> StudyPlace:
    """Decide which study an image belongs to.

    ``dicom_or_folder``: the DICOM study if the file names one, else the folder, else the object
    itself. ``folder``: the folder, else the object itself. ``image``: the object itself, all its
    frames. The three kinds are hashed with different prefixes and never meet.

    Args:
        source: the object.
        folder: its folder, None at the night's root (`folder_below`).
        study_uid: DICOM StudyInstanceUID, or None.
        study_from: the rule.
        unread: the object could not be read, so that a study_uid of None says nothing.
        identifiers: the key of the hashes.
    """
    by_uid = study_from == "dicom_or_folder" and study_uid is not None
    by_folder = study_from != "image" and folder is not None
    if by_uid:
        text = f"uid:{study_uid}"
    elif by_folder:
        text = f"folder:{folder}"
    else:
        text = f"object:{source.key}"
    return StudyPlace(
        study_id=identifiers.study_id(text),
        known=not (unread and study_from == "dicom_or_folder"),
        folder_id=None if folder is None else identifiers.folder_id(folder),
    )


def folder_below(key: str, night_folder: str) -> str | None:
    """Return an object's folder, as a full key; None if it lies at the night's root.

    The night is part of it: the folder of the same name on another night is another one.
    """
    folder = key.removeprefix(night_folder).rpartition("/")[0]
    return f"{night_folder}{folder}" if folder else None


def rows_to_table(rows: Iterable[Row]) -> pa.Table:
    """Put rows into a table with the columns of `SCORES`."""
    return pa.Table.from_pylist([dict(row) for row in rows], schema=SCORES)


def rows_to_frame(rows: Iterable[Row]) -> pd.DataFrame:
    """Put rows into a frame with the columns of `SCORES`, integers with nulls kept as integers."""
    frame: pd.DataFrame = rows_to_table(rows).to_pandas(types_mapper=_NULLABLE_TYPES.get)
    return frame


_NULLABLE_TYPES: Final = {
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}


def _picture_columns(picture: Picture) -> Row:
    acquisition = picture.acquisition
    return {
        "format": picture.format,
        "width": picture.width,
        "height": picture.height,
        "brightness": picture.brightness,
        "detail": picture.detail,
        "manufacturer": acquisition.manufacturer,
        "scanner_model": acquisition.scanner_model,
        "field_strength_tesla": acquisition.field_strength_tesla,
        "pixel_spacing_mm": acquisition.pixel_spacing_mm,
        "plane": acquisition.plane,
        "sequence": acquisition.sequence,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
