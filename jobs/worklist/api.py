"""The JSON interface, for programs: nights, studies, and the score of one image.

Its description is at ``/api/openapi.json``.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from jobs.single_image import Prediction
from jobs.worklist.pages import TITLES
from jobs.worklist.requests import FILE_FIELD, CurrentReader, Filter, Night, Room, StudyId, Upload
from jobs.worklist.study_list import (
    cut_page,
    find_study,
    images_of_study,
    order_studies,
)

MOST_NIGHTS: Final = 100

NOTICE: Final = (
    "Assists radiologists, never diagnoses; cleared means not flagged, never discharged."
)


class Problem(BaseModel):
    """What went wrong."""

    error: str
    detail: str


class Record(BaseModel):
    """A frozen answer."""

    model_config = ConfigDict(frozen=True)


class NightRecord(Record):
    """A published night."""

    night: str
    images: int | None
    flagged: int | None
    cleared: int | None
    studies: int | None
    bundle: str | None
    run_id: str | None


class StudyRecord(Record):
    """A study of a night."""

    study_id: str
    decision: str
    reasons: list[str]
    max_probability: float | None
    images: int
    counted: int
    flagged: int
    unreadable: int


class StudyPageRecord(Record):
    """One page of a night's studies, flagged first by risk."""

    night: str
    run_id: str
    page: int
    pages: int
    total: int
    studies: list[StudyRecord]


class ImageRecord(Record):
    """One frame; in pixels of the original image."""

    image_id: str | None = None
    frame: int | None
    decision: str
    reason: str
    probability: float | None
    threshold: float
    detail: str | None
    format: str | None
    width: int | None
    height: int | None
    box_x: int | None
    box_y: int | None
    box_width: int | None
    box_height: int | None
    lesion_area_fraction: float | None


class StudyImagesRecord(StudyRecord):
    """A study and its images."""

    night: str
    run_id: str
    image_records: list[ImageRecord]


class PredictionRecord(Record):
    """What is said of one file: a record for each of its frames."""

    bundle: str
    bundle_digest: str
    notice: str = Field(examples=[NOTICE])
    images: list[ImageRecord]


_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": TITLES[status]}
    for status in (400, 401, 403, 404, 422)
}
_UPLOAD_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": TITLES[status]}
    for status in (400, 401, 403, 413, 415)
}
_UPLOAD_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FILE_FIELD],
                    "properties": {
                        FILE_FIELD: {
                            "type": "string",
                            "format": "binary",
                            "description": "JPEG, PNG, DICOM, NIfTI ...; one file",
                        },
                    },
                },
            },
        },
    },
}

router = APIRouter(prefix="/api/v1", tags=["worklist"])


@router.get("/nights", responses=_PROBLEMS)
def list_nights(room: Room, _: CurrentReader) -> list[NightRecord]:
    """List the latest published nights."""
    summaries = [room.store.summarise(one) for one in room.store.list_nights()[:MOST_NIGHTS]]
    return [
        NightRecord(
            night=one.night.isoformat(),
            images=one.count("rows"),
            flagged=one.count("flagged"),
            cleared=one.count("cleared"),
            studies=one.count("studies"),
            bundle=one.metadata.get("bundle"),
            run_id=one.metadata.get("run_id"),
        )
        for one in summaries
    ]


@router.get("/nights/{night}/studies", responses=_PROBLEMS)
def list_studies(
    snapshot: Night,
    chosen: Filter,
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> StudyPageRecord:
    """List a night's studies, flagged first by risk, a page at a time."""
    cut = cut_page(snapshot, order_studies(snapshot, chosen), page)
    return StudyPageRecord(
        night=snapshot.night.isoformat(),
        run_id=snapshot.run_id,
        page=cut.number,
        pages=cut.pages,
        total=cut.total,
        studies=[StudyRecord(**_only(StudyRecord, one)) for one in cut.studies],
    )


@router.get("/nights/{night}/studies/{study_id}", responses=_PROBLEMS)
def show_study(snapshot: Night, study_id: StudyId) -> StudyImagesRecord:
    """Show a study and its images."""
    study = find_study(snapshot, study_id)
    if study is None:
        raise HTTPException(404, "There is no such study in this night.")
    images = images_of_study(snapshot, study_id)
    return StudyImagesRecord(
        **_only(StudyRecord, study),
        night=snapshot.night.isoformat(),
        run_id=snapshot.run_id,
        image_records=[ImageRecord(**_only(ImageRecord, one)) for one in images],
    )


@router.post("/predict", responses=_UPLOAD_PROBLEMS, openapi_extra=_UPLOAD_BODY)
async def predict(room: Room, upload: Upload) -> PredictionRecord:
    """Score one image as a night would. Nothing is stored."""
    predictions = await run_in_threadpool(room.predictor.predict, [upload.content])
    card = room.terms.bundle.card
    return PredictionRecord(
        bundle=f"{card.name} {card.version}",
        bundle_digest=room.terms.bundle.digest,
        notice=NOTICE,
        images=[_to_record(one) for one in predictions[0]],
    )


def _to_record(prediction: Prediction) -> ImageRecord:
    told = _only(ImageRecord, prediction.row) | {"image_id": None}
    return ImageRecord(**told)


def _only(kind: type[BaseModel], row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in kind.model_fields if name in row}
