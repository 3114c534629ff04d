"""Paints a slice as its recipe says: anatomy, head, lesion, then what the scanner does to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.transform import resize

from tests.mini_lake.anatomy import Atlas, Field, Plane, Section, cut_section
from tests.mini_lake.contrasts import BRIGHTNESS, Brightness, Contrast
from tests.mini_lake.grids import (
    Points,
    draw_smooth_field,
    place_pixels,
    sample_section,
    soften_step,
    warp_smoothly,
)
from tests.mini_lake.heads import Head, Surroundings, paint_head, paint_sinuses
from tests.mini_lake.lesions import Bed, choose_centre, grow_lesion, paint_lesion, push_aside
from tests.mini_lake.recipes import SliceRecipe

# The template's own T1 intensities of fluid, gray and white matter.
_TEMPLATE_T1: Final = (0.30, 0.66, 0.84)
_INNER_MM: Final = 1.5  # a lesion may press on the skull, not grow into it


@dataclass(frozen=True)
class PaintedSlice:
    """A finished slice.

    Attributes:
        pixels: (height, width), 0 black to 1 white.
        lesion: mask of the painted lesion, or None.
        lesion_diameter_mm: of the disc of the mask's area, or None.
    """

    pixels: Field
    lesion: npt.NDArray[np.bool_] | None
    lesion_diameter_mm: float | None


def paint_slice(atlas: Atlas, recipe: SliceRecipe) -> PaintedSlice:
    """Paints one slice; the same recipe always gives the same pixels."""
    section = cut_section(atlas, recipe.plane, recipe.level)
    signal, silhouette, lesion = _paint_tissues(section, recipe)
    rng = np.random.default_rng((recipe.noise_seed, 4))
    shaded = signal * _draw_shading(rng, recipe)
    pixels = _acquire(shaded, rng, recipe)
    blank = recipe.masked_air or not recipe.skull
    pixels = pixels * soften_step(silhouette - 0.5, 0.8) if blank else pixels
    pixels = np.clip(recipe.gain * pixels, 0, 1) ** recipe.gamma
    area_mm2 = 0.0 if lesion is None else float(lesion.sum()) * recipe.spacing_mm**2
    return PaintedSlice(
        pixels=pixels,
        lesion=lesion,
        lesion_diameter_mm=None if lesion is None else _measure_diameter(area_mm2),
    )


def _measure_diameter(area_mm2: float) -> float:
    return round(2 * float(np.sqrt(area_mm2 / np.pi)), 1)


def _paint_tissues(
    section: Section,
    recipe: SliceRecipe,
) -> tuple[Field, Field, npt.NDArray[np.bool_] | None]:
    """The signal before the scanner, the silhouette of what is shown, and the lesion's mask."""
    person = np.random.default_rng((recipe.seed, 1))
    brightness = BRIGHTNESS[recipe.contrast]
    points = place_pixels(recipe)
    coarse, fine = warp_smoothly(points, person, recipe.spacing_mm)
    outside_mm = sample_section(section.outside_mm, coarse, beyond=99.0)
    growing = np.random.default_rng((recipe.seed, 3))
    centre_mm = None
    if recipe.lesion is not None:
        centre_mm = choose_centre(recipe.lesion, points, -outside_mm, growing)
        fine = _push(fine, recipe, centre_mm, points, -outside_mm)
    brain, white, outline = _paint_brain(section, fine, brightness, recipe)
    lesion = None
    if recipe.lesion is not None and centre_mm is not None:
        growth = grow_lesion(recipe.lesion, centre_mm, points, growing, recipe.spacing_mm)
        inside = soften_step(_INNER_MM - outside_mm, 1.2)
        if not recipe.skull:
            inside = inside * outline
        bed = Bed(brain=brain, white=white, inside=inside)
        brain, lesion = paint_lesion(bed, growth, brightness, growing)
        outline = np.maximum(outline, inside * soften_step(growth.depth_mm, 1.4))
    if not recipe.skull:
        return brain * outline, outline, lesion
    head = _surround(outside_mm, coarse, recipe, brightness)
    return head.signal * (1 - outline) + brain * outline, head.silhouette, lesion


