"""From the pixels of a slice to millimetres in a section, and smooth random fields on them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from tests.mini_lake.anatomy import CANVAS_MM, Field
from tests.mini_lake.recipes import SliceRecipe

_WARPS_MM = ((42.0, 3.4), (7.0, 1.2))  # (smoothness, amplitude): shape of the head, of the gyri


@dataclass(frozen=True)
class Points:
    """A position in millimetres from the section's centre for every pixel, each (height, width)."""

    down: Field
    right: Field

    def shift(self, down: Field, right: Field) -> Points:
        """Returns the points moved by a field of displacements, in millimetres."""
        return Points(self.down + down, self.right + right)


def place_pixels(recipe: SliceRecipe) -> Points:
    """Where each pixel of the slice lies in its section, before any warp."""
    rows = (np.arange(recipe.height) - (recipe.height - 1) / 2) * recipe.spacing_mm
    columns = (np.arange(recipe.width) - (recipe.width - 1) / 2) * recipe.spacing_mm
    down, right = np.meshgrid(rows, columns, indexing="ij")
    down = down * (-1 if recipe.flip_rows else 1)
    right = right * (-1 if recipe.flip_columns else 1)
    angle = np.deg2rad(recipe.rotation_degrees)
    return Points(
        down * np.cos(angle) - right * np.sin(angle) + recipe.level_mm_down,
        down * np.sin(angle) + right * np.cos(angle),
    )


def warp_smoothly(points: Points, rng: np.random.Generator, spacing_mm: float) -> list[Points]:
    """Gives the section another person's shape.

    Returns:
        The points after the coarse warp alone (for the skull, which has no gyri), and after both.
    """
    warped = [points]
    for smoothness_mm, amplitude_mm in _WARPS_MM:
        down, right = (
            amplitude_mm * draw_smooth_field(rng, points.down.shape, smoothness_mm / spacing_mm)
            for _ in range(2)
        )
        warped.append(warped[-1].shift(down, right))
    return warped[1:]


def draw_smooth_field(
    rng: np.random.Generator,
    shape: tuple[int, ...],
    smoothness_pixels: float,
) -> Field:
    """A random field of mean 0 and standard deviation 1."""
    field = ndimage.gaussian_filter(rng.standard_normal(shape), smoothness_pixels, mode="wrap")
    return np.asarray((field - field.mean()) / field.std(), dtype=np.float64)


def sample_section(field: Field, points: Points, *, beyond: float = 0.0) -> Field:
    """Reads a section's field at points between its pixels; `beyond` outside the canvas."""
    coordinates = np.stack([points.down, points.right]) + CANVAS_MM // 2
    return np.asarray(
        ndimage.map_coordinates(field, coordinates, order=1, cval=beyond),
        dtype=np.float64,
    )


def soften_step(distance_mm: Field, width_mm: float) -> Field:
    """0 well outside (negative distance), 1 well inside, smooth over `width_mm` in between."""
    share = np.clip(distance_mm / width_mm + 0.5, 0, 1)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float64)
