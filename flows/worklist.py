"""What the commands ``mri-triage worklist`` and ``worklist-token`` do."""

from __future__ import annotations

import getpass
import logging
import os
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import uvicorn

from conf.settings import Settings
from flows.arguments import make_lake_address
from flows.night_request import utc_now
from flows.prediction import make_terms
from jobs.lake import open_lake
from jobs.worklist.access import (
    TOKEN_VARIABLE,
    AccessPolicy,
    Reader,
    issue_token,
    make_policy,
    read_secret,
    require_name,
    require_roles,
)
from jobs.worklist.app import make_app
from jobs.worklist.room import ReadingRoom, RoomOptions

LONGEST_DAYS: Final = 366
LOG_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def make_room(settings: Settings, host: str, environ: Mapping[str, str]) -> ReadingRoom:
    """Gather what the reading room needs, and refuse what it must not be run with.

    Args:
        settings: of the place.
        host: the address to listen on.
        environ: the environment; secrets are read from it.

    Raises:
        ConfigurationError: if anybody could get in, or a secret is missing.
        LakeNotFoundError: if there is no lake.
        BundleError: if the bundle cannot be used.
    """
    policy = _make_policy(settings, host, environ)
    lake = open_lake(make_lake_address(settings.lake, Path.cwd()))
    lake.require()
    shown = settings.worklist
    options = RoomOptions(
        policy=policy,
        # Without a secret of its own, a form is good for as long as this process lives.
        form_secret=policy.secret or secrets.token_bytes(32),
        zone=settings.night.zone,
        pacs_url=shown.pacs_url,
        show_unsure_pictures=shown.show_unsure_pictures,
        double_readings=shown.double_readings,
        maximum_upload_bytes=shown.maximum_upload_bytes,
        now=utc_now,
    )
    return ReadingRoom(lake, make_terms(settings), options)


def serve_worklist(room: ReadingRoom, host: str, port: int, tell: Callable[[str], None]) -> None:
    """Serve until a signal comes."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    name = f"[{host}]" if ":" in host else host
    tell(f"Worklist: http://{name}:{port}/  (Ctrl-C ends it)")
    uvicorn.run(
        make_app(room),
        host=host,
        port=port,
        access_log=False,  # its lines would hold what was typed into filters
        proxy_headers=False,  # who asks is told by a proxy that proves itself, see access.py
        server_header=False,
        log_config=None,
    )


def make_token(
    environ: Mapping[str, str],
    name: str,
    roles: list[str],
    days: int,
    now: datetime,
) -> str:
    """Make a token for a reader.

    Raises:
        ConfigurationError: if the key is missing, or name or roles cannot be used.
    """
    reader = Reader(require_name(name), require_roles(roles))
    return issue_token(read_secret(TOKEN_VARIABLE, environ), reader, now + timedelta(days=days))


def _make_policy(settings: Settings, host: str, environ: Mapping[str, str]) -> AccessPolicy:
    shown = settings.worklist
    return make_policy(
        shown.access,
        host,
        environ,
        local_reader=Reader(_account(), require_roles([*shown.local_roles, "reader"])),
        user_header=shown.proxy_user_header,
        roles_header=shown.proxy_roles_header,
        role_names=shown.proxy_roles,
    )


def _account() -> str:
    try:
        return require_name(getpass.getuser())
    except (OSError, KeyError):  # a container's user without an entry
        return str(os.geteuid())
