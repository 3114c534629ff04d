"""Painted lesions: where they grow, their outline, and what they look like."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from tests.mini_lake.anatomy import Field
from tests.mini_lake.contrasts import Brightness
from tests.mini_lake.grids import Points, draw_smooth_field, soften_step
from tests.mini_lake.recipes import LesionRecipe, LesionType

_HARMONICS: Final = ((2, 0.12), (3, 0.09), (4, 0.06), (5, 0.04), (7, 0.03))
_EDGE_MM: Final = {LesionType.RING: 2.0, LesionType.SOLID: 2.0, LesionType.INFILTRATIVE: 4.0}


@dataclass(frozen=True)
class Growth:
    """A lesion in its place.

    Attributes:
        recipe: what it looks like.
        depth_mm: distance inside the outline; negative outside; (height, width).
        spacing_mm: between two pixels.
    """

    recipe: LesionRecipe
    depth_mm: Field
    spacing_mm: float


@dataclass(frozen=True)
class Bed:
    """The brain that a lesion is painted into; (height, width) each.

    Attributes:
        brain: signal without the lesion.
        white: fraction of white matter.
        inside: 1 where a lesion may lie (within the skull), else 0.
    """

    brain: Field
    white: Field
    inside: Field


def choose_centre(
    recipe: LesionRecipe,
    points: Points,
    depth_mm: Field,
    rng: np.random.Generator,
) -> tuple[float, float]:
    """Chooses a pixel of the brain that leaves the lesion room.

    Args:
        recipe: the lesion.
        points: of the pixels.
        depth_mm: below the brain's surface, negative outside.
        rng: of the person.
    """
    if recipe.centre_mm is not None:
        return recipe.centre_mm
    radius_mm = recipe.diameter_mm / 2
    low, high = (0.45, 0.75) if recipe.at_edge else (0.9, 3.0)
    room = (depth_mm > low * radius_mm) & (depth_mm < max(high * radius_mm, low * radius_mm + 6))
    # The midline holds falx, brain stem and ventricles: lesions there are another chapter.
    room &= abs(points.right) > 8
    candidates = np.flatnonzero(room if room.any() else depth_mm >= depth_mm.max())
    chosen = int(candidates[int(rng.integers(len(candidates)))])
    return float(points.down.flat[chosen]), float(points.right.flat[chosen])


def grow_lesion(
    recipe: LesionRecipe,
    centre_mm: tuple[float, float],
    points: Points,
    rng: np.random.Generator,
    spacing_mm: float,
) -> Growth:
    """Draws an irregular outline around the centre."""
    down, right = points.down - centre_mm[0], points.right - centre_mm[1]
    distance_mm, angle = np.hypot(down, right), np.arctan2(down, right)
    radius_mm = recipe.diameter_mm / 2
    calm = 0.6 if recipe.type is LesionType.SOLID else 1.0
    outline = np.ones_like(distance_mm)
    for order, amplitude in _HARMONICS:
        phase, strength = rng.uniform(0, 2 * np.pi), calm * amplitude * rng.normal()
        outline = outline + strength * np.cos(order * angle + phase)
    ragged = 1.3 if recipe.type is LesionType.INFILTRATIVE else 0.5
    fringe_mm = ragged * draw_smooth_field(rng, distance_mm.shape, 3.5 / spacing_mm)
    depth_mm = radius_mm * np.clip(outline, 0.5, 1.5) - distance_mm + fringe_mm
    return Growth(recipe=recipe, depth_mm=depth_mm, spacing_mm=spacing_mm)


def push_aside(
    recipe: LesionRecipe,
    centre_mm: tuple[float, float],
    points: Points,
    depth_mm: Field,
) -> Points:
    """Where to read the brain so that the lesion seems to have pushed it outwards.

    The push fades towards the skull, which does not give way.
    """
    down, right = points.down - centre_mm[0], points.right - centre_mm[1]
    distance_mm = np.maximum(np.hypot(down, right), 1e-6)
    radius_mm = recipe.diameter_mm / 2
    push_mm = recipe.mass_effect * radius_mm * np.exp(-((distance_mm / (2.2 * radius_mm)) ** 2))
    push_mm = push_mm * np.clip(depth_mm / 10, 0, 1) * np.clip(distance_mm / radius_mm, 0, 1)
    return points.shift(-push_mm * down / distance_mm, -push_mm * right / distance_mm)


def paint_lesion(
    bed: Bed,
    growth: Growth,
    brightness: Brightness,
    rng: np.random.Generator,
) -> tuple[Field, npt.NDArray[np.bool_]]:
    """Paints oedema, then the lesion.

    Args:
        bed: the brain without it.
        growth: the lesion in its place.
        brightness: of the tissues.
        rng: of the person.

    Returns:
        The signal, and the lesion's exact mask (oedema is not part of it).
    """
    swollen = _place_oedema(bed, growth, rng)
    signal = bed.brain * (1 - swollen) + brightness.oedema * swollen
    kind = growth.recipe.type
    weight = soften_step(growth.depth_mm, _EDGE_MM[kind]) * bed.inside
    if kind is LesionType.INFILTRATIVE:
        weight = weight * (0.80 + 0.20 * bed.white)  # the cortex shows through
    tissue = _paint_tissue(growth, brightness, rng)
    mask = _largest_piece((growth.depth_mm > 0) & (bed.inside > 0.5))
    return signal * (1 - weight) + tissue * weight, mask


def _place_oedema(bed: Bed, growth: Growth, rng: np.random.Generator) -> Field:
    """Swelling follows the white matter in fingers and fades outwards."""
    if growth.recipe.oedema_mm == 0:
        return np.zeros_like(bed.white)
    fingers = draw_smooth_field(rng, bed.white.shape, 5.0 / growth.spacing_mm)
    reach_mm = growth.recipe.oedema_mm * np.clip(1 + 0.5 * fingers, 0.2, 2)
    seam = soften_step(growth.depth_mm + reach_mm, 5.0)
    swollen = 0.85 * seam * np.clip(1.3 * bed.white, 0, 1) * bed.inside
    return np.asarray(swollen, dtype=np.float64)


def _paint_tissue(growth: Growth, brightness: Brightness, rng: np.random.Generator) -> Field:
    recipe, shape = growth.recipe, growth.depth_mm.shape
    coarse = draw_smooth_field(rng, shape, 3.0 / growth.spacing_mm)
    fine = draw_smooth_field(rng, shape, 1.0 / growth.spacing_mm)
    uptake = brightness.rim * rng.uniform(0.84, 1.05)
    if recipe.type is LesionType.SOLID:
        strength = 0.05 if recipe.at_edge else 0.11
        return np.asarray(uptake * (0.95 + strength * coarse + 0.03 * fine), dtype=np.float64)
    if recipe.type is LesionType.INFILTRATIVE:
        return brightness.infiltration * (1 + 0.10 * coarse + 0.03 * fine)
    rim_mm = float(np.clip(0.17 * recipe.diameter_mm, 1.8, 5.0)) * np.clip(1 + 0.4 * coarse, 0.4, 2)
    core = soften_step(growth.depth_mm - rim_mm, 1.8)
    rim_signal = uptake * (1 + 0.08 * fine)
    core_signal = brightness.core * (1 + 0.15 * coarse + 0.05 * fine)
    return np.asarray(rim_signal * (1 - core) + core_signal * core, dtype=np.float64)


def _largest_piece(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Drops the specks that a ragged outline leaves around the lesion."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return np.asarray(labels == int(np.argmax(sizes)) + 1)
