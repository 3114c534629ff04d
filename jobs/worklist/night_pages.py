"""The pages of nights, studies and images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import JSONResponse, RedirectResponse
from starlette.responses import Response

from jobs.feedback import choose_current, count_answers
from jobs.lake import LakeObject
from jobs.night_keys import explanations_prefix
from jobs.published_night import night_of
from jobs.worklist.night_store import NightSnapshot
from jobs.worklist.pages import render, tell_night
from jobs.worklist.rendering import WITHHELD, ShownImage
from jobs.worklist.requests import CurrentReader, Filter, ImageId, Night, Room, StudyId
from jobs.worklist.room import ReadingRoom
from jobs.worklist.study_list import (
    StudyFilter,
    choose_first_image,
    cut_page,
    find_image,
    find_neighbours,
    find_study,
    images_of_study,
    list_choices,
    order_studies,
)
from model.errors import ImageError
from model.reasons import Decision

NIGHTS_A_PAGE: Final = 14
PICTURE_SECONDS: Final = 600
"""A browser keeps a picture so long, and only for this reader: its address names one version."""

router = APIRouter(include_in_schema=False)

PageNumber = Annotated[int, Query(ge=1, le=1_000_000)]
FilterText = Annotated[str, Query(max_length=120)]


@router.get("/")
def show_start(_: CurrentReader) -> Response:
    """Lead to the nights."""
    return RedirectResponse("/nights", 303)


@router.get("/nights")
def show_nights(request: Request, room: Room, _: CurrentReader, page: PageNumber = 1) -> Response:
    """Show the published nights, the latest first."""
    listed = room.store.list_nights()
    pages = max(1, -(-len(listed) // NIGHTS_A_PAGE))
    page = min(page, pages)
    some = listed[(page - 1) * NIGHTS_A_PAGE : page * NIGHTS_A_PAGE]
    nights = [
        {
            "night": night_of(one).isoformat(),
            "title": tell_night(night_of(one)),
            "summary": room.store.summarise(one),
            "answers": len(choose_current(room.answers.of_night(night_of(one)))),
        }
        for one in some
    ]
    return render(request, "nights.html", nights=nights, page=page, pages=pages, total=len(listed))


@router.get("/nights/{night}")
def show_night(
    request: Request,
    room: Room,
    snapshot: Night,
    chosen: Filter,
    page: PageNumber = 1,
    run: FilterText = "",
) -> Response:
    """Show a night's studies, flagged first by risk."""
    studies = cut_page(snapshot, order_studies(snapshot, chosen), page)
    return render(
        request,
        "night.html",
        night=snapshot.night.isoformat(),
        title=tell_night(snapshot.night),
        metadata=snapshot.metadata,
        studies=studies,
        choices=list_choices(snapshot),
        chosen=asdict(chosen),
        query=_query_of(chosen),
        answers=count_answers(room.answers.of_night(snapshot.night)),
        run_id=snapshot.run_id,
        replaced=bool(run) and run != snapshot.run_id,
    )


@router.get("/nights/{night}/studies/{study_id}")
def show_study(
    request: Request,
    room: Room,
    snapshot: Night,
    study_id: StudyId,
    chosen: Filter,
    image: FilterText = "",
    saved: FilterText = "",
) -> Response:
    """Show one image of a study, the others beside it, and take an answer."""
    study = find_study(snapshot, study_id)
    if study is None:
        raise HTTPException(404, "There is no such study in this night.")
    images = images_of_study(snapshot, study_id)
    shown = next((one for one in images if one["image_id"] == image), None)
    if shown is None:
        shown = dict(choose_first_image(images))
    rank, before, after = find_neighbours(order_studies(snapshot, chosen), study_id)
    return render(
        request,
        "study.html",
        **describe_study(room, snapshot, study, images, shown),
        rank=rank,
        before=before,
        after=after,
        query=_query_of(chosen),
        saved=saved if saved in {"confirm", "reject", "unsure", "note"} else "",
        purpose="worklist",
    )


