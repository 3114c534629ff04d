"""The panels of an overlay: the slice, LIME's weights and the model's own marking on it.

All show the same slice at the same scale, so that a place can be compared across them.
Supporting and opposing parts differ in three ways, for readers who cannot tell green from red:
plain against hatched fill, solid against dashed outline, a plus against a minus sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from model.explanation import Explanation
from model.explanation_fit import NOT_DRAWN
from model.images import Box, GrayPixels
from model.preprocessing import PreparedImage, Region

Canvas: TypeAlias = npt.NDArray[np.uint8]
"""(height, width, 3), red, green, blue."""

Mask: TypeAlias = npt.NDArray[np.bool_]
"""(height, width) of a canvas."""

Colour: TypeAlias = tuple[int, int, int]

PANEL: Final = 512  # pixels, longer side of the slice

OUTSIDE: Final = -1
"""Number of the segment where the network saw nothing."""

OUTLINE: Final[Colour] = (90, 200, 255)
BOX: Final[Colour] = (255, 210, 60)
SEAM: Final[Colour] = (150, 150, 150)

STRONGEST_OPACITY: Final = 0.45
OUTLINED_FROM: Final = 0.3  # of the strongest weight: an outline a segment would hide the slice
LABELS_A_SIGN: Final = 2


@dataclass(frozen=True)
class Palette:
    """Colours of what speaks for a tumour and what speaks against."""

    supporting: Colour
    opposing: Colour


# Okabe and Ito's palette, lightened for a dark ground.
GREEN_RED: Final = Palette(supporting=(0, 200, 130), opposing=(240, 80, 50))
BLUE_ORANGE: Final = Palette(supporting=(60, 160, 255), opposing=(240, 160, 0))
"""For readers who cannot tell green from red."""


@dataclass(frozen=True)
class Marking:
    """What the model itself marks in a slice.

    Attributes:
        tumor_map: (m, m), 0..1, over the region that the network saw.
        map_threshold: from which value the map counts as lesion.
        box: around the lesion in pixels of the original image, or None.
    """

    tumor_map: npt.NDArray[np.float32]
    map_threshold: float
    box: Box | None


def scale_slice(pixels: GrayPixels) -> Canvas:
    """Scale a slice to `PANEL` on its longer side, its aspect ratio kept, in three channels."""
    height, width = pixels.shape
    scale = PANEL / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    gray = Image.fromarray(np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8))
    scaled = np.asarray(gray.resize(size, Image.Resampling.BICUBIC), dtype=np.uint8)
    return np.repeat(scaled[:, :, np.newaxis], 3, axis=2)


def draw_marking(
    canvas: Canvas,
    decoded_shape: tuple[int, ...],
    prepared: PreparedImage,
    marking: Marking,
) -> Canvas:
    """Return the slice with the outline of the tumour map and the box around it."""
    rows, columns = _region_coordinates(canvas.shape, decoded_shape, prepared.region)
    side = marking.tumor_map.shape[0]
    # Half a cell back: coordinates of map_coordinates lie on the centres of the cells.
    where = np.meshgrid(rows * side - 0.5, columns * side - 0.5, indexing="ij")
    values = ndimage.map_coordinates(marking.tumor_map, where, order=1, mode="nearest")
    seen = _inside(rows)[:, np.newaxis] & _inside(columns)[np.newaxis, :]
    lesion = (values >= marking.map_threshold) & seen
    drawn = _painted(canvas, _rim(lesion, 2), OUTLINE)
    if marking.box is None:
        return drawn
    image = Image.fromarray(drawn)
    across = canvas.shape[1] / prepared.original_width
    down = canvas.shape[0] / prepared.original_height
    left, top = marking.box.x * across, marking.box.y * down
    right = (marking.box.x + marking.box.width) * across
    bottom = (marking.box.y + marking.box.height) * down
    ImageDraw.Draw(image).rectangle(
        (left - 4, top - 4, right + 4, bottom + 4), outline=BOX, width=2
    )
    return np.asarray(image, dtype=np.uint8)


def draw_weights(
    canvas: Canvas,
    decoded_shape: tuple[int, ...],
    region: Region,
    explanation: Explanation,
    palette: Palette = GREEN_RED,
) -> Canvas:
    """Return the slice with every segment tinted by its weight, relative to the strongest."""
    segments = _segments_on_canvas(canvas.shape, decoded_shape, region, explanation.segments)
    strength = _relative(explanation.weights)
    # One more entry, 0, is what OUTSIDE (-1) indexes.
    tint = np.append(np.where(np.abs(strength) >= NOT_DRAWN, strength, 0.0), 0.0)[segments]
    drawn = _painted(canvas, _seams(segments), SEAM, opacity=0.35)
    drawn = _painted(drawn, tint > 0, palette.supporting, opacity=STRONGEST_OPACITY * tint)
    drawn = _painted(drawn, tint < 0, palette.opposing, opacity=-STRONGEST_OPACITY * tint)
    drawn = _painted(drawn, (tint < 0) & _hatching(tint.shape), palette.opposing, opacity=0.6)
    drawn = _painted(drawn, _rim(tint >= OUTLINED_FROM, 2), palette.supporting)
    dashed = _rim(tint <= -OUTLINED_FROM, 2) & _dashes(tint.shape)
    drawn = _painted(drawn, dashed, palette.opposing)
    return _write_weights(drawn, segments, explanation.weights)


def draw_swatch(palette: Palette, *, supporting: bool) -> Canvas:
    """Draw one field of the legend, as segments of that sign are drawn."""
    colour = palette.supporting if supporting else palette.opposing
    whole = np.ones((18, 28), dtype=bool)
    ground = np.full((*whole.shape, 3), 70, dtype=np.uint8)
    swatch = _painted(ground, whole, colour, opacity=STRONGEST_OPACITY)
    if supporting:
        return _painted(swatch, _rim(whole, 2), colour)
    swatch = _painted(swatch, _hatching(whole.shape), colour, opacity=0.8)
    return _painted(swatch, _rim(whole, 2) & _dashes(whole.shape), colour)


def _segments_on_canvas(
    canvas_shape: tuple[int, ...],
    decoded_shape: tuple[int, ...],
    region: Region,
    segments: npt.NDArray[np.int32],
) -> npt.NDArray[np.int32]:
    rows, columns = _region_coordinates(canvas_shape, decoded_shape, region)
    size = segments.shape[0]
    row_numbers = np.clip((rows * size).astype(int), 0, size - 1)
    column_numbers = np.clip((columns * size).astype(int), 0, size - 1)
    looked_up = segments[np.ix_(row_numbers, column_numbers)]
    seen = _inside(rows)[:, np.newaxis] & _inside(columns)[np.newaxis, :]
    return np.where(seen, looked_up, OUTSIDE).astype(np.int32)


def _region_coordinates(
    canvas_shape: tuple[int, ...],
    decoded_shape: tuple[int, ...],
    region: Region,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return where rows and columns of the canvas lie in the region; 0..1 is inside."""
    y = (np.arange(canvas_shape[0]) + 0.5) * decoded_shape[0] / canvas_shape[0]
    x = (np.arange(canvas_shape[1]) + 0.5) * decoded_shape[1] / canvas_shape[1]
    return (y - region.y) / region.side, (x - region.x) / region.side


