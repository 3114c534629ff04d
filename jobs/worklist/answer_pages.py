"""Answers, the way to the PACS, signing in and out."""

from __future__ import annotations

import logging
from datetime import UTC
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request
from fastapi import Form as FormField
from fastapi.responses import RedirectResponse
from starlette.responses import Response

from jobs.audit_log import record_event
from jobs.feedback import (
    Answer,
    FeedbackAnswer,
    NoteRefusedError,
    Purpose,
    check_note,
    read_finding,
    write_answer,
)
from jobs.lake import LakeObject
from jobs.worklist.access import COOKIE, PACS, AccessRefusedError, Reader, read_token
from jobs.worklist.night_store import NightSnapshot
from jobs.worklist.pages import render
from jobs.worklist.requests import CurrentReader, Form, Night, Room, StudyId
from jobs.worklist.room import ReadingRoom
from jobs.worklist.study_list import choose_for_double_reading, find_study, images_of_study
from model.errors import ConfigurationError
from model.reasons import Decision

LOG = logging.getLogger(__name__)

router = APIRouter(include_in_schema=False)


@router.post("/nights/{night}/studies/{study_id}/answers")
def take_answer(
    room: Room, snapshot: Night, study_id: StudyId, reader: CurrentReader, form: Form
) -> Response:
    """Store an answer, then lead back; whoever is led back has been told the truth."""
    answer = make_answer(room, snapshot, study_id, reader, form)
    try:
        write_answer(room.lake, answer)
    except ConfigurationError as error:
        raise HTTPException(409, str(error)) from None
    LOG.info("answer %s by %s, study %s", answer.answer, reader.name, study_id)
    night = snapshot.night.isoformat()
    if answer.purpose is Purpose.DOUBLE_READING:
        where = f"/nights/{night}/double-reading?saved={answer.answer}"
        if answer.answer is Answer.NOTE:
            where += f"&study={study_id}"
        return RedirectResponse(where, 303)
    back = form.get("query", "")
    image = f"&image={answer.image_id}" if answer.image_id else ""
    more = f"&{back}" if back and len(back) < 1000 and "\n" not in back else ""  # noqa: PLR2004
    where = f"/nights/{night}/studies/{study_id}?saved={answer.answer}{image}{more}"
    return RedirectResponse(quote(where, safe="/?&=%+-._~"), 303)


def make_answer(
    room: ReadingRoom,
    snapshot: NightSnapshot,
    study_id: str,
    reader: Reader,
    form: Form,
) -> FeedbackAnswer:
    """Make the answer that a form says.

    Raises:
        HTTPException: if it says none, or one about something else than was shown.
    """
    study = find_study(snapshot, study_id)
    if study is None:
        raise HTTPException(404, "There is no such study in this night.")
    if form.get("run_id") != snapshot.run_id:
        message = (
            "The night was published anew while you were reading, so nothing was stored: open the "
            "study again and look at what is said of it now."
        )
        raise HTTPException(409, message)
    try:
        answer, purpose = Answer(form.get("answer", "")), Purpose(form.get("purpose", ""))
        note = check_note(form.get("note", ""))
    except NoteRefusedError as error:
        raise HTTPException(400, f"Nothing was stored: {error}.") from None
    except ValueError:
        message = "Nothing was stored: expected confirm, reject, unsure or note."
        raise HTTPException(400, message) from None
    if answer is Answer.NOTE and note is None:
        raise HTTPException(400, "Nothing was stored: the note is empty.")
    if purpose is Purpose.DOUBLE_READING and study_id not in choose_for_double_reading(
        snapshot, room.options.double_readings
    ):
        raise HTTPException(400, "Nothing was stored: this study is not in the random sample.")
    images = images_of_study(snapshot, study_id)
    shown = form.get("image_id", "")
    decision = Decision(study["decision"])
    return FeedbackAnswer(
        answer_id=form.get("answer_id", ""),
        answered_at=room.options.now().astimezone(UTC),
        reader=reader.name,
        night=snapshot.night,
        study_id=study_id,
        image_id=shown if any(one["image_id"] == shown for one in images) else None,
        answer=answer,
        finding=read_finding(answer, decision),
        purpose=purpose,
        note=note,
        decision=decision,
        max_probability=study["max_probability"],
        threshold=images[0]["threshold"],
        bundle_digest=snapshot.bundle_digest,
        run_id=snapshot.run_id,
    )


@router.post("/nights/{night}/studies/{study_id}/pacs")
def open_in_pacs(
    room: Room, snapshot: Night, study_id: StudyId, reader: CurrentReader, _: Form
) -> Response:
    """Lead to the study in the PACS viewer; its identifier is read now, and kept nowhere."""
    template = room.options.pacs_url
    if template is None:
        raise HTTPException(404, "No PACS viewer is configured (worklist.pacs_url).")
    if PACS not in reader.roles:
        message = "Your account may not open studies in the PACS: ask for the role pacs."
        raise HTTPException(403, message)
    study_uid = _find_study_uid(room, snapshot, study_id)
    if study_uid is None:
        message = "No object of this study names a DICOM study that the PACS could open."
        raise HTTPException(404, message)
    # Before the deed, as all events are.
    facts = {
        "night": snapshot.night.isoformat(),
        "study_id": study_id,
        "reader": reader.name.replace("@", ":"),
    }
    record_event(room.lake, "pacs_link", facts, room.options.now())
    return RedirectResponse(template.replace("{study_uid}", quote(study_uid, safe="")), 303)


@router.get("/sign-in")
def show_sign_in(request: Request) -> Response:
    """Ask for the token."""
    return render(request, "sign_in.html", message="")


@router.post("/sign-in")
def sign_in(request: Request, room: Room, token: Annotated[str, FormField()] = "") -> Response:
    """Take a token; the browser keeps it where no script can read it."""
    policy = room.options.policy
    if policy.mode != "token":
        return RedirectResponse("/nights", 303)
    try:
        read_token(policy.secret, token.strip(), room.options.now())
    except AccessRefusedError as error:
        message = f"{str(error).capitalize()}."
        return render(request, "sign_in.html", 401, message=message)
    answer = RedirectResponse("/nights", 303)
    secure = request.url.scheme == "https"
    answer.set_cookie(COOKIE, token.strip(), httponly=True, samesite="strict", secure=secure)
    return answer


@router.post("/sign-out")
def sign_out(_: Form) -> Response:
    """Forget the token."""
    answer = RedirectResponse("/sign-in", 303)
    answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return answer


def _find_study_uid(room: ReadingRoom, snapshot: NightSnapshot, study_id: str) -> str | None:
    for row in images_of_study(snapshot, study_id):
        if row["format"] == "dicom":
            source = LakeObject(row["object_key"], row["etag"], 0)
            shown = room.renderer.show_object(room.lake, source, row["frame"])
            if shown.study_uid is not None:
                return shown.study_uid
    return None
