"""Pictures that are not brain MR, for fitting and for measuring the scope gate.

Real ones from installed packages, drawn ones from seeded generators. Every original (a picture,
or a generator) is on one side only: what the gate was chosen on says nothing of what it catches.
The same seed gives the same pictures; nothing is read from a network.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from model import out_of_scope_body_parts as body_parts
from model import out_of_scope_documents as documents
from model import out_of_scope_patterns as patterns
from model.gray_levels import gray_of_colour
from model.images import DecodedImage, GrayPixels
from model.out_of_scope_packaged import (
    BODY_PARTS,
    DOCUMENTS,
    FACES,
    PHOTOGRAPHS,
    read_face,
    read_packaged,
)

Side = Literal["choosing", "measuring"]
Kind = Literal["photograph", "body_part", "document", "pattern", "noise", "blank"]
Random = np.random.Generator
Drawn = GrayPixels | npt.NDArray[np.uint8]
"""(height, width) of floats 0..1, or of bytes, or (height, width, 3) bytes of colours."""

SEED: Final = 2026
PICTURES_OF_ONE: Final = 12
"""Pictures made of each original; a face, of which there are many, gives one."""

SIDES: Final[tuple[Side, Side]] = ("choosing", "measuring")

_GENERATORS: Final[dict[Side, dict[Kind, tuple[Callable[[Random], Drawn], ...]]]] = {
    "choosing": {
        "body_part": (
            body_parts.draw_thorax,
            body_parts.draw_abdomen,
            body_parts.draw_knee,
            body_parts.draw_hand,
            body_parts.draw_thigh,
            body_parts.draw_head_ct,
        ),
        "document": (
            documents.draw_letter,
            documents.draw_form,
            documents.draw_line_chart,
            documents.draw_screenshot,
            documents.draw_barcode,
        ),
        "pattern": (
            patterns.draw_gradient,
            patterns.draw_waves,
            patterns.draw_blobs,
            patterns.draw_plain_oval,
        ),
        "noise": (
            patterns.draw_white_noise,
            patterns.draw_pink_noise,
            patterns.draw_band_noise,
            patterns.draw_noisy_oval,
        ),
        "blank": (patterns.draw_blank,),
    },
    "measuring": {
        "body_part": (
            body_parts.draw_pelvis,
            body_parts.draw_spine,
            body_parts.draw_ankle,
            body_parts.draw_shoulder,
            body_parts.draw_chest_radiograph,
        ),
        "document": (
            documents.draw_two_columns,
            documents.draw_table,
            documents.draw_bar_chart,
            documents.draw_terminal,
            documents.draw_handwriting,
        ),
        "pattern": (
            patterns.draw_checkerboard,
            patterns.draw_colour_bars,
            patterns.draw_grid_phantom,
        ),
        "noise": (
            patterns.draw_salt_and_pepper,
            patterns.draw_coarse_noise,
            patterns.draw_brown_noise,
            patterns.draw_stained_oval,
        ),
        "blank": (patterns.draw_almost_blank, patterns.draw_blank_frame),
    },
}


@dataclass(frozen=True)
class OutOfScopePicture:
    """A picture that is not brain MR.

    Attributes:
        kind: what it is.
        original: the picture or the generator that it was made of.
        image: as a decoder would give it.
    """

    kind: Kind
    original: str
    image: DecodedImage


@dataclass(frozen=True)
class Original:
    """What pictures are made of.

    Attributes:
        kind: of the pictures.
        name: of the file or the generator.
        make: makes a picture from a generator of random numbers.
        pictures: how many are made of it.
    """

    kind: Kind
    name: str
    make: Callable[[Random], Drawn]
    pictures: int


def make_out_of_scope_pictures(side: Side, seed: int = SEED) -> Iterator[OutOfScopePicture]:
    """Make the pictures of one side, always the same ones for a seed.

    Args:
        side: ``choosing`` to fit and to choose on, ``measuring`` to say how it turned out.
        seed: of cutting and drawing.

    Yields:
        Some hundred pictures, original by original.
    """
    for original in list_originals(side):
        for number in range(original.pictures):
            random = np.random.default_rng((seed, zlib.crc32(original.name.encode()), number))
            image = as_decoded(original.make(random))
            yield OutOfScopePicture(original.kind, original.name, image)


def list_originals(side: Side) -> Iterator[Original]:
    """List what the pictures of one side are made of; packaged pictures are read one by one."""
    packaged: dict[Kind, tuple[tuple[str, ...], ...]] = {
        "photograph": PHOTOGRAPHS[side],
        "document": DOCUMENTS[side],
        "body_part": BODY_PARTS[side],
    }
    for kind, places in packaged.items():
        for place in places:
            make = partial(_vary, read_packaged(place), whole=kind != "photograph")
            yield Original(kind, place[-1], make, PICTURES_OF_ONE)
    for number in range(SIDES.index(side), FACES, len(SIDES)):
        make = partial(_vary, read_face(number), whole=True)
        yield Original("photograph", f"face {number}", make, 1)
    for kind, generators in _GENERATORS[side].items():
        for draw in generators:
            yield Original(kind, draw.__name__.removeprefix("draw_"), draw, PICTURES_OF_ONE)


def as_decoded(drawn: Drawn) -> DecodedImage:
    """Wrap a drawn picture as a decoder would give it."""
    if drawn.ndim == 3:
        pixels, colourfulness = gray_of_colour(drawn)
    elif drawn.dtype == np.uint8:
        pixels, colourfulness = drawn.astype(np.float32) / np.float32(255), 0.0
    else:
        pixels, colourfulness = drawn.astype(np.float32), 0.0
    height, width = pixels.shape
    return DecodedImage(pixels, width, height, "png", colourfulness=colourfulness)


def _vary(picture: npt.NDArray[np.uint8], random: Random, *, whole: bool) -> Drawn:
    """Cut, turn, scale and sometimes gray, frame or mask a real picture.

    Args:
        picture: (height, width) or (height, width, 3).
        random: of the decisions.
        whole: keep at least most of it: a hand cut in four is no hand.
    """
    cut = _crop(picture, random, 0.85 if whole else 0.35)
    image = Image.fromarray(np.ascontiguousarray(np.rot90(cut, 0 if whole else random.integers(4))))
    if random.random() < 0.5:
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    side = int(random.integers(96, 512))
    scale = side / max(image.size)
    size = tuple(max(1, round(length * scale)) for length in image.size)
    scaled = np.asarray(image.resize((size[0], size[1]), Image.Resampling.BILINEAR))
    if scaled.ndim == 3 and random.random() < 0.6:
        scaled = np.asarray(Image.fromarray(scaled).convert("L"))
    manner = random.random()  # masked, framed, or as it is
    if manner < 0.2 and not whole:
        inside = patterns.oval_mask(random, (scaled.shape[0], scaled.shape[1]))
        return np.where(inside[..., None] if scaled.ndim == 3 else inside, scaled, np.uint8(0))
    if manner < 0.3:
        rim = int(random.integers(5, 60))
        return np.pad(scaled, ((rim, rim), (rim, rim), (0, 0))[: scaled.ndim])
    return scaled


def _crop(picture: npt.NDArray[np.uint8], random: Random, least: float) -> npt.NDArray[np.uint8]:
    height, width = picture.shape[:2]
    share = random.uniform(least, 1.0)
    rows, columns = max(1, round(height * share)), max(1, round(width * share))
    top = int(random.integers(height - rows + 1))
    left = int(random.integers(width - columns + 1))
    return picture[top : top + rows, left : left + columns]
