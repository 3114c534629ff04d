"""What ``CURRENT`` says: which version of a model scores, and every change that led there.

One object holds both, so that one conditional write changes both. Changes are only ever added.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Change(BaseModel):
    """One promotion or rollback.

    Attributes:
        at: ISO time, UTC.
        action: ``promote``, or ``rollback`` to the promotion before.
        version: that scores from then on.
        digest: of its bundle.
        because: why, in an operator's words.
        overruled: what spoke against it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    at: str
    action: Literal["promote", "rollback"]
    version: str
    digest: Digest
    because: str | None = None
    overruled: tuple[str, ...] = ()


class Current(BaseModel):
    """The content of ``CURRENT``.

    Attributes:
        version: that scores.
        digest: that its bundle must have.
        changes: all of them, the oldest first.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    digest: Digest
    changes: tuple[Change, ...]

    @model_validator(mode="after")
    def _follows_from_its_changes(self) -> Self:
        standing = standing_promotions(self.changes)
        last = standing[-1] if standing else None
        if last is None or (last.version, last.digest) != (self.version, self.digest):
            message = "version and digest are not those of the last promotion that stands"
            raise ValueError(message)
        return self

    def digest_of(self, version: str) -> str | None:
        """Return the digest that a version had when it last came to score; None if it never did."""
        known = (change.digest for change in reversed(self.changes) if change.version == version)
        return next(known, None)


def standing_promotions(changes: Sequence[Change]) -> list[Change]:
    """Return the promotions that no rollback took back, the oldest first; the last one scores."""
    standing: list[Change] = []
    for change in changes:
        if change.action == "promote":
            standing.append(change)
        elif standing:
            standing.pop()
    return standing


def add_change(current: Current | None, change: Change) -> Current:
    """Return what ``CURRENT`` says after a change."""
    before = current.changes if current else ()
    return Current(version=change.version, digest=change.digest, changes=(*before, change))
