"""The page of the model: its card, what it was measured to do, and the threshold's curves."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from jobs.published_night import night_of
from jobs.worklist.charts import Line, draw_lines
from jobs.worklist.night_store import NightSnapshot
from jobs.worklist.pages import render
from jobs.worklist.requests import CurrentReader, Room
from jobs.worklist.room import ReadingRoom
from model.card import Card

CURVE_POINTS: Final = 40

router = APIRouter(include_in_schema=False)


@router.get("/model")
def show_model(request: Request, room: Room, _: CurrentReader) -> Response:
    """Show the bundle that is loaded here."""
    card = room.terms.bundle.card
    latest = _latest_night(room)
    return render(
        request,
        "model.html",
        card=card,
        digest=room.terms.bundle.digest,
        limits=room.terms.limits,
        overall=card.metrics.get("overall", {}),
        by_source=card.metrics.get("by", {}).get("source", {}),
        localisation=card.metrics.get("localisation", {}),
        targets=list_targets(card),
        target_chart=_draw_targets(card),
        night=None if latest is None else latest.night.isoformat(),
        night_chart=None if latest is None else draw_flagged(latest, room.terms.limits.threshold),
        night_rows=[] if latest is None else list_flagged(latest),
    )


def list_targets(card: Card) -> list[dict[str, Any]]:
    """Return the points of the threshold's curve that the card holds, by sensitivity."""
    found = card.metrics.get("overall", {}).get("specificity_at_sensitivity") or {}
    return [
        {"sensitivity": float(name), **values} for name, values in sorted(found.items()) if values
    ]


def list_flagged(snapshot: NightSnapshot) -> list[dict[str, float]]:
    """Return the share of a night's scored images at or above thresholds from 0.05 to 0.95."""
    probabilities = _probabilities(snapshot)
    if not probabilities.size:
        return []
    return [
        {"threshold": float(one), "flagged": float((probabilities >= one).mean())}
        for one in (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9)
    ]


def draw_flagged(snapshot: NightSnapshot, threshold: float) -> Markup | None:
    """Draw which share of a night's scored images each threshold would flag by its score."""
    probabilities = _probabilities(snapshot)
    if not probabilities.size:
        return None
    thresholds = np.linspace(0.0, 1.0, CURVE_POINTS + 1)
    shares = [float((probabilities >= one).mean()) for one in thresholds]
    nearest = int(np.abs(thresholds - threshold).argmin())
    return draw_lines(
        "Share of the night's scored images at or above each threshold",
        [f"{one:.2f}" for one in thresholds],
        [Line("flagged", shares, [number == nearest for number in range(len(shares))])],
        percent=True,
        floor=0.0,
    )


def _draw_targets(card: Card) -> Markup | None:
    targets = list_targets(card)
    if not targets:
        return None
    nothing = [False] * len(targets)
    return draw_lines(
        "Share of normals cleared at each sensitivity, with its 95% interval",
        [f"{one['sensitivity']:.1%}" for one in targets],
        [
            Line("normals cleared", [one["value"] for one in targets], nothing, "a"),
            Line("95% interval, low", [one["low"] for one in targets], nothing, "c"),
            Line("95% interval, high", [one["high"] for one in targets], nothing, "b"),
        ],
        percent=True,
        floor=0.0,
    )


def _probabilities(snapshot: NightSnapshot) -> Any:  # noqa: ANN401 - an array of floats
    values = np.asarray(snapshot.images["probability"].to_numpy(), dtype=np.float64)
    return values[np.isfinite(values)]


def _latest_night(room: ReadingRoom) -> NightSnapshot | None:
    listed = room.store.list_nights()
    return room.store.open_night(night_of(listed[0])) if listed else None
