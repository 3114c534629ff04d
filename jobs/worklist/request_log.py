"""One line a request: who, what, how long. No query, no form, no name of a file or a patient."""

from __future__ import annotations

import logging
import time
from typing import Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from model.unforeseen import describe_unforeseen

LOG = logging.getLogger(__name__)

TOLD: Final = ("night", "study_id", "image_id")
"""Parts of an address that are this project's own names, once a route has recognised them."""

_NOT_FOUND: Final = 400


class RequestLog:
    """The outermost layer: what nobody foresaw ends here too, told without its text."""

    def __init__(self, app: ASGIApp) -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begin = time.monotonic()
        status = 0

        async def send_and_note(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except Exception as error:  # noqa: BLE001 - a server would write its text down
            LOG.error("%s", describe_unforeseen(error))  # noqa: TRY400
            if not status:
                text = "Something went wrong here; the log of the worklist says where."
                await PlainTextResponse(text, 500)(scope, receive, send_and_note)
        milliseconds = (time.monotonic() - begin) * 1000
        line = "%s %s %d %.0f ms %s"
        LOG.info(line, scope["method"], _address(scope, status), status, milliseconds, _who(scope))


def _address(scope: Scope, status: int) -> str:
    """Return the route's own address; a request's may be anything."""
    route = scope.get("route")
    path: str = getattr(route, "path", "-") or "-"
    parts = scope.get("path_params", {})
    if status < _NOT_FOUND:
        for name in TOLD:
            path = path.replace(f"{{{name}}}", str(parts.get(name, "")))
    return path


def _who(scope: Scope) -> str:
    reader = scope.get("state", {}).get("reader")
    return "-" if reader is None else reader.name
