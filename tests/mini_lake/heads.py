"""Skull, scalp and neck around a brain that the template shows without them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import ndimage

from tests.mini_lake.anatomy import Field, Plane
from tests.mini_lake.contrasts import Brightness
from tests.mini_lake.grids import Points, draw_smooth_field, soften_step

_EDGE_MM: Final = 1.2  # partial volume at a border between two tissues
_SKIN_MM: Final = 1.6


@dataclass(frozen=True)
class Surroundings:
    """Where a head is to be painted.

    Attributes:
        outside_mm: distance of each pixel from the brain's hull, negative inside.
        points: of the pixels.
        plane: only an axial head has no neck.
        spacing_mm: between two pixels.
    """

    outside_mm: Field
    points: Points
    plane: Plane
    spacing_mm: float


@dataclass(frozen=True)
class Layers:
    """Distances from the brain's hull at which the layers of a head end; (height, width) each."""

    fluid_mm: Field
    bone_mm: Field
    muscle_mm: Field
    scalp_mm: Field


@dataclass(frozen=True)
class Head:
    """What lies around the brain.

    Attributes:
        signal: brightness, 0 in air and compact bone.
        silhouette: 1 in the head, 0 in the air, soft in between.
    """

    signal: Field
    silhouette: Field


def paint_head(
    surroundings: Surroundings,
    brightness: Brightness,
    rng: np.random.Generator,
) -> Head:
    """Paints fluid, the skull's two tables and marrow, muscle, fat and skin.

    Args:
        surroundings: where.
        brightness: of the tissues.
        rng: of the person.
    """
    outside_mm, spacing_mm = surroundings.outside_mm, surroundings.spacing_mm
    layers = _draw_layers(surroundings, rng)
    speckle = draw_smooth_field(rng, outside_mm.shape, 1.5 / spacing_mm)
    fat = brightness.fat * rng.uniform(0.6, 1.0) * (1 + 0.10 * speckle)
    neck_mm = _measure_neck(surroundings)
    surface_mm = np.maximum(layers.scalp_mm - outside_mm, neck_mm)
    silhouette = soften_step(surface_mm, _EDGE_MM)
    signal = brightness.muscle * silhouette
    signal = _cover(signal, fat, soften_step(surface_mm - _SKIN_MM, _EDGE_MM))
    deep = _paint_deep_neck(surroundings, brightness, rng)
    signal = _cover(signal, deep, soften_step(neck_mm - 7, _EDGE_MM))
    signal = _cover(
        signal,
        brightness.muscle * (1 + 0.12 * speckle),
        soften_step(layers.muscle_mm - outside_mm, _EDGE_MM),
    )
    signal = _cover(signal, 0.03, soften_step(layers.bone_mm - outside_mm, _EDGE_MM))
    marrow = brightness.marrow * np.clip(
        0.7 + 0.4 * draw_smooth_field(rng, outside_mm.shape, 6 / spacing_mm),
        0.1,
        1.0,
    )
    middle_mm = (layers.bone_mm + layers.fluid_mm) / 2
    half_mm = (layers.bone_mm - layers.fluid_mm) * 0.24
    signal = _cover(signal, marrow, soften_step(half_mm - abs(outside_mm - middle_mm), _EDGE_MM))
    fluid = soften_step(layers.fluid_mm - outside_mm, _EDGE_MM)
    return Head(signal=_cover(signal, brightness.fluid, fluid), silhouette=silhouette)


def paint_sinuses(outside_mm: Field, points: Points, plane: Plane) -> Field:
    """How much of each pixel is the sagittal sinus: small triangles at the midline, 0..1."""
    if plane is not Plane.AXIAL:
        return np.zeros_like(outside_mm)
    behind = points.down > 0
    half_width_mm = np.where(behind, 3.6, 2.0) * np.clip((outside_mm + 6) / 8, 0, 1)
    thickness = soften_step(2.2 - outside_mm, _EDGE_MM)
    sinus = soften_step(half_width_mm - abs(points.right), _EDGE_MM) * thickness
    return np.asarray(sinus * (half_width_mm > 0), dtype=np.float64)


def _cover(below: Field, above: Field | float, weight: Field) -> Field:
    return np.asarray(below * (1 - weight) + above * weight, dtype=np.float64)


def _draw_layers(surroundings: Surroundings, rng: np.random.Generator) -> Layers:
    points, spacing_mm = surroundings.points, surroundings.spacing_mm

    def vary(mean_mm: float, deviation_mm: float) -> Field:
        field = draw_smooth_field(rng, points.down.shape, 22 / spacing_mm)
        return mean_mm + deviation_mm * np.clip(field, -1.8, 1.8)

    fluid_mm = vary(2.2, 0.5)
    bone_mm = fluid_mm + vary(float(rng.uniform(5.0, 7.5)), 0.8)
    # The temporal muscle lies at the sides of the forehead; an axial section meets it in front.
    at_side = np.exp(-(((points.down + 28) / 24) ** 2)) * (abs(points.right) > 30)
    muscle_mm = bone_mm + (
        ndimage.gaussian_filter(7.0 * at_side, 4 / spacing_mm)
        if surroundings.plane is Plane.AXIAL
        else np.zeros_like(bone_mm)
    )
    scalp_mm = muscle_mm + vary(float(rng.uniform(3.2, 6.2)), 0.9)
    return Layers(fluid_mm=fluid_mm, bone_mm=bone_mm, muscle_mm=muscle_mm, scalp_mm=scalp_mm)


def _measure_neck(surroundings: Surroundings) -> Field:
    """Depth below the skin of neck and face, in millimetres; negative outside them."""
    points, spacing_mm = surroundings.points, surroundings.spacing_mm
    below = points.down - 22
    if surroundings.plane is Plane.AXIAL:
        return np.full_like(below, -99.0)
    if surroundings.plane is Plane.CORONAL:
        inside = (below > -10) & (abs(points.right) < 72 - 0.3 * below)
    else:
        inside = (below > -4) & (points.right > -80) & (points.right < 66 - 0.3 * below)
    inside = ndimage.gaussian_filter(inside.astype(np.float64), 5 / spacing_mm) > 0.5
    depth = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
    return np.asarray(depth * spacing_mm, dtype=np.float64)


def _paint_deep_neck(
    surroundings: Surroundings,
    brightness: Brightness,
    rng: np.random.Generator,
) -> Field:
    """Muscle with islands of fat and of air or bone."""
    shape, spacing_mm = surroundings.outside_mm.shape, surroundings.spacing_mm
    islands = draw_smooth_field(rng, shape, 3.5 / spacing_mm)
    if surroundings.plane is Plane.CORONAL:
        islands = (islands + islands[:, ::-1]) / np.sqrt(2)  # a face has two like halves
    grain = draw_smooth_field(rng, shape, 1.2 / spacing_mm)
    tissue = brightness.muscle * (1 + 0.2 * grain)
    tissue = _cover(tissue, 0.6 * brightness.fat, soften_step(islands - 1.1, 1.2))
    return _cover(tissue, 0.04, soften_step(-islands - 0.9, 0.9))
