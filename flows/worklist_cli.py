"""The commands of the reading room. As in `flows.cli`, heavy imports stand inside them."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Annotated

import typer

from flows.options import QUIET, LakeOption, PlaceOption


def register_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("worklist")(worklist)
    app.command("worklist-token")(worklist_token)


def worklist(
    lake: LakeOption = None,
    place: PlaceOption = "base",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the pages.")] = 8008,
) -> None:
    """Serve the reading room: the nights' studies in order, images, answers, single images, drift.

    On this machine alone nobody needs a token. For any other address set worklist.access to token
    (see worklist-token) or to proxy; without, the command refuses to start.
    """
    from flows.arguments import resolve_settings
    from flows.worklist import make_room, serve_worklist

    os.environ.setdefault(*QUIET)
    settings = resolve_settings(place, os.environ, lake=lake)
    serve_worklist(make_room(settings, host, os.environ), host, port, typer.echo)


def worklist_token(
    name: Annotated[str, typer.Option(help="Of the reader's account; written beside answers.")],
    role: Annotated[
        list[str] | None,
        typer.Option(help="reader, pacs; may be repeated. Else reader."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="Until it expires.")] = 30,
) -> None:
    """Print a token with which a reader signs in to the worklist (worklist.access: token).

    It is signed with MRI_TRIAGE_WORKLIST_KEY and stored nowhere. Another key makes all of them
    void.
    """
    from flows.worklist import make_token

    typer.echo(make_token(os.environ, name, role or ["reader"], days, datetime.now(UTC)))
