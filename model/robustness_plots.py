"""Plots and contact sheets of the shift table and the leave-one-source-out table, as PNG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from model.changed_picture import Change, OriginalPicture, apply_change
from model.evaluation_plots import BLUE, DOTS_PER_INCH, GRID, INK, VERMILION, Picture
from model.images import DecodedImage, GrayPixels
from model.preprocessing import PreprocessingParameters, prepare_image

ROW_INCHES: Final = 0.27
TILE: Final = 112
PAIRS_IN_A_ROW: Final = 5
CAPTION: Final = 18
GAP: Final = 6
PAPER: Final = 255

Row = Mapping[str, Any]


def draw_rows(rows: Mapping[str, Row], bar: float, title: str) -> Picture:
    """Draw, for each row, the share of tumours flagged and of normals cleared, with intervals."""
    figure, axes = _make_axes(rows)
    shown = (
        ("tumors_flagged", "tumours flagged", VERMILION, "o", -0.13),
        ("normals_cleared", "normals cleared", BLUE, "D", 0.13),
    )
    for key, label, colour, marker, shift in shown:
        _draw_intervals(axes, [row[key] for row in rows.values()], label, colour, marker, shift)
    axes.axvline(bar, color=INK, linewidth=1.4, linestyle="--", label=f"bar {bar:.0%}")
    axes.set_xlim(-0.02, 1.02)
    axes.set_xlabel("share of slices", color=INK)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    description = (
        "Circles: tumours flagged; diamonds: normals cleared; lines: 95% intervals over groups. "
        f"Circles should lie right of the dashed line at {bar:.0%}."
    )
    return _as_picture(figure, title, description)


def draw_flips(flips: Mapping[str, Mapping[str, Row]], bar: float) -> Picture:
    """Draw the share of decisions that another background changes, by network.

    Args:
        flips: by network, then by background: rows with `flips`.
        bar: the most that may change.
    """
    names = list(next(iter(flips.values())))
    figure, axes = _make_axes(dict.fromkeys(names))
    marks = (
        (VERMILION, "o"),
        (BLUE, "D"),
        ("#009E73", "s"),
        ("#CC79A7", "^"),
    )
    for number, (network, rows) in enumerate(flips.items()):
        colour, marker = marks[number % len(marks)]
        shift = 0.16 * (number - (len(flips) - 1) / 2)
        values = [rows[name]["flips"] for name in names]
        _draw_intervals(axes, values, network, colour, marker, shift)
    axes.axvline(bar, color=INK, linewidth=1.4, linestyle="--", label=f"bar {bar:.0%}")
    axes.set_xlabel("share of decisions that change", color=INK)
    axes.set_xlim(left=-0.01)
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3, frameon=False)
    return _as_picture(
        figure,
        "Another background",
        "Share of slices that are decided otherwise when only what lies outside the head is "
        f"replaced; at most {bar:.0%} should be.",
    )


def draw_contact_sheet(
    picture: OriginalPicture,
    changes: Sequence[Change],
    parameters: PreprocessingParameters,
    title: str,
) -> Picture:
    """Draw every change of one picture: as delivered, and beside it what the network sees."""
    pairs = [("unchanged", picture.image)]
    for change in changes:
        changed = apply_change(picture, change)
        if changed is not None:
            pairs.append((change.name, changed))
    cell = (2 * TILE, TILE + CAPTION)
    rows = -(-len(pairs) // PAIRS_IN_A_ROW)
    size = (PAIRS_IN_A_ROW * (cell[0] + GAP) + GAP, rows * (cell[1] + GAP) + GAP)
    sheet = Image.new("L", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(12)
    for number, (name, image) in enumerate(pairs):
        left = GAP + number % PAIRS_IN_A_ROW * (cell[0] + GAP)
        top = GAP + number // PAIRS_IN_A_ROW * (cell[1] + GAP)
        draw.text((left, top), name, fill=0, font=font)
        seen = prepare_image(image, parameters).network_input
        sheet.paste(_fit(_as_levels(image)), (left, top + CAPTION))
        sheet.paste(_fit(seen), (left + TILE, top + CAPTION))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    description = "Left as it is delivered, right what the network sees of it."
    return Picture(title, description, buffer.getvalue())


def _as_levels(image: DecodedImage) -> npt.NDArray[np.uint8]:
    pixels: GrayPixels = np.clip(image.pixels, 0.0, 1.0)
    return np.asarray(pixels * 255.0 + 0.5, dtype=np.uint8)


def _fit(levels: npt.NDArray[np.uint8]) -> Image.Image:
    """Scale a picture into a tile, keeping its shape, on a gray ground that shows its edges."""
    tile = Image.new("L", (TILE, TILE), 200)
    height, width = levels.shape
    share = TILE / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    scaled = Image.fromarray(levels).resize(size, Image.Resampling.BILINEAR)
    tile.paste(scaled, ((TILE - size[0]) // 2, (TILE - size[1]) // 2))
    return tile


def _draw_intervals(  # noqa: PLR0913 - what tells one series from another
    axes: Any,  # noqa: ANN401 - matplotlib has no types
    values: Sequence[Mapping[str, float] | None],
    label: str,
    colour: str,
    marker: str,
    shift: float,
) -> None:
    known = [(at, value) for at, value in enumerate(values) if value is not None]
    heights = [at + shift for at, _ in known]
    axes.hlines(
        heights,
        [value["low"] for _, value in known],
        [value["high"] for _, value in known],
        color=colour,
        linewidth=1.2,
    )
    axes.plot(
        [value["value"] for _, value in known],
        heights,
        color=colour,
        marker=marker,
        markersize=5,
        linestyle="",
        label=label,
    )


def _make_axes(rows: Mapping[str, Any]) -> tuple[Figure, Any]:
    height = 1.4 + ROW_INCHES * len(rows)
    figure = Figure(figsize=(8.2, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _as_picture(figure: Figure, title: str, description: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return Picture(title, description, buffer.getvalue())
