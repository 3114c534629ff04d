"""Reading ``CURRENT``, and changing it by one conditional write."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import ValidationError

from jobs.audit_log import record_event
from jobs.lake import Lake, PreconditionFailedError
from jobs.registry_keys import current_key
from jobs.registry_record import Change, Current, add_change, standing_promotions
from model.errors import BundleError, NotRetrievedError, PromotionError

_ATTEMPTS: Final = 3  # it may be changed between looking and reading


@dataclass(frozen=True)
class SeenCurrent:
    """``CURRENT`` as it was read.

    Attributes:
        name: of the model.
        current: None where nothing has been promoted yet.
        etag: that a change of it depends on; None with `current`.
    """

    name: str
    current: Current | None = None
    etag: str | None = None


def read_current(lake: Lake, name: str) -> SeenCurrent:
    """Read which version of a model scores.

    Raises:
        ConfigurationError: if the name cannot be a model's.
        BundleError: if ``CURRENT`` is damaged.
    """
    key = current_key(name)
    for _ in range(_ATTEMPTS):
        found = lake.head(key)
        if found is None:
            return SeenCurrent(name)
        try:
            data = lake.read(key, found.etag)
        except NotRetrievedError:
            continue
        return SeenCurrent(name, _parse(data, key), found.etag)
    message = f"{key} cannot be read: expected an object that may be read and is not ever changing"
    raise BundleError(message)


def change_current(lake: Lake, seen: SeenCurrent, change: Change, now: datetime) -> Current:
    """Put a change in force, if ``CURRENT`` is still the one that was seen.

    Args:
        lake: that holds the registry.
        seen: what the change was decided on.
        change: a promotion or a rollback.
        now: the time, for the audit log.

    Raises:
        PromotionError: if ``CURRENT`` has been changed since.
        OutputError: if the lake cannot be written.
    """
    after = add_change(seen.current, change)
    facts = {"model": seen.name, "version": change.version, "digest": change.digest}
    record_event(lake, change.action, facts, now)
    data = after.model_dump_json(indent=1).encode()
    key = current_key(seen.name)
    try:
        lake.write(key, data, if_absent=seen.etag is None, if_match=seen.etag)
    except PreconditionFailedError as error:
        message = (
            f"{key} was changed by someone else meanwhile, so nothing was done here: expected it "
            "as it was read; look at mri-triage model show, then decide anew"
        )
        raise PromotionError(message) from error
    return after


def make_rollback(seen: SeenCurrent, because: str | None, now: datetime) -> Change:
    """Describe the change back to the promotion before the one that stands.

    Raises:
        PromotionError: if there is none.
    """
    standing = standing_promotions(seen.current.changes) if seen.current else []
    if len(standing) < 2:  # noqa: PLR2004 - the one that scores, and one before it
        message = (
            f"the model {seen.name!r} cannot be rolled back: expected a promotion before the one "
            f"that stands, found {len(standing)} in all; promote another version"
        )
        raise PromotionError(message)
    before = standing[-2]
    return Change(
        at=now.isoformat(timespec="seconds"),
        action="rollback",
        version=before.version,
        digest=before.digest,
        because=because,
    )


def _parse(data: bytes, key: str) -> Current:
    try:
        return Current.model_validate_json(data)
    except ValidationError as error:
        cause = re.sub(r"\s+", " ", error.errors()[0]["msg"])
        message = (
            f"{key} is damaged or was written by hand ({cause}): expected what this program "
            "wrote; put an earlier copy back, or remove it and promote a version again"
        )
        raise BundleError(message) from error