def _push(
    fine: Points,
    recipe: SliceRecipe,
    centre_mm: tuple[float, float],
    points: Points,
    depth_mm: Field,
) -> Points:
    if recipe.lesion is None:
        return fine
    pushed = push_aside(recipe.lesion, centre_mm, points, depth_mm)
    return fine.shift(pushed.down - points.down, pushed.right - points.right)


def _paint_brain(
    section: Section,
    points: Points,
    brightness: Brightness,
    recipe: SliceRecipe,
) -> tuple[Field, Field, Field]:
    """The brain's signal, its white matter and its outline.

    Half comes from the tissue fractions, half from the template's T1 intensity looked up on a curve
    through the three tissues: the first sets the contrast, the second keeps the deep nuclei. Both
    are sharpened first, because the template is the mean of 152 persons.
    """
    gray, white = (
        sample_section(_sharpen_share(share), points) for share in (section.gray, section.white)
    )
    blurred = ndimage.gaussian_filter(section.t1, 1.6)
    t1 = sample_section(section.t1 + 1.0 * (section.t1 - blurred), points)
    outline = sample_section(section.brain, points)
    fluid = np.clip(1 - gray - white, 0, 1)
    by_share = brightness.white * white + brightness.gray * gray + brightness.fluid * fluid
    by_curve = np.interp(
        t1,
        _TEMPLATE_T1,
        (brightness.fluid, brightness.gray, brightness.white),
    )
    texture = draw_smooth_field(
        np.random.default_rng((recipe.seed, 5)),
        white.shape,
        1.5 / recipe.spacing_mm,
    )
    return (0.5 * by_share + 0.5 * by_curve) * (1 + 0.02 * texture), white, outline


def _sharpen_share(share: Field) -> Field:
    return np.asarray(share**2 / (share**2 + (1 - share) ** 2), dtype=np.float64)


def _surround(
    outside_mm: Field,
    points: Points,
    recipe: SliceRecipe,
    brightness: Brightness,
) -> Head:
    rng = np.random.default_rng((recipe.seed, 2))
    surroundings = Surroundings(outside_mm, points, recipe.plane, recipe.spacing_mm)
    head = paint_head(surroundings, brightness, rng)
    if recipe.plane is not Plane.AXIAL or recipe.contrast is not Contrast.T1_CONTRAST:
        return head
    sinus = paint_sinuses(outside_mm, points, recipe.plane)
    return Head(head.signal * (1 - sinus) + brightness.vessel * sinus, head.silhouette)


def _draw_shading(rng: np.random.Generator, recipe: SliceRecipe) -> Field:
    """The coil's sensitivity: smooth, multiplicative, mean about 1."""
    shape = (recipe.height, recipe.width)
    return 1 + recipe.bias * np.clip(draw_smooth_field(rng, shape, recipe.height / 4), -2, 2)


def _acquire(signal: Field, rng: np.random.Generator, recipe: SliceRecipe) -> Field:
    """Samples the signal as coarsely as the scanner, adds Rician noise, and interpolates."""
    share = recipe.spacing_mm / recipe.acquired_spacing_mm
    acquired = signal
    if share < 1:
        matrix = (round(recipe.height * share), round(recipe.width * share))
        acquired = _resize(signal, matrix, order=1)
    real, imaginary = (recipe.noise * rng.standard_normal(acquired.shape) for _ in range(2))
    noisy = np.hypot(acquired + real, imaginary)
    if noisy.shape == signal.shape:
        return np.asarray(noisy, dtype=np.float64)
    return _resize(noisy, signal.shape, order=3)


def _resize(field: Field, shape: tuple[int, ...], order: int) -> Field:
    resized = resize(field, shape, order=order, anti_aliasing=True)
    return np.asarray(resized, dtype=np.float64)