def _inside(coordinates: npt.NDArray[np.float64]) -> Mask:
    inside: Mask = (coordinates >= 0.0) & (coordinates < 1.0)
    return inside


def _relative(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    strongest = float(np.abs(weights).max(initial=0.0))
    return weights / strongest if strongest > 0.0 else np.zeros_like(weights)


def _painted(
    canvas: Canvas,
    mask: Mask,
    colour: Colour,
    opacity: float | npt.NDArray[np.float64] = 1.0,
) -> Canvas:
    """Return a copy with `mask` mixed towards `colour`; opacity 0..1, one number or one a pixel."""
    alpha = np.where(mask, opacity, 0.0)[:, :, np.newaxis]
    mixed = canvas * (1.0 - alpha) + np.asarray(colour, dtype=np.float64) * alpha
    painted: Canvas = np.rint(mixed).astype(np.uint8)
    return painted


def _rim(mask: Mask, thickness: int) -> Mask:
    rim: Mask = mask & ~ndimage.binary_erosion(mask, iterations=thickness)
    return rim


def _seams(segments: npt.NDArray[np.int32]) -> Mask:
    padded = np.pad(segments, ((0, 1), (0, 1)), mode="edge")
    seams: Mask = (padded[1:, :-1] != segments) | (padded[:-1, 1:] != segments)
    return seams


def _hatching(shape: tuple[int, ...]) -> Mask:
    rows, columns = np.indices(shape)
    hatching: Mask = (rows + columns) % 11 < 2  # noqa: PLR2004 - lines of 2 pixels every 11
    return hatching


def _dashes(shape: tuple[int, ...]) -> Mask:
    # Runs along the other diagonal than the hatching, or dashes and lines would coincide.
    rows, columns = np.indices(shape)
    dashes: Mask = (rows - columns) % 14 < 8  # noqa: PLR2004 - dashes of 8 pixels, gaps of 6
    return dashes


def _write_weights(
    canvas: Canvas,
    segments: npt.NDArray[np.int32],
    weights: npt.NDArray[np.float64],
) -> Canvas:
    """Return the canvas with the strongest weights of either sign written on their segments."""
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image)
    strength = _relative(weights)
    for sign in (1.0, -1.0):
        order = np.argsort(-sign * strength, kind="stable")[:LABELS_A_SIGN]
        for segment in order[sign * strength[order] >= OUTLINED_FROM]:
            rows, columns = np.nonzero(segments == segment)
            if rows.size:
                draw.text(
                    (float(columns.mean()), float(rows.mean())),
                    _write_weight(float(weights[segment])),
                    fill=(255, 255, 255),
                    font=ImageFont.load_default(15),
                    anchor="mm",
                    stroke_width=2,
                    stroke_fill=(0, 0, 0),
                )
    return np.asarray(image, dtype=np.uint8)


def _write_weight(weight: float) -> str:
    return f"{weight:+.1f}" if abs(weight) >= 1.0 else f"{weight:+.2f}"
