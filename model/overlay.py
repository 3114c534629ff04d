"""The picture of one explanation: the slice with the model's own outline, and LIME beside it.

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
from model.images import GrayPixels
from model.overlay_panels import (
    BOX,
    OUTLINE,
    PANEL,
    Colour,
    Marking,
    draw_marking,
    draw_swatch,
    draw_weights,
    scale_slice,
)
from model.preprocessing import PreparedImage

MARGIN: Final = 20
PANEL_TOP: Final = 100
LEGEND_TOP: Final = PANEL_TOP + PANEL + 14
WIDTH: Final = 2 * PANEL + 3 * MARGIN
HEIGHT: Final = LEGEND_TOP + 124
RIGHT: Final = PANEL + 2 * MARGIN  # left edge of the second panel

GROUND: Final[Colour] = (16, 18, 22)
TEXT: Final[Colour] = (235, 235, 235)
FAINT: Final[Colour] = (165, 170, 178)

SMALLEST_WRITTEN: Final = 0.001
LOW_FIT: Final = 0.5  # the regions explain less than half of what the probability did


@dataclass(frozen=True)
class Caption:
    """What is written on the overlay; nothing in it names a patient or an object.

    Attributes:
        image_id: keyed hash.
        bundle_digest: of the model that scored.
        probability: calibrated, 0..1.
        threshold: from which the image is flagged.
    """

    image_id: str
    bundle_digest: str
    probability: float
    threshold: float


def draw_overlay(
    pixels: GrayPixels,
    prepared: PreparedImage,
    marking: Marking,
    explanation: Explanation,
    caption: Caption,
) -> bytes:
    """Draw both panels, titles and legend.

    Args:
        pixels: the decoded slice, (height, width), 0..1; left unchanged.
        prepared: the way from the slice to what the network saw.
        marking: the model's own outline and box.
        explanation: of what the network saw.
        caption: numbers and identifiers to write.

    Returns:
        A PNG of `WIDTH` x `HEIGHT`.
    """
    slice_canvas = scale_slice(pixels)
    panel = slice_canvas.shape[:2]
    marked = draw_marking(slice_canvas, pixels.shape, prepared, marking)
    explained = draw_weights(slice_canvas, pixels.shape, prepared.region, explanation)
    page = Image.new("RGB", (WIDTH, HEIGHT), GROUND)
    offset = ((PANEL - panel[1]) // 2, (PANEL - panel[0]) // 2)
    for left, canvas in ((MARGIN, marked), (RIGHT, explained)):
        ImageDraw.Draw(page).rectangle(
            (left, PANEL_TOP, left + PANEL - 1, PANEL_TOP + PANEL - 1),
            fill=(0, 0, 0),
        )
        page.paste(Image.fromarray(canvas), (left + offset[0], PANEL_TOP + offset[1]))
    _write_titles(page, caption)
    _write_marking_legend(page, marking)
    _write_weights_legend(page, explanation)
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


def _write_titles(page: Image.Image, caption: Caption) -> None:
    draw = ImageDraw.Draw(page)
    flagged = "flagged" if caption.probability >= caption.threshold else "not flagged"
    title = (
        f"Tumor probability {write_probability(caption.probability)}"
        f"  ·  threshold {write_probability(caption.threshold)}  ·  {flagged}"
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
    heading = ImageFont.load_default(17)
    draw.text((MARGIN, 72), "Slice, as the model marks it", fill=TEXT, font=heading)
    draw.text((RIGHT, 72), "LIME: what moved the probability", fill=TEXT, font=heading)


def _write_marking_legend(page: Image.Image, marking: Marking) -> None:
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(15)
    if marking.box is None:
        text = "The model's tumor map marks no place in this slice."
        draw.text((MARGIN, LEGEND_TOP), text, fill=TEXT, font=font)
        return
    draw.line((MARGIN, LEGEND_TOP + 9, MARGIN + 26, LEGEND_TOP + 9), fill=OUTLINE, width=2)
    text = "outline of the model's tumor map"
    draw.text((MARGIN + 36, LEGEND_TOP), text, fill=TEXT, font=font)
    draw.rectangle((MARGIN, LEGEND_TOP + 26, MARGIN + 26, LEGEND_TOP + 42), outline=BOX, width=2)
    draw.text((MARGIN + 36, LEGEND_TOP + 26), "box around its strongest part", fill=TEXT, font=font)


def _write_weights_legend(page: Image.Image, explanation: Explanation) -> None:
    draw = ImageDraw.Draw(page)
    if explanation.weights.any():
        meanings = ("speaks for a tumor (solid line)", "speaks against (hatched, dashed line)")
        for row, meaning in enumerate(meanings):
            top = LEGEND_TOP + 26 * row
            page.paste(Image.fromarray(draw_swatch(supporting=row == 0)), (RIGHT, top))
            draw.text((RIGHT + 36, top), meaning, fill=TEXT, font=ImageFont.load_default(15))
    else:
        text = "Hiding regions did not move the probability: nothing is tinted."
        draw.text((RIGHT, LEGEND_TOP), text, fill=TEXT, font=ImageFont.load_default(15))
    small = ImageFont.load_default(14)
    what = "Numbers: probability that showing the region adds, all else equal."
    draw.text((RIGHT, LEGEND_TOP + 54), what, fill=FAINT, font=small)
    low = explanation.r_squared < LOW_FIT
    fit = f"Fit to the model's score: R2 {explanation.r_squared:.2f}"
    fit += " - LOW, the tints explain little" if low else " (1 is exact)"
    draw.text((RIGHT, LEGEND_TOP + 74), fit, fill=BOX if low else FAINT, font=small)
    how = f"{explanation.perturbations} perturbed pictures, seed {explanation.seed}"
    draw.text((RIGHT, LEGEND_TOP + 94), how, fill=FAINT, font=small)