def describe_study(
    room: ReadingRoom,
    snapshot: NightSnapshot,
    study: Mapping[str, Any],
    images: list[dict[str, Any]],
    shown: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what the page of a study shows, whatever it was opened for."""
    position = next(
        number for number, one in enumerate(images) if one["image_id"] == shown["image_id"]
    )
    night = snapshot.night.isoformat()
    return {
        "night": night,
        "night_title": tell_night(snapshot.night),
        "study": study,
        "images": images,
        "shown": shown,
        "position": position,
        "picture": _show(room, shown),
        "address": f"/nights/{night}/images/{shown['image_id']}",
        "explained": _find_explanation(room, snapshot, shown["image_id"]),
        "answers": sorted(
            (one for one in room.answers.of_night(snapshot.night) if _is_of(one, study)),
            key=lambda one: one.answered_at,
        ),
        "answer_run": snapshot.run_id,
        "has_pacs": room.options.pacs_url is not None,
        "cleared": study["decision"] == str(Decision.CLEARED),
    }


@router.get("/nights/{night}/images/{image_id}/picture.png")
def send_picture(room: Room, snapshot: Night, image_id: ImageId) -> Response:
    """Send the picture of an image."""
    shown = _show(room, _require_image(snapshot, image_id))
    if shown.picture is None:
        raise HTTPException(404, shown.problem or WITHHELD)
    return _picture(shown.picture.png)


@router.get("/nights/{night}/images/{image_id}/marks.json")
def send_marks(room: Room, snapshot: Night, image_id: ImageId) -> Response:
    """Send what is laid over the picture of an image."""
    row = _require_image(snapshot, image_id)
    marks = room.marker.mark_row(room.lake, row, snapshot.bundle_digest)
    return JSONResponse(asdict(marks))


@router.get("/nights/{night}/images/{image_id}/lime.png")
def send_explanation(room: Room, snapshot: Night, image_id: ImageId) -> Response:
    """Send the night's explanation of an image."""
    row = _find_explanation(room, snapshot, image_id)
    if row is None:
        raise HTTPException(404, "The night has no explanation of this image that may be shown.")
    folder = explanations_prefix(snapshot.night)
    try:
        if not _is_of_bundle(room.lake.read(folder + row["weights"]), snapshot.bundle_digest):
            message = "The night is being published anew: its explanations are not ready yet."
            raise HTTPException(404, message)
        return _picture(room.lake.read(folder + row["overlay"]))
    except ImageError:
        message = "The explanation is not kept any longer (see retention)."
        raise HTTPException(404, message) from None


def _show(room: ReadingRoom, row: Mapping[str, Any]) -> ShownImage:
    if row["frame"] is None:
        return ShownImage(None, row["detail"] or "This object could not be opened.")
    source = LakeObject(row["object_key"], row["etag"], 0)
    return room.renderer.show_object(room.lake, source, row["frame"])


def _require_image(snapshot: NightSnapshot, image_id: str) -> dict[str, Any]:
    row = find_image(snapshot, image_id)
    if row is None:
        raise HTTPException(404, "There is no such image in this night.")
    return row


def _find_explanation(
    room: ReadingRoom,
    snapshot: NightSnapshot,
    image_id: str,
) -> dict[str, Any] | None:
    if snapshot.explanations is None:
        return None
    for row in snapshot.explanations.to_pylist():
        may_be_shown = row["may_leave_lake"] or room.options.show_unsure_pictures
        complete = row["overlay"] is not None and row["weights"] is not None
        if row["image_id"] == image_id and complete and may_be_shown:
            found: dict[str, Any] = row
            return found
    return None


def _is_of_bundle(weights: bytes, digest: str) -> bool:
    try:
        return bool(json.loads(weights)["bundle_digest"] == digest)
    except (ValueError, KeyError, TypeError):
        return False


def _is_of(answer: Any, study: Mapping[str, Any]) -> bool:  # noqa: ANN401 - a FeedbackAnswer
    return bool(answer.study_id == study["study_id"])


def _picture(png: bytes) -> Response:
    headers = {"cache-control": f"private, max-age={PICTURE_SECONDS}"}
    return Response(png, media_type="image/png", headers=headers)


def _query_of(chosen: StudyFilter) -> str:
    return urlencode({name: value for name, value in asdict(chosen).items() if value})
