"""Which version of a model scores: what speaks for a change, and the change itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from rich.console import Console

from flows.evaluation import show_preparing, tell_part
from jobs.lake import Lake
from jobs.registry import RegisteredVersion
from jobs.registry_bundles import fetch_bundle
from jobs.registry_current import SeenCurrent, change_current, read_current
from jobs.registry_record import Change, Current
from model.bundle import Bundle
from model.errors import BundleError, ConfigurationError, PromotionError
from model.promotion import (
    Comparison,
    choose_compared_part,
    compare_cards,
    compare_on_images,
)

MAXIMUM_REASON = 500


@dataclass(frozen=True)
class Promotion:
    """A version that may be put in the place of the current one.

    Attributes:
        seen: ``CURRENT`` before anything was compared; it must not change until the promotion.
        candidate: the version's bundle.
        comparison: with the current bundle; None if there is none, or it cannot be opened.
        objections: what speaks against it, in words.
    """

    seen: SeenCurrent
    candidate: Bundle
    comparison: Comparison | None
    objections: list[str]

    @property
    def is_current(self) -> bool:
        """Whether it is the bundle that scores already."""
        current = self.seen.current
        return current is not None and current.digest == self.candidate.digest


@dataclass(frozen=True)
class RegistryShelf:
    """One model of the registry.

    Attributes:
        lake: that holds the registry.
        name: of the model.
        cache: folder of this machine that keeps fetched bundles.
    """

    lake: Lake
    name: str
    cache: Path

    def fetch(self, version: str, current: Current | None) -> Bundle:
        """Fetch a version and verify it against the digest it had when it last scored, if ever."""
        digest = current.digest_of(version) if current else None
        return fetch_bundle(self.lake, self.name, version, digest, self.cache)


def choose_only_model(found: Sequence[RegisteredVersion]) -> str:
    """Return the only model of the registry, for a command that names none.

    Raises:
        ConfigurationError: if there is none, or more than one.
    """
    names = sorted({entry.name for entry in found})
    if len(names) != 1:
        message = (
            f"the registry holds {len(names)} models ({', '.join(names) or 'none'}): expected one, "
            "or to be told which; use --name, or set bundle.name"
        )
        raise ConfigurationError(message)
    return names[0]


def read_reason(text: str | None) -> str | None:
    """Return an operator's reason as one line.

    Raises:
        ConfigurationError: if it is empty or a whole essay.
    """
    if text is None:
        return None
    line = " ".join(text.split())
    if not 0 < len(line) <= MAXIMUM_REASON:
        message = (
            f"--because has {len(line)} characters: expected a reason in 1 to {MAXIMUM_REASON} "
            "(never a patient's name: it is kept)"
        )
        raise ConfigurationError(message)
    return line


def examine_promotion(
    shelf: RegistryShelf,
    version: str,
    data: Path | None,
    console: Console,
) -> Promotion:
    """Compare a version with the one that scores; nothing is changed.

    Args:
        shelf: the model.
        version: that may be promoted.
        data: folder of labelled images to run both on; None to compare their cards.
        console: where the images and the progress are shown.

    Raises:
        BundleError: if the version cannot be used, or has other files than when it last scored.
        TrainingDataError: if the images cannot be used.
    """
    seen = read_current(shelf.lake, shelf.name)
    candidate = shelf.fetch(version, seen.current)
    undecided = Promotion(seen, candidate, None, [])
    if seen.current is None or undecided.is_current:
        return undecided
    try:
        current = shelf.fetch(seen.current.version, seen.current)
    except BundleError as error:
        # A bundle that no longer works must not stand in the way of one that does.
        return Promotion(seen, candidate, None, [f"the current bundle cannot be used: {error}"])
    comparison = _compare(current, candidate, data, console)
    return Promotion(seen, candidate, comparison, comparison.objections)


def apply_promotion(
    shelf: RegistryShelf,
    promotion: Promotion,
    because: str | None,
    now: datetime,
) -> Current:
    """Put a version in force for the nights that start from now on.

    Args:
        shelf: the model.
        promotion: examined.
        because: why, which also overrules what speaks against it; None if nothing was said.
        now: UTC.

    Raises:
        PromotionError: if something speaks against it and nobody said why it is wanted, or
            ``CURRENT`` has been changed since it was examined.
    """
    card = promotion.candidate.card
    if promotion.objections and because is None:
        message = (
            f"{card.name} {card.version} is not promoted: {'; '.join(promotion.objections)}; if it "
            "is wanted all the same, say why with --because"
        )
        raise PromotionError(message)
    change = Change(
        at=now.isoformat(timespec="seconds"),
        action="promote",
        version=card.version,
        digest=promotion.candidate.digest,
        because=because,
        overruled=tuple(promotion.objections),
    )
    return change_current(shelf.lake, promotion.seen, change, now)


def _compare(
    current: Bundle,
    candidate: Bundle,
    data: Path | None,
    console: Console,
) -> Comparison:
    if data is None:
        return compare_cards(current.card, candidate.card)
    part = choose_compared_part(data, current.card, candidate.card)
    tell_part(part, console)
    with show_preparing(console) as on_prepared:
        return compare_on_images(current, candidate, part, on_prepared)
