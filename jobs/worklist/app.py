"""The web application of the reading room, put together."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import resources
from typing import Final

from fastapi import FastAPI
from starlette.staticfiles import StaticFiles

from jobs.worklist import (
    answer_pages,
    api,
    double_reading_pages,
    drift_pages,
    model_pages,
    night_pages,
    single_pages,
)
from jobs.worklist.pages import add_error_pages, make_environment
from jobs.worklist.protection import (
    MULTIPART_BYTES,
    Protection,
    ProtectionOptions,
    origin_of,
)
from jobs.worklist.request_log import RequestLog
from jobs.worklist.room import ReadingRoom

LOG = logging.getLogger(__name__)

PAGES: Final = (
    night_pages,
    double_reading_pages,
    answer_pages,
    single_pages,
    model_pages,
    drift_pages,
    api,
)

UPLOAD_ADDRESSES: Final = ("/single", "/api/v1/predict")

DESCRIPTION: Final = (
    "Sorts brain-MR images into flagged and cleared. It assists radiologists, it never diagnoses; "
    "cleared means not flagged, never discharged."
)


def make_app(room: ReadingRoom) -> FastAPI:
    """Make the application.

    Args:
        room: not started yet; it is started and closed with the application.
    """

    @asynccontextmanager
    async def run_room(_: FastAPI) -> AsyncIterator[None]:
        room.start()
        try:
            yield
        finally:
            room.close()

    app = FastAPI(
        title="mri-triage worklist",
        version="1",
        description=DESCRIPTION,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
        lifespan=run_room,
    )
    app.state.room = room
    app.state.templates = make_environment()
    add_error_pages(app)
    for pages in PAGES:
        app.include_router(pages.router)
    static = resources.files("jobs.worklist").joinpath("static")
    app.mount("/static", StaticFiles(directory=str(static)), name="static")
    app.add_middleware(Protection, options=_protect(room))
    app.add_middleware(RequestLog)
    return app


def _protect(room: ReadingRoom) -> ProtectionOptions:
    options = room.options
    limit = options.maximum_upload_bytes + MULTIPART_BYTES
    return ProtectionOptions(
        upload_bytes=dict.fromkeys(UPLOAD_ADDRESSES, limit),
        local_only=options.policy.mode == "local",
        pacs_origin=None if options.pacs_url is None else origin_of(options.pacs_url),
    )
