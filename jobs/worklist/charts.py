"""Charts as SVG inside a page: lines over nights, and the threshold's curves.

Without a style of its own: colours come from the page's classes, so that they print, and no line
is told from another by its colour alone. Each chart stands beside a table of the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 760
HEIGHT: Final = 220
LEFT: Final = 56
RIGHT: Final = 16
TOP: Final = 14
BOTTOM: Final = 34
MOST_LABELS: Final = 8
TICKS: Final = 4


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Attributes:
        name: for the legend.
        values: one a place on the axis; None leaves a gap.
        marked: which of them stand out.
        kind: ``a`` solid, ``b`` dashed, ``c`` dotted.
    """

    name: str
    values: Sequence[float | None]
    marked: Sequence[bool]
    kind: str = "a"


def draw_lines(
    title: str,
    labels: Sequence[str],
    lines: Sequence[Line],
    *,
    percent: bool = False,
    floor: float | None = None,
) -> Markup:
    """Draw lines over labelled places.

    Args:
        title: read aloud in place of the chart.
        labels: of the places, from left to right.
        lines: with as many values as labels.
        percent: write the axis in percent.
        floor: lowest value of the axis; None for the least value.
    """
    known = [value for line in lines for value in line.values if value is not None]
    low, high = _range(known, floor)
    steps = [low + (high - low) * number / TICKS for number in range(TICKS + 1)]
    parts = [_tick(_y(step, low, high), _write(step, percent=percent)) for step in steps]
    every = max(1, -(-len(labels) // MOST_LABELS))
    parts += [
        _label(_x(number, len(labels)), text)
        for number, text in enumerate(labels)
        if number % every == 0
    ]
    parts += [_draw(line, low, high) for line in lines]
    parts += [_legend(number, line) for number, line in enumerate(lines) if len(lines) > 1]
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    ).format(WIDTH, HEIGHT + (18 if len(lines) > 1 else 0), title, Markup("").join(parts))


def _range(values: Sequence[float], floor: float | None) -> tuple[float, float]:
    if not values:
        return 0.0, 1.0
    low = min(values) if floor is None else floor
    high = max(values)
    if high - low < 1e-9:  # noqa: PLR2004 - one level only: leave room around it
        return low - 0.05, high + 0.05
    return low, high


def _x(number: int, count: int) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * (number + 0.5) / max(1, count)


def _y(value: float, low: float, high: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - low) / (high - low)


def _write(value: float, *, percent: bool) -> str:
    return f"{value:.0%}" if percent else f"{value:.3g}"


def _tick(y: float, text: str) -> Markup:
    return Markup(
        '<line class="grid" x1="{}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>'
        '<text class="tick" x="{}" y="{:.1f}" text-anchor="end">{}</text>'
    ).format(LEFT, WIDTH - RIGHT, y, y, LEFT - 8, y + 4, text)


def _label(x: float, text: str) -> Markup:
    return Markup('<text class="tick" x="{:.1f}" y="{}" text-anchor="middle">{}</text>').format(
        x, HEIGHT - 10, text
    )


def _draw(line: Line, low: float, high: float) -> Markup:
    count = len(line.values)
    points = [
        None if value is None else (_x(number, count), _y(value, low, high))
        for number, value in enumerate(line.values)
    ]
    path = ""
    before = None
    for point in points:
        if point is not None:
            path += f"{'M' if before is None else 'L'}{point[0]:.1f},{point[1]:.1f}"
        before = point
    dots = [
        _dot(point, marked=marked)
        for point, marked in zip(points, line.marked, strict=True)
        if point is not None
    ]
    return Markup('<path class="line line-{}" d="{}"/>{}').format(
        line.kind, path, Markup("").join(dots)
    )


def _dot(point: tuple[float, float], *, marked: bool) -> Markup:
    x, y = point
    if not marked:
        return Markup('<circle class="dot" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x, y)
    corners = f"{x:.1f},{y - 9:.1f} {x + 8:.1f},{y + 6:.1f} {x - 8:.1f},{y + 6:.1f}"
    return Markup('<polygon class="alarm" points="{}"/>').format(escape(corners))


def _legend(number: int, line: Line) -> Markup:
    x = LEFT + number * 230
    y = HEIGHT + 8
    return Markup(
        '<path class="line line-{}" d="M{},{}h28"/><text class="tick" x="{}" y="{}">{}</text>'
    ).format(line.kind, x, y, x + 34, y + 4, line.name)
