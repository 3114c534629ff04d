"""Prefect without a server of one's own: a private profile, quiet, and no word to the outside."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import MutableMapping


def prepare_prefect(environ: MutableMapping[str, str]) -> None:
    """Set what Prefect reads when it is imported; call this before the first import of it.

    Whoever names a server (PREFECT_API_URL) gets Prefect as configured. Otherwise Prefect starts
    a temporary server of its own, whose database goes to PREFECT_HOME, or to a folder that is
    removed at the end, so that the profile and the history of the user are left alone.

    Args:
        environ: the environment, `os.environ` in a real run; what is set already is kept.
    """
    keep_quiet(environ)
    if environ.get("PREFECT_API_URL"):
        return
    if not environ.get("PREFECT_HOME"):
        environ["PREFECT_HOME"] = _temporary_home()
    environ.setdefault("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "true")
    # The first start makes a database: 13 s on two idle cores, 90 s beside a training, and the
    # default gives up at 20 s.
    environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "300")
    # This command tells its own story; Prefect would print a traceback with every refusal.
    environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")
    environ.setdefault("PREFECT_INTERNAL_LOGGING_LEVEL", "CRITICAL")
    environ.setdefault("PREFECT_LOGGING_TO_API_ENABLED", "false")
    # A Ctrl-C ends the temporary server as well; with five tries of every call that it was to
    # answer, the command hung on for 72 s.
    environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "1")


def keep_quiet(environ: MutableMapping[str, str]) -> None:
    """Let Prefect say nothing to the outside."""
    environ.setdefault("DO_NOT_TRACK", "1")
    environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")


def _temporary_home() -> str:
    folder = tempfile.mkdtemp(prefix="mri-triage-prefect-")
    # Registered before Prefect registers the end of its server: exits run in the reverse order.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
