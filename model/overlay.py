"""The picture of one explanation: the slice, LIME's weights, and the model's own tumour map.

Drawn with Pillow and the font inside Pillow: no font of the machine, no date, no software name,
so the same explanation is the same file, byte for byte. That font knows ASCII and the middle dot
only: hence "R2".
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from model.explanation import Explanation
from model.explanation_quality import ExplanationQuality
from model.images import GrayPixels
from model.overlay_panels import (
    BOX,
    GREEN_RED,
    OUTLINE,
    PANEL,
    Colour,
    Marking,
    Palette,
    draw_marking,
    draw_swatch,
    draw_weights,
    scale_slice,
)
from model.preprocessing import PreparedImage

MARGIN: Final = 20
DOUBTS_TOP: Final = 72
HEADING_TOP: Final = 106
PANEL_TOP: Final = 134
LEGEND_TOP: Final = PANEL_TOP + PANEL + 14
WIDTH: Final = 3 * PANEL + 4 * MARGIN
HEIGHT: Final = LEGEND_TOP + 144
COLUMNS: Final = tuple(MARGIN + number * (PANEL + MARGIN) for number in range(3))
"""Left edges of the panels."""

HEADINGS: Final = (
    "Slice",
    "LIME: what moved the score",
    "The model's own tumor map",
)

GROUND: Final[Colour] = (16, 18, 22)
TEXT: Final[Colour] = (235, 235, 235)
FAINT: Final[Colour] = (165, 170, 178)
DOUBT: Final[Colour] = (150, 45, 20)

SMALLEST_WRITTEN: Final = 0.001


@dataclass(frozen=True)
class Caption:
    """What is written on the overlay; nothing in it names a patient or an object.

    Attributes:
        image_id: keyed hash.
        bundle_digest: of the model that scored.
        probability: calibrated, 0..1.
        threshold: from which the image is flagged.
        reason: of the row, in the words of `model.reasons`.
    """

    image_id: str
    bundle_digest: str
    probability: float
    threshold: float
    reason: str


def draw_overlay(  # noqa: PLR0913 - what a page shows
    pixels: GrayPixels,
    prepared: PreparedImage,
    marking: Marking,
    explanation: Explanation,
    quality: ExplanationQuality,
    caption: Caption,
    palette: Palette = GREEN_RED,
) -> bytes:
    """Draw the panels side by side, at one scale, with titles and legend.

    Args:
        pixels: the decoded slice, (height, width), 0..1; left unchanged.
        prepared: the way from the slice to what the network saw.
        marking: the model's own outline and box.
        explanation: of what the network saw.
        quality: its figures; what speaks against it stands above the panels.
        caption: numbers and identifiers to write.
        palette: colours of the weights.

    Returns:
        A PNG of `WIDTH` x `HEIGHT`.
    """
    canvas = scale_slice(pixels)
    panels = (
        canvas,
        draw_weights(canvas, pixels.shape, prepared.region, explanation, palette),
        draw_marking(canvas, pixels.shape, prepared, marking),
    )
    page = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    offset = ((PANEL - canvas.shape[1]) // 2, (PANEL - canvas.shape[0]) // 2)
    for left, panel in zip(COLUMNS, panels, strict=True):
        ImageDraw.Draw(page).rectangle(
            (left, PANEL_TOP, left + PANEL - 1, PANEL_TOP + PANEL - 1),
            fill=(0, 0, 0),
        )
        page.paste(Image.fromarray(panel), (left + offset[0], PANEL_TOP + offset[1]))
    _write_titles(page, caption, quality)
    scale = max(canvas.shape[:2]) / max(prepared.original_width, prepared.original_height)
    _write_slice_legend(page, prepared, scale)
    _write_weights_legend(page, explanation, quality, palette)
    _write_marking_legend(page, marking, quality)
    buffer = io.BytesIO()
    page.save(buffer, format="PNG", compress_level=6)
    return buffer.getvalue()


def write_probability(probability: float) -> str:
    """Write a probability with three decimals, never rounded to a certainty."""
    if 0.0 < probability < SMALLEST_WRITTEN:
        return f"{probability:.1g}"
    if 1.0 - SMALLEST_WRITTEN < probability < 1.0:
        return f"above {1.0 - SMALLEST_WRITTEN:.3f}"
    return f"{probability:.3f}"


def _write_titles(page: Image.Image, caption: Caption, quality: ExplanationQuality) -> None:
    draw = ImageDraw.Draw(page)
    title = (
        f"Tumor probability {write_probability(caption.probability)}"
        f"  ·  threshold {write_probability(caption.threshold)}"
        f"  ·  {caption.reason.replace('_', ' ')}"
    )
    draw.text((MARGIN, 14), title, fill=TEXT, font=ImageFont.load_default(24))
    note = f"image {caption.image_id}  ·  model {caption.bundle_digest[:12]}"
    draw.text((MARGIN, 47), note, fill=FAINT, font=ImageFont.load_default(14))
    draw.text(
        (WIDTH - MARGIN, 14),
        "Assists radiologists, never diagnoses",
        fill=BOX,
        font=ImageFont.load_default(18),
        anchor="ra",
    )
    if quality.doubts:
        draw.rectangle((MARGIN, DOUBTS_TOP, WIDTH - MARGIN, DOUBTS_TOP + 25), fill=DOUBT)
        text = "DOUBTFUL EXPLANATION  ·  " + "  ·  ".join(quality.doubts)
        font = ImageFont.load_default(16)
        draw.text((MARGIN + 8, DOUBTS_TOP + 3), text, fill=(255, 255, 255), font=font)
    for left, heading in zip(COLUMNS, HEADINGS, strict=True):
        draw.text((left, HEADING_TOP), heading, fill=TEXT, font=ImageFont.load_default(17))


def _write_slice_legend(page: Image.Image, prepared: PreparedImage, scale: float) -> None:
    size = f"original {prepared.original_width} x {prepared.original_height} pixels"
    lines = [f"{size}, shown at {scale:.3g} : 1", "All three pictures have the same scale."]
    _write_lines(page, COLUMNS[0], 0, lines)


def _write_weights_legend(
    page: Image.Image,
    explanation: Explanation,
    quality: ExplanationQuality,
    palette: Palette,
) -> None:
    draw = ImageDraw.Draw(page)
    left = COLUMNS[1]
    if explanation.weights.any():
        meanings = ("speaks for a tumor (solid line)", "speaks against (hatched, dashed line)")
        for row, meaning in enumerate(meanings):
            top = LEGEND_TOP + 24 * row
            swatch = draw_swatch(palette, supporting=row == 0)
            page.paste(Image.fromarray(swatch), (left, top))
            draw.text((left + 36, top), meaning, fill=TEXT, font=ImageFont.load_default(15))
    else:
        text = "Hiding regions did not move the score: nothing is tinted."
        draw.text((left, LEGEND_TOP), text, fill=TEXT, font=ImageFont.load_default(15))
    lines = [
        "Numbers: log-odds that showing the region adds (+1: odds times 2.7).",
        f"Fit R2 {quality.fidelity:.2f}  ·  agreement of two halves {_number(quality.stability)}",
        f"Positive weight inside the head {_percent(quality.inside_head)}",
        f"{explanation.perturbations} perturbed pictures, seed {explanation.seed}",
    ]
    _write_lines(page, left, 54, lines)


def _write_marking_legend(
    page: Image.Image,
    marking: Marking,
    quality: ExplanationQuality,
) -> None:
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(15)
    left = COLUMNS[2]
    if marking.box is None:
        text = "The model's tumor map marks no place in this slice."
        draw.text((left, LEGEND_TOP), text, fill=TEXT, font=font)
        return
    draw.line((left, LEGEND_TOP + 9, left + 26, LEGEND_TOP + 9), fill=OUTLINE, width=2)
    draw.text((left + 36, LEGEND_TOP), "outline of the tumor map", fill=TEXT, font=font)
    draw.rectangle((left, LEGEND_TOP + 26, left + 26, LEGEND_TOP + 42), outline=BOX, width=2)
    draw.text((left + 36, LEGEND_TOP + 24), "box around its strongest part", fill=TEXT, font=font)
    agreement = "no weight to compare"
    if quality.map_agreement is not None:
        agreement = f"{quality.map_agreement:.1f} times as dense as in the head"
    _write_lines(page, left, 54, [f"LIME's positive weight inside the outline: {agreement}"])


def _write_lines(page: Image.Image, left: int, below: int, lines: list[str]) -> None:
    draw = ImageDraw.Draw(page)
    for row, line in enumerate(lines):
        top = LEGEND_TOP + below + 20 * row
        draw.text((left, top), line, fill=FAINT, font=ImageFont.load_default(14))


def _number(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.2f}"


def _percent(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.0%}"
