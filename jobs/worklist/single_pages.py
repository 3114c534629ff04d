"""One image, tried by hand: upload, probability, map, box and, if wished, LIME. Nothing is kept."""

from __future__ import annotations

import base64
from dataclasses import asdict
from typing import Any, Final

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from jobs.explaining_steps import ExplainedImage
from jobs.single_image import Prediction
from jobs.worklist.pages import render
from jobs.worklist.rendering import ShownImage, choose_frame
from jobs.worklist.requests import CurrentReader, FormUpload, Room
from jobs.worklist.room import ReadingRoom

MOST_FRAMES: Final = 24
"""Of a long series the page shows those of the highest probability."""

router = APIRouter(include_in_schema=False)


@router.get("/single")
def show_form(request: Request, room: Room, _: CurrentReader) -> Response:
    """Show the form."""
    return _render(request, room)


@router.post("/single")
async def score_upload(request: Request, room: Room, upload: FormUpload) -> Response:
    """Score an upload and show what came out."""
    with_lime = upload.fields.get("lime") == "yes"
    results = await run_in_threadpool(describe_upload, room, upload.content, with_lime=with_lime)
    return _render(request, room, results)


def describe_upload(
    room: ReadingRoom,
    content: bytes,
    *,
    with_lime: bool,
) -> list[dict[str, Any]]:
    """Score a file and return what the page shows of each of its frames.

    Of more than `MOST_FRAMES` those of the highest probability are shown. With LIME the frame of
    the highest probability is explained, which takes seconds.
    """
    predictions = choose_shown(room.predictor.predict([content])[0])
    pictures = room.renderer.show_bytes(content)
    shown = [choose_frame(pictures, one.row["frame"]) for one in predictions]
    explained = _explain(room, content, predictions) if with_lime else {}
    return [
        _describe(room, prediction, picture, explained.get(number))
        for number, (prediction, picture) in enumerate(zip(predictions, shown, strict=True))
    ]


def choose_shown(predictions: list[Prediction]) -> list[Prediction]:
    """Keep the frames of the highest probability, in the order of the file."""
    order = sorted(
        range(len(predictions)),
        key=lambda number: -(predictions[number].row["probability"] or 0.0),
    )
    return [predictions[number] for number in sorted(order[:MOST_FRAMES])]


def _explain(
    room: ReadingRoom,
    content: bytes,
    predictions: list[Prediction],
) -> dict[int, ExplainedImage]:
    scored = [number for number, one in enumerate(predictions) if one.tumor_map is not None]
    if not scored:
        return {}
    best = max(scored, key=lambda number: predictions[number].row["probability"] or 0.0)
    return {best: room.predictor.explain(content, predictions[best])}


def _describe(
    room: ReadingRoom,
    prediction: Prediction,
    shown: ShownImage,
    explained: ExplainedImage | None,
) -> dict[str, Any]:
    overlay = None
    if explained is not None and explained.overlay is not None and shown.picture is not None:
        overlay = _data_address(explained.overlay)
    return {
        "row": prediction.row,
        "picture": None if shown.picture is None else _data_address(shown.picture.png),
        "problem": shown.problem,
        "marks": asdict(room.marker.mark_prediction(prediction)),
        "overlay": overlay,
        "lime_problem": None if explained is None or overlay is not None else explained.detail,
    }


def _data_address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode()


def _render(
    request: Request,
    room: ReadingRoom,
    results: list[dict[str, Any]] | None = None,
) -> Response:
    card = room.terms.bundle.card
    return render(
        request,
        "single.html",
        results=results,
        bundle=f"{card.name} {card.version}",
        maximum_mebibytes=room.options.maximum_upload_bytes // 1024**2,
        perturbations=room.terms.perturbations,
        most_frames=MOST_FRAMES,
    )
