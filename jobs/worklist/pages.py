"""Turning templates into pages, and errors into pages or JSON."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, RedirectResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.responses import Response

from jobs.worklist.access import make_form_key
from jobs.worklist.protection import BodyTooLargeError
from jobs.worklist.requests import SignInNeededError
from jobs.worklist.room import ReadingRoom
from model.errors import ConfigurationError, TransientError, TriageError
from model.overlay import write_probability

REASONS_IN_WORDS: Final[Mapping[str, str]] = {
    "below_threshold": "below the threshold",
    "tumor_suspected": "tumor suspected",
    "not_brain_mr": "not brain MR",
    "non_diagnostic": "not diagnostic",
    "unsupported": "format not supported",
    "unreadable": "unreadable",
    "empty_object": "empty file",
    "too_large": "too large",
    "decoder_crash": "decoder crashed",
    "timed_out": "took too long",
    "not_retrieved": "not retrieved",
    "invalid_score": "no valid score",
}

TITLES: Final[Mapping[int, str]] = {
    400: "This cannot be used",
    401: "Please sign in",
    403: "Not allowed",
    404: "Not found",
    405: "Not offered here",
    409: "Answered already",
    413: "Too large",
    415: "Not an upload",
    422: "This address is not understood",
    500: "Something went wrong here",
    503: "The storage does not answer",
}

_BAD_REQUEST: Final = 400
_SERVER_ERROR: Final = 500


@functools.cache
def make_environment() -> Environment:
    """Load the templates; what is put into them is escaped."""
    environment = Environment(
        loader=PackageLoader("jobs.worklist", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["probability"] = _tell_probability
    environment.filters["reason"] = lambda name: REASONS_IN_WORDS.get(name, name)
    environment.filters["share"] = lambda value: "-" if value is None else f"{value:.1%}"
    environment.filters["number"] = lambda value: "-" if value is None else f"{value:,}"
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)  # compiled now, not while the first reader waits
    return environment


def render(request: Request, name: str, status: int = 200, **values: Any) -> HTMLResponse:  # noqa: ANN401 - as templates take them
    """Render a page.

    Args:
        request: in answer to which.
        name: of the template.
        status: of the answer.
        values: for the template.
    """
    room: ReadingRoom = request.app.state.room
    reader = getattr(request.state, "reader", None)
    template = request.app.state.templates.get_template(name)
    form_key = "" if reader is None else make_form_key(room.options.form_secret, reader)
    html = template.render(
        reader=reader,
        form_key=form_key,
        mode=room.options.policy.mode,
        path=request.url.path,
        answer_id=secrets.token_hex(16),
        local_time=lambda at: tell_time(room, at),
        **values,
    )
    return HTMLResponse(html, status)


def tell_time(room: ReadingRoom, at: datetime) -> str:
    """Write a time in the hospital's zone."""
    return at.astimezone(room.options.zone).strftime("%Y-%m-%d %H:%M %Z")


def tell_night(night: date) -> str:
    """Write a night with its day of the week."""
    return night.strftime("%a %Y-%m-%d")


def add_error_pages(app: FastAPI) -> None:
    """Let every error end as a page, or as JSON for whoever asked for that."""
    # Starlette types a handler as if each took every exception.
    handlers: Mapping[type[Exception], Any] = {
        HTTPException: _on_http_error,
        RequestValidationError: _on_wrong_request,
        BodyTooLargeError: _on_large_body,
        SignInNeededError: _on_stranger,
        TriageError: _on_triage_error,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def show_error(request: Request, status: int, message: str) -> Response:
    """Answer with an error."""
    title = TITLES.get(status, TITLES[_SERVER_ERROR if status >= _SERVER_ERROR else _BAD_REQUEST])
    if wants_json(request):
        return JSONResponse({"error": title, "detail": message}, status)
    return render(request, "error.html", status, title=title, message=message)


def wants_json(request: Request) -> bool:
    """Whether a program asks, not a person."""
    return request.url.path.startswith("/api/") or request.url.path.endswith(".json")


def _tell_probability(value: float | None) -> str:
    return "-" if value is None else write_probability(value)


async def _on_http_error(request: Request, error: HTTPException) -> Response:
    message = "There is no such page." if error.detail == "Not Found" else str(error.detail)
    answer = show_error(request, error.status_code, message)
    answer.headers.update(error.headers or {})
    return answer


async def _on_wrong_request(request: Request, error: RequestValidationError) -> Response:
    # Where and what is wrong; the value itself may be anything, and is not sent back.
    places = (".".join(str(part) for part in one["loc"]) for one in error.errors())
    return show_error(request, 422, f"Not understood: {', '.join(sorted(set(places)))}.")


async def _on_large_body(request: Request, error: BodyTooLargeError) -> Response:
    message = f"At most {error.limit / 1024**2:.1f} MiB are taken; the rest was not read."
    answer = show_error(request, 413, message)
    answer.headers["connection"] = "close"
    return answer


async def _on_stranger(request: Request, error: SignInNeededError) -> Response:
    room: ReadingRoom = request.app.state.room
    if room.options.policy.mode == "proxy":
        return show_error(request, 403, str(error))
    if wants_json(request):
        answer = show_error(request, 401, str(error))
        answer.headers["www-authenticate"] = "Bearer"
        return answer
    if request.method == "GET" and request.url.path in {"/", "/nights"}:
        return RedirectResponse("/sign-in", 303)
    return render(request, "sign_in.html", 401, message=f"{str(error).capitalize()}.")


async def _on_triage_error(request: Request, error: TriageError) -> Response:
    if isinstance(error, TransientError):
        answer = show_error(request, 503, f"{error}. Nothing was lost; try again in a moment.")
        answer.headers["retry-after"] = "10"
        return answer
    return show_error(request, 400 if isinstance(error, ConfigurationError) else 500, str(error))
