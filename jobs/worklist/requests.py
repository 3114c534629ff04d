"""What the routes ask of a request: the room, who makes it, a form, an upload, a night."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final

from fastapi import Depends, HTTPException, Path, Query, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from jobs.worklist.access import COOKIE, AccessRefusedError, Reader, identify, is_form_key
from jobs.worklist.night_store import NightSnapshot
from jobs.worklist.room import ReadingRoom
from jobs.worklist.study_list import StudyFilter

LARGEST_FIELD: Final = 16 * 1024
MOST_FIELDS: Final = 20
FILE_FIELD: Final = "image"
NIGHT_PATTERN: Final = r"^\d{4}-\d{2}-\d{2}$"
ID_PATTERN: Final = r"^[0-9a-f]{24}$"

NightText = Annotated[str, Path(pattern=NIGHT_PATTERN, examples=["2026-11-20"])]
StudyId = Annotated[str, Path(pattern=ID_PATTERN)]
ImageId = Annotated[str, Path(pattern=ID_PATTERN)]

_FORM_KEY: Final = re.compile(r"[0-9a-f]{64}")


class SignInNeededError(Exception):
    """Nobody who may come in; the message may be shown."""


@dataclass(frozen=True)
class UploadedImage:
    """A file that was sent, and the fields beside it. It is held in memory and nowhere else."""

    content: bytes
    fields: Mapping[str, str]


def get_room(request: Request) -> ReadingRoom:
    """Return the room."""
    room: ReadingRoom = request.app.state.room
    return room


Room = Annotated[ReadingRoom, Depends(get_room)]


def get_filter(
    decision: Annotated[str, Query(max_length=20)] = "",
    reason: Annotated[str, Query(max_length=40)] = "",
    scanner: Annotated[str, Query(max_length=120)] = "",
    plane: Annotated[str, Query(max_length=20)] = "",
) -> StudyFilter:
    """Return which studies are asked for; an empty field lets all of them through."""
    return StudyFilter(decision or None, reason or None, scanner or None, plane or None)


Filter = Annotated[StudyFilter, Depends(get_filter)]


async def get_reader(request: Request, room: Room) -> Reader:
    """Return who makes the request.

    Raises:
        SignInNeededError: if nobody who may come in.
    """
    policy, now = room.options.policy, room.options.now()
    try:
        reader = identify(policy, request.headers, request.cookies.get(COOKIE, ""), now)
    except AccessRefusedError as error:
        raise SignInNeededError(str(error)) from None
    request.state.reader = reader
    return reader


CurrentReader = Annotated[Reader, Depends(get_reader)]


async def read_form(request: Request, room: Room, reader: CurrentReader) -> Mapping[str, str]:
    """Return the fields of a form that this reader was shown.

    Raises:
        HTTPException: 403 if the form was not made for this reader, 400 if it is none.
    """
    try:
        async with request.form(max_files=0, max_fields=MOST_FIELDS) as form:
            fields = {name: str(value) for name, value in form.items()}
    except MultiPartException as error:
        raise HTTPException(400, error.message) from None
    _require_form_key(room, reader, fields)
    return fields


Form = Annotated[Mapping[str, str], Depends(read_form)]


async def read_upload(request: Request, room: Room, _reader: CurrentReader) -> UploadedImage:
    """Return the one file of a request; it never touches the disk.

    Raises:
        HTTPException: 400 if there is no file, or more than one; 415 if it is no upload.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        message = f"An upload (multipart/form-data) was expected, one file in field {FILE_FIELD}."
        raise HTTPException(415, message)
    parser = MultiPartParser(
        request.headers,
        request.stream(),
        max_files=2,
        max_fields=MOST_FIELDS,
        max_part_size=LARGEST_FIELD,
    )
    parser.spool_max_size = room.options.maximum_upload_bytes + 1  # in memory, never on the disk
    try:
        form = await parser.parse()
    except MultiPartException as error:
        if "files" in error.message:
            raise _not_one_file() from None
        raise HTTPException(400, error.message) from None
    files = [value for _, value in form.multi_items() if isinstance(value, UploadFile)]
    named = [one for one in form.getlist(FILE_FIELD) if isinstance(one, UploadFile)]
    if len(files) != 1 or len(named) != 1:
        raise _not_one_file()
    content = await named[0].read()
    await form.close()
    fields = {name: value for name, value in form.items() if isinstance(value, str)}
    return UploadedImage(content, fields)


Upload = Annotated[UploadedImage, Depends(read_upload)]


async def read_form_upload(room: Room, reader: CurrentReader, upload: Upload) -> UploadedImage:
    """Return an upload that was sent by a form of this reader's."""
    _require_form_key(room, reader, upload.fields)
    return upload


FormUpload = Annotated[UploadedImage, Depends(read_form_upload)]


def get_night(night: NightText, room: Room, _reader: CurrentReader) -> NightSnapshot:
    """Return a published night.

    Raises:
        HTTPException: 404 if it was never published.
        OutputError: if it cannot be read.
    """
    try:
        snapshot = room.store.open_night(date.fromisoformat(night))
    except ValueError:
        snapshot = None
    if snapshot is None:
        raise HTTPException(404, f"The night {night} was not published in this lake.")
    return snapshot


Night = Annotated[NightSnapshot, Depends(get_night)]


def _require_form_key(room: ReadingRoom, reader: Reader, fields: Mapping[str, str]) -> None:
    given = fields.get("form_key", "")
    known = _FORM_KEY.fullmatch(given) is not None
    if not known or not is_form_key(room.options.form_secret, reader, given):
        message = (
            "This form is older than the running worklist, or was not made by it: nothing was "
            "stored. Open the page again and send it once more."
        )
        raise HTTPException(403, message)


def _not_one_file() -> HTTPException:
    return HTTPException(400, "Send one image at a time: a single file was expected.")
