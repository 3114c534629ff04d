"""The audit log: who looked at what, and what was published, promoted or removed.

One small JSON object an event below ``audit/``, written only if there is none of that name: nothing
is ever changed or removed here, and `jobs.clean_lake` leaves the folder alone. An event is written
*before* the deed, so that nothing happens without one; where the log cannot be written, the deed
does not take place. No event names a patient or an object: what is written down are the ids and
versions that this project gave itself.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import secrets
import socket
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Final

from jobs.lake import Lake, PreconditionFailedError
from model.errors import NotRetrievedError, OutputError

AUDIT_PREFIX: Final = "audit/"

Fact = str | int | float | bool | None

_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_FACT: Final = re.compile(r"[A-Za-z0-9_.:+-]{0,128}")
"""No slash, space or caret: a path, an object's key or a DICOM name is refused, not recorded."""

_ATTEMPTS: Final = 3  # a second event of this microsecond would need the same 32 random bits too


@dataclass(frozen=True)
class AuditEvent:
    """One line of the audit log.

    Attributes:
        at: ISO time, UTC, to the microsecond.
        action: ``locate``, ``publish``, ``promote``, ``clean`` ...
        account: of the operating system; who ran the command, never a patient.
        host: name of the machine.
        facts: what it was done to: ids, nights, versions, counts.
    """

    at: str
    action: str
    account: str
    host: str
    facts: Mapping[str, Fact] = field(default_factory=dict)


def record_event(lake: Lake, action: str, facts: Mapping[str, Fact], now: datetime) -> str:
    """Write an event down; call it right before what it tells of.

    Args:
        lake: whose log.
        action: one word, as ``promote``.
        facts: small values by name, as ``{"bundle": "lite0", "version": "1.2.0"}``. Texts hold
            letters, digits and ``_ . : + -`` only.
        now: the time, with a time zone.

    Returns:
        The key of the new object.

    Raises:
        ValueError: if a name or a text could hold an object's key or a patient's name.
        OutputError: if the lake cannot be written.
        AccessDeniedError: if the storage refuses the credentials.
        StorageUnavailableError: if the storage does not answer.
    """
    _require_plain(action, facts)
    time = now.astimezone(UTC)
    event = AuditEvent(
        at=time.isoformat(timespec="microseconds"),
        action=action,
        account=_account(),
        host=socket.gethostname(),
        facts=dict(facts),
    )
    data = json.dumps(asdict(event), indent=1, allow_nan=False).encode()
    for _ in range(_ATTEMPTS):
        key = f"{_day_prefix(time.date())}{time:%H%M%S.%f}-{action}-{secrets.token_hex(4)}.json"
        try:
            lake.write(key, data, if_absent=True)
        except PreconditionFailedError:
            continue
        return key
    message = (
        "the audit log cannot be written: expected a new name to be free, and three were taken; "
        "check that the storage honours conditional writes"
    )
    raise OutputError(message)


def read_events(lake: Lake, since: date | None = None) -> Iterator[AuditEvent]:
    """Yield the events in the order of time.

    Args:
        lake: whose log.
        since: from this day on (UTC); None for all.

    Raises:
        OutputError: if an event is none that `record_event` wrote.
    """
    first = "" if since is None else _day_prefix(since)
    keys = (found.key for found in lake.list_objects(AUDIT_PREFIX))
    for key in sorted(key for key in keys if key >= first and key.endswith(".json")):
        try:
            yield _read_event(lake.read(key))
        except (NotRetrievedError, ValueError, TypeError) as error:
            message = (
                f"{key} cannot be read ({type(error).__name__}): expected an event as this job "
                "writes it; find out who changed the audit log"
            )
            raise OutputError(message) from None


def _read_event(data: bytes) -> AuditEvent:
    event = AuditEvent(**json.loads(data))
    datetime.fromisoformat(event.at)
    return event


def _day_prefix(day: date) -> str:
    return f"{AUDIT_PREFIX}{day.isoformat()}/"


def _require_plain(action: str, facts: Mapping[str, Fact]) -> None:
    for name in (action, *facts):
        if _NAME.fullmatch(name) is None:
            message = "an event of the audit log is named by small letters, digits and _"
            raise ValueError(message)
    for name, value in facts.items():
        if isinstance(value, str) and _FACT.fullmatch(value) is None:
            # The value itself is left out: it may be what must not be written down.
            message = (
                f"the audit log refuses the text of {name!r}: expected at most 128 letters, "
                "digits and _ . : + -"
            )
            raise ValueError(message)


def _account() -> str:
    # From the process, not from LOGNAME, which anyone can set.
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container's user without an entry
        return str(os.geteuid())
