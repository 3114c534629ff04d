"""The page of drift: the nights over time, and what stood out of each."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

from fastapi import APIRouter, Request
from markupsafe import Markup
from starlette.responses import Response

from jobs.night_drift import NightDrift, read_drift
from jobs.published_night import night_of
from jobs.worklist.charts import Line, draw_lines
from jobs.worklist.pages import render, tell_night
from jobs.worklist.requests import CurrentReader, Room
from model.drift_measures import BRIGHTNESS, FLAGGED, PROBABILITY, RESOLUTION, SCANNERS, SCOPE

SHOWN_NIGHTS: Final = 30

router = APIRouter(include_in_schema=False)

_CHARTS: Final = (
    ("Share of images flagged", FLAGGED, (("flagged", "flagged", "a"),), True, 0.0),
    (
        "Probabilities",
        PROBABILITY,
        (("median", "probability", "a"), ("nine in ten below", "probability_90", "b")),
        False,
        0.0,
    ),
    (
        "Brightness of the pictures, 0 black to 1 white",
        BRIGHTNESS,
        (
            ("median", "brightness", "a"),
            ("nine in ten below", "brightness_90", "b"),
            ("one in ten below", "brightness_10", "c"),
        ),
        False,
        0.0,
    ),
    ("Share of images out of scope", SCOPE, (("out of scope", "out_of_scope", "a"),), True, 0.0),
    ("Median width in pixels", RESOLUTION, (("width", "width", "a"),), False, None),
)
"""Title, measure whose alarms are marked, lines (name, number, kind), percent, lowest value."""


@router.get("/drift")
def show_drift(request: Request, room: Room, _: CurrentReader) -> Response:
    """Show the last nights beside each other."""
    nights = [night_of(one) for one in room.store.list_nights()[:SHOWN_NIGHTS]][::-1]
    found = [(night, read_drift(room.lake, night)) for night in nights]
    judged = [one for _, one in found if one is not None]
    return render(
        request,
        "drift.html",
        charts=[*(_draw(chart, judged) for chart in _CHARTS), _draw_scanners(judged)]
        if judged
        else [],
        judged=[_describe(one) for one in reversed(judged)],
        missing=[tell_night(night) for night, one in found if one is None],
    )


def _draw(chart: Any, nights: list[NightDrift]) -> dict[str, Any]:  # noqa: ANN401 - of `_CHARTS`
    title, measure, lines, percent, floor = chart
    alarms = [any(test.alarm and test.measure == measure for test in one.tests) for one in nights]
    drawn: Markup = draw_lines(
        f"{title}, by night",
        [one.night.strftime("%m-%d") for one in nights],
        [
            Line(name, [one.numbers.get(number) for one in nights], alarms, kind)
            for name, number, kind in lines
        ],
        percent=percent,
        floor=floor,
    )
    return {"title": title, "drawn": drawn}


def _draw_scanners(nights: list[NightDrift]) -> dict[str, Any]:
    """Draw the share of each of the scanners that made most images."""
    sums: Counter[str] = Counter()
    for one in nights:
        sums.update(one.scanners)
    alarms = [any(test.alarm and test.measure == SCANNERS for test in one.tests) for one in nights]
    kinds = ("a", "b", "c")
    drawn = draw_lines(
        "Share of images by scanner, by night",
        [one.night.strftime("%m-%d") for one in nights],
        [
            Line(name, [one.scanners.get(name, 0.0) for one in nights], alarms, kind)
            for (name, _), kind in zip(sums.most_common(len(kinds)), kinds, strict=False)
        ],
        percent=True,
        floor=0.0,
    )
    return {"title": "Scanners that made most images", "drawn": drawn}


def _describe(one: NightDrift) -> dict[str, Any]:
    return {
        "night": one.night.isoformat(),
        "title": tell_night(one.night),
        "images": one.images,
        "numbers": one.numbers,
        "scanners": one.scanners,
        "alarms": one.alarms,
        "remarks": one.remarks,
        "compared": len(one.reference_nights),
        "strongest": one.tests[0] if one.tests else None,
    }
