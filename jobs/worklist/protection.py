"""What stands before every page: headers, hosts, sizes, and forms from elsewhere.

Plain ASGI, so that a body is counted while it arrives and refused before it is kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORM_BYTES: Final = 64 * 1024
"""Of a body that is no upload: a note and some fields."""

MULTIPART_BYTES: Final = 16 * 1024
"""What multipart encoding adds to the file itself."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})


class BodyTooLargeError(Exception):
    """A body that is larger than what its address takes."""

    def __init__(self, limit: int) -> None:
        """Say how many bytes would have been taken."""
        super().__init__(limit)
        self.limit = limit


@dataclass(frozen=True)
class ProtectionOptions:
    """What is allowed.

    Attributes:
        upload_bytes: by address, how large its body may be; `FORM_BYTES` elsewhere.
        local_only: answer to the names of this machine only, so that no web page elsewhere can
            reach it under a name of its own.
        pacs_origin: scheme and host that a form may be redirected to, or None.
    """

    upload_bytes: Mapping[str, int]
    local_only: bool
    pacs_origin: str | None = None


def content_policy(pacs_origin: str | None) -> str:
    """Return the Content-Security-Policy: nothing from elsewhere, nothing inline."""
    forms = "'self'" if pacs_origin is None else f"'self' {pacs_origin}"
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src 'self'; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
    )


def origin_of(url: str) -> str:
    """Return scheme and host of an address."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Protection:
    """The middleware; outermost, so that errors have the headers too."""

    def __init__(self, app: ASGIApp, options: ProtectionOptions) -> None:
        """Wrap an application."""
        self._app = app
        self._options = options
        self._headers = {
            "content-security-policy": content_policy(options.pacs_origin),
            "x-content-type-options": "nosniff",
            "x-frame-options": "DENY",
            "referrer-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
            "permissions-policy": "camera=(), geolocation=(), microphone=()",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Only what belongs to nobody may be kept.
        kept = "max-age=3600" if scope["path"].startswith("/static/") else "no-store"
        with_headers = self._adding_headers(send, kept)
        refusal = self._refuse(scope)
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        await self._app(scope, self._counting(scope, receive), with_headers)

    def _refuse(self, scope: Scope) -> PlainTextResponse | None:
        connection = HTTPConnection(scope)
        if self._options.local_only and connection.url.hostname not in LOCAL_NAMES:
            text = "This worklist answers on this machine only: open it as http://127.0.0.1."
            return PlainTextResponse(text, 400)
        if scope["method"] not in SAFE_METHODS and comes_from_elsewhere(connection.headers):
            text = "This form was sent from another site: open the worklist and send it from there."
            return PlainTextResponse(text, 403)
        return None

    def _adding_headers(self, send: Send, kept: str) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", kept)
            await send(message)

        return send_with_headers

    def _counting(self, scope: Scope, receive: Receive) -> Receive:
        limit = self._options.upload_bytes.get(scope["path"], FORM_BYTES)
        declared = Headers(scope=scope).get("content-length", "")
        arrived = 0

        async def receive_counted() -> Message:
            nonlocal arrived
            if declared.isdigit() and int(declared) > limit:
                raise BodyTooLargeError(limit)
            message = await receive()
            if message["type"] == "http.request":
                arrived += len(message.get("body", b""))
                if arrived > limit:
                    raise BodyTooLargeError(limit)
            return message

        return receive_counted


def comes_from_elsewhere(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that another site made it send this request."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    # Behind a reverse proxy the scheme may differ; the host is what tells sites apart.
    return urlsplit(origin).netloc != headers.get("host")
