"""Drawn documents: pages, forms, tables, charts and screenshots, as they end up in archives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Random = np.random.Generator
Colours = npt.NDArray[np.uint8]
"""(height, width, 3), red, green, blue."""

_PROSE: Final = (
    "the patient was seen in clinic with no change since report findings impression axial left "
    "right history of contrast examination date technique comparison none normal please contact "
    "department radiology invoice total amount page appendix section form name signature"
)


def draw_letter(random: Random) -> Colours:
    """Draw a page of paragraphs under a heading."""
    image, draw = _blank_page(random)
    margin = int(image.width * random.uniform(0.06, 0.15))
    draw.text((margin, margin), _sentence(random, 3), fill="black", font=_font(28))
    _write_lines(draw, random, (margin, margin + 50), image.size, int(random.integers(10, 18)))
    return np.asarray(image)


def draw_two_columns(random: Random) -> Colours:
    """Draw a page in two columns with a box for a figure."""
    image, draw = _blank_page(random)
    middle, size = image.width // 2, int(random.integers(8, 12))
    for left in (20, middle + 10):
        _write_lines(draw, random, (left, 30), (left + middle - 20, image.height), size)
    top = int(random.integers(60, image.height // 2))
    draw.rectangle((middle + 10, top, image.width - 20, top + 130), fill=(190, 190, 190))
    return np.asarray(image)


def draw_form(random: Random) -> Colours:
    """Draw a form: labels, boxes, ticks, a signature."""
    image, draw = _blank_page(random)
    for row in range(int(random.integers(6, 12))):
        y = 40 + row * int(image.height / 13)
        draw.text((25, y), _sentence(random, 2), fill="black", font=_font(14))
        draw.rectangle((image.width // 2, y - 4, image.width - 25, y + 20), outline="black")
        if random.random() < 0.5:
            draw.text((image.width // 2 + 8, y), _sentence(random, 2), fill="black", font=_font(13))
    points = [(40 + 12 * i, image.height - 50 + random.normal(0, 10)) for i in range(16)]
    draw.line(points, fill=(20, 20, 120), width=2)
    return np.asarray(image)


def draw_table(random: Random) -> Colours:
    """Draw a table of numbers."""
    image, draw = _blank_page(random)
    columns, height = int(random.integers(3, 8)), int(random.integers(18, 30))
    width = (image.width - 40) // columns
    for row in range((image.height - 60) // height):
        y = 30 + row * height
        draw.line((20, y, image.width - 20, y), fill="black")
        for column in range(columns):
            number = f"{random.uniform(0, 1000):.{int(random.integers(0, 3))}f}"
            draw.text((26 + column * width, y + 3), number, fill="black", font=_font(12))
    return np.asarray(image)


def draw_line_chart(random: Random) -> Colours:
    """Draw a chart of some wandering lines."""
    image, draw = _blank_page(random, landscape=True)
    left, bottom = 50, image.height - 40
    draw.line((left, 20, left, bottom, image.width - 20, bottom), fill="black", width=2)
    for _ in range(int(random.integers(1, 6))):
        steps = np.cumsum(random.normal(0, 1, 120))
        steps = (steps - steps.min()) / (np.ptp(steps) + 1e-9)
        x = np.linspace(left, image.width - 20, 120)
        points = list(zip(x.tolist(), (bottom - steps * (bottom - 30)).tolist(), strict=True))
        draw.line(points, fill=_colour(random), width=2)
    draw.text((left, 2), _sentence(random, 4), fill="black", font=_font(14))
    return np.asarray(image)


def draw_bar_chart(random: Random) -> Colours:
    """Draw a chart of bars, or of one round pie."""
    image, draw = _blank_page(random, landscape=True)
    if random.random() < 0.4:
        side = min(image.size) - 60
        angles = np.cumsum(random.dirichlet(np.ones(5))) * 360
        for start, end in zip((0.0, *angles[:-1]), angles, strict=True):
            draw.pieslice((30, 30, 30 + side, 30 + side), start, end, fill=_colour(random))
        return np.asarray(image)
    count = int(random.integers(4, 14))
    width = (image.width - 80) / count
    for number, height in enumerate(random.uniform(0.1, 0.9, count)):
        x = 50 + number * width
        top = image.height - 40 - height * (image.height - 70)
        draw.rectangle((x, top, x + width * 0.7, image.height - 40), fill=_colour(random))
    return np.asarray(image)


def draw_screenshot(random: Random) -> Colours:
    """Draw a window of some program: bars, a list, buttons, panes; light or dark."""
    dark = bool(random.random() < 0.5)
    back, fore = ((30, 32, 36), (220, 220, 220)) if dark else ((245, 245, 245), (20, 20, 20))
    image = Image.new("RGB", (int(random.integers(480, 800)), int(random.integers(320, 560))), back)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, image.width, 34), fill=_colour(random))
    draw.rectangle((0, 34, 150, image.height), fill=tuple(int(level * 0.85) for level in back))
    for row in range(12):
        draw.text((12, 50 + 26 * row), _sentence(random, 2), fill=fore, font=_font(12))
    for _ in range(int(random.integers(2, 6))):
        x, y = int(random.integers(160, image.width - 80)), int(random.integers(50, image.height))
        draw.rounded_rectangle((x, y, x + 110, y + 60), 6, fill=_colour(random))
        draw.text((x + 8, y + 8), _sentence(random, 2), fill=fore, font=_font(12))
    return np.asarray(image)


def draw_terminal(random: Random) -> Colours:
    """Draw bright print on black, as consoles and dose reports have it."""
    image = Image.new("RGB", (int(random.integers(400, 640)), int(random.integers(300, 520))))
    ink = (255, 255, 255) if random.random() < 0.6 else (90, 255, 90)
    size = int(random.integers(10, 16))
    _write_lines(ImageDraw.Draw(image), random, (10, 10), image.size, size, ink)
    return np.asarray(image)


def draw_handwriting(random: Random) -> Colours:
    """Draw scribbled lines on ruled paper."""
    image, draw = _blank_page(random)
    for y in range(40, image.height - 20, 32):
        draw.line((20, y, image.width - 20, y), fill=(180, 200, 230))
        length = int(random.integers(60, image.width - 60))
        x = np.arange(25, 25 + length, 3)
        wave = 9 * np.sin(x / random.uniform(3, 6)) * random.uniform(0.3, 1.0, len(x))
        draw.line(
            list(zip(x.tolist(), (y - 8 + wave).tolist(), strict=True)), fill="black", width=2
        )
    return np.asarray(image)


def draw_barcode(random: Random) -> Colours:
    """Draw a label: a bar code or a matrix code with a line of print."""
    image, draw = _blank_page(random, landscape=True)
    if random.random() < 0.5:
        modules = random.random((25, 25)) < 0.5
        code = Image.fromarray(np.where(modules, np.uint8(0), np.uint8(255)))
        image.paste(code.resize((250, 250), Image.Resampling.NEAREST), (40, 30))
    else:
        x = 30.0
        while x < image.width - 30:
            width = float(random.choice([2, 4, 6]))
            draw.rectangle((x, 30, x + width, image.height - 60), fill="black")
            x += width + float(random.choice([2, 4, 6]))
    draw.text((40, image.height - 45), _sentence(random, 4), fill="black", font=_font(16))
    return np.asarray(image)


def _blank_page(
    random: Random, *, landscape: bool = False
) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    long, short = int(random.integers(420, 700)), int(random.integers(320, 480))
    paper = (int(random.integers(225, 256)),) * 3
    image = Image.new("RGB", (long, short) if landscape else (short, long), paper)
    return image, ImageDraw.Draw(image)


def _write_lines(  # noqa: PLR0913 - where, how far, how large, in which colour
    draw: ImageDraw.ImageDraw,
    random: Random,
    start: tuple[int, int],
    end: tuple[int, int],
    size: int,
    ink: tuple[int, int, int] = (0, 0, 0),
) -> None:
    font = _font(size)
    letters = max(1, int((end[0] - start[0]) / (0.55 * size)))
    for y in range(start[1], end[1] - size, int(size * 1.5)):
        if random.random() < 0.12:
            continue  # a paragraph ends
        line = _sentence(random, letters // 5)[:letters]
        draw.text((start[0], y), line, fill=ink, font=font)


def _sentence(random: Random, words: int) -> str:
    return " ".join(random.choice(_PROSE.split(), max(1, words)).tolist()).capitalize()


def _colour(random: Random) -> tuple[int, int, int]:
    red, green, blue = random.integers(20, 230, 3).tolist()
    return red, green, blue


_font: Callable[[int], ImageFont.FreeTypeFont | ImageFont.ImageFont] = ImageFont.load_default
