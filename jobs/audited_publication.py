"""What the audit log says of a night that is published."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Final

from jobs.audit_log import record_event
from jobs.lake import Lake
from jobs.publish import Publication, describe
from model.errors import TriageError

RUN: Final = ("night", "run_id")
TOLD: Final = ("bundle_digest", "threshold", "objects", "flagged", "cleared")
ALLOWED: Final = ("publish_anyway", "allow_fewer")


@contextmanager
def told_to_audit_log(
    lake: Lake,
    publication: Publication,
    now: Callable[[], datetime],
) -> Iterator[None]:
    """Write down that a night is about to be published, and if that failed, this as well.

    Args:
        lake: whose log.
        publication: what is published within the block.
        now: the clock.

    Raises:
        TriageError: as the block does, or because the log cannot be written: then the block is
            not entered.
    """
    facts = describe(publication)
    told = {name: facts[name] for name in RUN + TOLD + ALLOWED}
    record_event(lake, "publish", told, now())
    try:
        yield
    except TriageError as error:
        failed = {name: facts[name] for name in RUN} | {"error": type(error).__name__}
        with suppress(TriageError):  # the error itself says more
            record_event(lake, "publish_failed", failed, now())
        raise
