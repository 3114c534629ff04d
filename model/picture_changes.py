"""The changes of the shift table: pictures as another hospital might have delivered them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from model import picture_changes_background as background
from model import picture_changes_framing as framing
from model import picture_changes_lesions as lesions
from model import picture_changes_levels as levels
from model.changed_picture import Apply, Change, OriginalPicture
from model.errors import ConfigurationError
from model.images import GrayPixels
from model.independent_outline import Mask

LEAST_BACKGROUND: Final = 0.02
"""A picture with a smaller share of background has none that could be replaced."""

BACKGROUND: Final = "background"
PAINTED: Final = "painted lesion"
SHORTCUT: Final = "shortcut check"
"""Families whose rows are judged in a way of their own."""


def choose_changes(names: Sequence[str] | None) -> tuple[Change, ...]:
    """Return the changes of these names, or all, in the order of the table.

    Raises:
        ConfigurationError: if a name is not known.
    """
    known = {change.name for change in CHANGES}
    if unknown := [name for name in names or () if name not in known]:
        message = f"unknown change {unknown[0]!r}: expected one of {', '.join(sorted(known))}"
        raise ConfigurationError(message)
    return tuple(change for change in CHANGES if not names or change.name in names)


def _on_pixels(change: Callable[[GrayPixels], GrayPixels]) -> Apply:
    return lambda picture, _: change(picture.pixels)


def _with_chance(change: Callable[[GrayPixels, np.random.Generator], GrayPixels]) -> Apply:
    return lambda picture, random: change(picture.pixels, random)


def _on_head(change: Callable[[GrayPixels, Mask], GrayPixels]) -> Apply:
    return lambda picture, _: None if picture.head is None else change(picture.pixels, picture.head)


def _behind_head(make: Callable[[tuple[int, int], np.random.Generator], GrayPixels]) -> Apply:
    def change(picture: OriginalPicture, random: np.random.Generator) -> GrayPixels | None:
        head = picture.head
        if head is None or 1.0 - head.mean() < LEAST_BACKGROUND:
            return None
        height, width = picture.pixels.shape
        made = make((height, width), random)
        return background.replace_background(picture.pixels, head, made)

    return change


def _painted(kind: lesions.LesionKind) -> Apply:
    def change(picture: OriginalPicture, random: np.random.Generator) -> GrayPixels | None:
        if picture.head is None or picture.brain is None:
            return None
        return lesions.paint(picture.pixels, picture.head, picture.brain, kind, random)

    return change


def _remove_skull(picture: OriginalPicture, _: np.random.Generator) -> GrayPixels | None:
    if picture.brain is None:
        return None
    return framing.keep_inside(picture.pixels, picture.brain)


def _remove_skull_and_crop(
    picture: OriginalPicture,
    random: np.random.Generator,
) -> GrayPixels | None:
    brain, removed = picture.brain, _remove_skull(picture, random)
    if brain is None or removed is None:
        return None
    return framing.crop_to(removed, brain, inset=0.0)


def _cut_into_head(picture: OriginalPicture, _: np.random.Generator) -> GrayPixels | None:
    if picture.head is None:
        return None
    return framing.crop_to(picture.pixels, picture.head, inset=0.06, must_show=picture.lesion)


def _send_through_one_archive(pixels: GrayPixels) -> GrayPixels:
    blanked = framing.blank_rim(framing.resize_to(pixels, 256), 0.04)
    return levels.re_encode(blanked, 75)


CHANGES: Final = (
    Change("skull removed", "preparation", "all but the brain is black", _remove_skull),
    Change(
        "skull removed, cropped",
        "preparation",
        "the same, cut to the box of the brain",
        _remove_skull_and_crop,
    ),
    Change(
        "tight crop",
        "framing",
        "cut to the box of the head",
        _on_head(lambda pixels, head: framing.crop_to(pixels, head, inset=0.0)),
    ),
    Change("cut into the head", "framing", "6% of the head cut off on each side", _cut_into_head),
    Change(
        "wide black border",
        "framing",
        "in the middle of a black canvas of 1.8 times the sides",
        _on_pixels(lambda pixels: framing.place_on_canvas(pixels, 1.8, (0.5, 0.5), 0.0)),
    ),
    Change(
        "white border",
        "framing",
        "in the middle of a white canvas of 1.2 times the sides",
        _on_pixels(lambda pixels: framing.place_on_canvas(pixels, 1.2, (0.5, 0.5), 1.0)),
    ),
    Change(
        "off-centre",
        "framing",
        "in the lower right corner of a black canvas of 1.5 times the sides",
        _on_pixels(lambda pixels: framing.place_on_canvas(pixels, 1.5, (1.0, 1.0), 0.0)),
    ),
    Change(
        "pale",
        "contrast",
        "black becomes 25% gray, white 70%",
        _on_pixels(lambda pixels: levels.compress(pixels, 0.25, 0.7)),
    ),
    Change(
        "dark",
        "contrast",
        "white becomes 35% gray",
        _on_pixels(lambda pixels: levels.compress(pixels, 0.0, 0.35)),
    ),
    Change(
        "narrow window",
        "contrast",
        "the darkest 20% and the brightest 4% of the head saturated",
        _on_head(lambda pixels, head: levels.window(pixels, head, (20.0, 96.0))),
    ),
    Change("negative", "contrast", "black and white exchanged", _on_pixels(levels.invert)),
    Change(
        "tissue inverted",
        "contrast",
        "dark tissue bright and bright tissue dark on a black background, as T1 is to T2",
        _on_head(levels.invert_tissue),
    ),
    Change("gamma 0.6", "scanner", "brightened", _on_pixels(lambda p: levels.apply_gamma(p, 0.6))),
    Change("gamma 1.7", "scanner", "darkened", _on_pixels(lambda p: levels.apply_gamma(p, 1.7))),
    Change(
        "sigmoid curve",
        "scanner",
        "a vendor's display curve: steep in the middle",
        _on_pixels(lambda pixels: levels.bend_curve(pixels, 9.0)),
    ),
    Change(
        "histogram equalised",
        "scanner",
        "all levels of the head equally frequent",
        _on_head(levels.equalise),
    ),
    Change(
        "equalised locally",
        "scanner",
        "contrast equalised region by region (CLAHE)",
        _on_pixels(levels.equalise_locally),
    ),
    Change(
        "16 levels of gray", "scanner", "quantised", _on_pixels(lambda p: levels.quantise(p, 16))
    ),
    Change(
        "bias field",
        "scanner",
        "one side 2.2 times as bright as the other",
        _with_chance(lambda pixels, random: levels.shade(pixels, 0.4, random)),
    ),
    Change(
        "strong bias field",
        "scanner",
        "one side 5 times as bright as the other",
        _with_chance(lambda pixels, random: levels.shade(pixels, 0.8, random)),
    ),
    Change(
        "96 pixels and back",
        "resolution",
        "scaled down to 96 pixels and up to its size",
        _on_pixels(lambda pixels: levels.resample_and_back(pixels, 96)),
    ),
    Change(
        "128 pixels",
        "resolution",
        "delivered with a longer side of 128 pixels",
        _on_pixels(lambda pixels: levels.resample(pixels, 128)),
    ),
    Change(
        "1024 pixels",
        "resolution",
        "delivered with a longer side of 1024 pixels",
        _on_pixels(lambda pixels: levels.resample(pixels, 1024)),
    ),
    Change("turned 90 degrees", "orientation", "turned", _on_pixels(lambda p: framing.turn(p, 1))),
    Change("turned 180 degrees", "orientation", "turned", _on_pixels(lambda p: framing.turn(p, 2))),
    Change("turned 270 degrees", "orientation", "turned", _on_pixels(lambda p: framing.turn(p, 3))),
    Change(
        "turned 15 degrees", "orientation", "turned", _on_pixels(lambda p: framing.rotate(p, 15))
    ),
    Change("left and right", "orientation", "mirrored", _on_pixels(lambda p: framing.mirror(p, 1))),
    Change("up and down", "orientation", "mirrored", _on_pixels(lambda p: framing.mirror(p, 0))),
    Change(
        "noise 4%",
        "noise and sharpness",
        "Rician noise, sigma 4% of white",
        _with_chance(lambda pixels, random: levels.add_noise(pixels, 0.04, random)),
    ),
    Change(
        "noise 8%",
        "noise and sharpness",
        "Rician noise, sigma 8% of white",
        _with_chance(lambda pixels, random: levels.add_noise(pixels, 0.08, random)),
    ),
    Change(
        "blurred",
        "noise and sharpness",
        "Gaussian, sigma 0.8% of the longer side (about 2 mm)",
        _on_pixels(lambda pixels: levels.blur(pixels, 0.008)),
    ),
    Change(
        "ringing",
        "noise and sharpness",
        "k-space cut off at 30% of its extent",
        _on_pixels(lambda pixels: levels.ring(pixels, 0.3)),
    ),
    Change(
        "ghosts",
        "noise and sharpness",
        "two faint copies, as motion makes them",
        _on_pixels(lambda pixels: levels.ghost(pixels, 0.3)),
    ),
    Change(
        "JPEG quality 30",
        "re-encoding",
        "written as JPEG",
        _on_pixels(lambda pixels: levels.re_encode(pixels, 30)),
    ),
    Change(
        "one size, re-encoded, no border",
        SHORTCUT,
        "256 x 256 pixels, rim of 4% black, JPEG of quality 75",
        _on_pixels(_send_through_one_archive),
    ),
    Change(
        "background: faint noise",
        BACKGROUND,
        "noise up to 20% of white outside the head",
        _behind_head(lambda shape, random: background.make_noise(shape, 0.2, random)),
    ),
    Change(
        "background: noise",
        BACKGROUND,
        "noise up to white outside the head",
        _behind_head(lambda shape, random: background.make_noise(shape, 1.0, random)),
    ),
    Change(
        "background: text", BACKGROUND, "lines of white text", _behind_head(background.make_text)
    ),
    Change(
        "background: border",
        BACKGROUND,
        "frame, white line and ruler",
        _behind_head(lambda shape, _: background.make_border(shape)),
    ),
    Change(
        "background: photograph",
        BACKGROUND,
        "a photograph behind the head",
        _behind_head(lambda shape, _: background.make_photograph(shape)),
    ),
    Change("ring lesion", PAINTED, "bright ring, dark core", _painted(lesions.RING)),
    Change("solid lesion", PAINTED, "bright and solid", _painted(lesions.SOLID)),
    Change("diffuse lesion", PAINTED, "bright, soft edge", _painted(lesions.DIFFUSE)),
    Change("dark lesion", PAINTED, "darker than the tissue around", _painted(lesions.DARK)),
)
"""All changes of the shift table; no two have one name."""
