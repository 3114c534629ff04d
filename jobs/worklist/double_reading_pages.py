"""The pages of double reading: cleared studies, drawn at random, read once more."""

from __future__ import annotations

from datetime import date
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from jobs.feedback import choose_current
from jobs.published_night import night_of
from jobs.worklist.night_pages import NIGHTS_A_PAGE, FilterText, describe_study
from jobs.worklist.pages import render, tell_night
from jobs.worklist.requests import CurrentReader, Night, Room
from jobs.worklist.room import ReadingRoom
from jobs.worklist.study_list import choose_for_double_reading, find_study, images_of_study

router = APIRouter(include_in_schema=False)


@router.get("/double-reading")
def show_double_reading(request: Request, room: Room, reader: CurrentReader) -> Response:
    """Show which cleared studies wait for a second pair of eyes."""
    nights = [night_of(one) for one in room.store.list_nights()[:NIGHTS_A_PAGE]]
    queues = [_describe_queue(room, night, reader.name) for night in nights]
    return render(request, "double_reading.html", queues=[one for one in queues if one])


@router.get("/nights/{night}/double-reading")
def show_next_to_double_read(
    request: Request,
    room: Room,
    snapshot: Night,
    reader: CurrentReader,
    saved: FilterText = "",
    image: FilterText = "",
    study: FilterText = "",
) -> Response:
    """Show the next cleared study of the night's random sample that this reader did not read."""
    chosen = choose_for_double_reading(snapshot, room.options.double_readings)
    waiting = find_waiting(room, snapshot.night, reader.name, chosen)
    current = study if study in chosen else next(iter(waiting), None)
    found = None if current is None else find_study(snapshot, current)
    if found is None:
        return RedirectResponse("/double-reading", 303)
    images = images_of_study(snapshot, found["study_id"])
    shown = next((one for one in images if one["image_id"] == image), images[0])
    return render(
        request,
        "study.html",
        **describe_study(room, snapshot, found, images, shown),
        rank=len(chosen) - len(waiting) + 1,
        before=None,
        after=None,
        query="",
        saved=saved if saved in {"confirm", "reject", "unsure", "note"} else "",
        purpose="double_reading",
    )


def find_waiting(room: ReadingRoom, night: date, reader: str, chosen: list[str]) -> list[str]:
    """Return those of the chosen studies that a reader has not answered yet."""
    answers = choose_current(room.answers.of_night(night))
    done = {one.study_id for one in answers if one.reader == reader}
    return [one for one in chosen if one not in done]


def _describe_queue(room: ReadingRoom, night: date, reader: str) -> dict[str, Any] | None:
    snapshot = room.store.open_night(night)
    if snapshot is None:
        return None
    chosen = choose_for_double_reading(snapshot, room.options.double_readings)
    return {
        "night": night.isoformat(),
        "title": tell_night(night),
        "chosen": len(chosen),
        "waiting": len(find_waiting(room, night, reader, chosen)),
    }
