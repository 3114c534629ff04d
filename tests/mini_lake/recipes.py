"""Everything that is decided about a slice before a pixel of it is painted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, TypeVar

import numpy as np

from tests.mini_lake.anatomy import Plane
from tests.mini_lake.contrasts import Contrast

_Choice = TypeVar("_Choice")


class LesionType(StrEnum):
    """What a painted lesion looks like."""

    RING = "ring_enhancing"
    SOLID = "solid_enhancing"
    INFILTRATIVE = "infiltrative"


@dataclass(frozen=True)
class LesionRecipe:
    """One lesion.

    Attributes:
        type: what it looks like.
        diameter_mm: of a disc of the same area, about.
        mass_effect: how far it pushes its neighbourhood, as a share of its radius.
        oedema_mm: width of the swollen seam around it; 0 for none.
        at_edge: grows from the brain's surface (as a meningioma does) instead of inside it.
        centre_mm: (down, right) of the section's centre; None lets the seed choose.
    """

    type: LesionType
    diameter_mm: float
    mass_effect: float
    oedema_mm: float
    at_edge: bool = False
    centre_mm: tuple[float, float] | None = None


@dataclass(frozen=True)
class SliceRecipe:
    """One slice.

    Attributes:
        seed: of the person: warp of the anatomy, thickness of the skull, outline of the lesion.
        noise_seed: of the acquisition: noise, bias field.
        plane: how the template is cut.
        level: voxel index of the section.
        contrast: weighting.
        skull: whether skull and scalp are painted.
        height: pixels.
        width: pixels.
        spacing_mm: between two pixels, both ways.
        acquired_spacing_mm: between two samples of the scanner; the image is interpolated.
        rotation_degrees: in the plane.
        flip_columns: mirrored left to right.
        flip_rows: upside down.
        noise: standard deviation of each channel of the Rician noise, white paper = 1.
        bias: amplitude of the coil's smooth shading.
        gain: of the exported picture; fat saturates above about 1.
        gamma: of the exported picture.
        level_mm_down: how far the brain's centre lies above the picture's centre.
        masked_air: the scanner blanked what lies outside the head.
        lesion: None for a healthy slice.
    """

    seed: int
    noise_seed: int
    plane: Plane
    level: int
    contrast: Contrast
    skull: bool
    height: int
    width: int
    spacing_mm: float
    acquired_spacing_mm: float
    rotation_degrees: float
    flip_columns: bool
    flip_rows: bool
    noise: float
    bias: float
    gain: float
    gamma: float
    level_mm_down: float
    masked_air: bool
    lesion: LesionRecipe | None


# Voxel levels at which the template shows a full brain: below, it has no skull base to offer.
LEVELS: Final = {
    Plane.AXIAL: (62, 122),
    Plane.CORONAL: (88, 146),
    Plane.SAGITTAL: (74, 122),
}
_PLANE_SHARES: Final = {Plane.AXIAL: 0.76, Plane.CORONAL: 0.12, Plane.SAGITTAL: 0.12}
_CONTRAST_SHARES: Final = {
    Contrast.T1: 0.25,
    Contrast.T1_CONTRAST: 0.35,
    Contrast.T2: 0.15,
    Contrast.FLAIR: 0.25,
}
_SKULL_SHARE: Final = 0.8
_DIAMETERS_MM: Final = (8.0, 11.0, 14.0, 18.0, 22.0, 26.0, 31.0, 37.0, 44.0)
_SMALLEST_CUT_MM: Final = 7.0  # a cap of a lesion below this is not painted
# Smaller ones cannot be told from a widened sulcus (T1, T2) or a white spot of age (FLAIR).
_SMALLEST_INFILTRATION_MM: Final = {Contrast.T1: 23.0, Contrast.T2: 21.0, Contrast.FLAIR: 13.0}
_STUDY_STEP_MM: Final = 6


def draw_recipe(seed: int, *, with_lesion: bool, largest_matrix: int = 300) -> SliceRecipe:
    """Decides one slice.

    Args:
        seed: every choice follows from it.
        with_lesion: whether a lesion is painted.
        largest_matrix: upper limit of height and width, pixels.
    """
    rng = np.random.default_rng(seed)
    plane = _draw_shared(rng, _PLANE_SHARES)
    contrast = _draw_shared(rng, _CONTRAST_SHARES)
    skull = bool(rng.random() < _SKULL_SHARE)
    height = int(rng.integers(200, largest_matrix + 1))
    aspect = float(rng.choice((1.0, 1.0, 1.0, 0.88)))
    field_of_view_mm = float(rng.uniform(228, 262) if skull else rng.uniform(200, 245))
    spacing_mm = field_of_view_mm / height
    return SliceRecipe(
        seed=seed,
        noise_seed=seed,
        plane=plane,
        level=int(rng.integers(LEVELS[plane][0], LEVELS[plane][1] + 1)),
        contrast=contrast,
        skull=skull,
        height=height,
        width=round(height * aspect),
        spacing_mm=spacing_mm,
        acquired_spacing_mm=field_of_view_mm / int(rng.integers(150, 257)),
        rotation_degrees=float(rng.normal(0, 4)),
        flip_columns=bool(rng.random() < 0.5),
        flip_rows=bool(rng.random() < 0.08) and plane is Plane.AXIAL,
        noise=float(rng.uniform(0.008, 0.028)),
        bias=float(rng.uniform(0.03, 0.16)),
        gain=float(rng.uniform(0.75, 1.08)),
        gamma=float(rng.uniform(0.85, 1.15)),
        level_mm_down=0.0 if plane is Plane.AXIAL else 6.0,
        masked_air=bool(rng.random() < 0.45),
        lesion=_draw_lesion(rng, contrast) if with_lesion else None,
    )


def draw_study(
    seed: int,
    *,
    slices: int,
    contrasts: Sequence[Contrast],
    diameter_mm: float | None,
    matrix: int,
) -> list[SliceRecipe]:
    """Decides the axial slices of one person, series by series, from below upwards.

    Args:
        seed: every choice follows from it.
        slices: of each series.
        contrasts: one series each.
        diameter_mm: of the lesion in the middle slice; None for a healthy person.
        matrix: height and width, pixels.
    """
    base = draw_recipe(seed, with_lesion=diameter_mm is not None)
    person = replace(
        base,
        plane=Plane.AXIAL,
        skull=True,
        height=matrix,
        width=matrix,
        spacing_mm=240 / matrix,
        acquired_spacing_mm=240 / matrix,
        flip_columns=False,
        flip_rows=False,
        level_mm_down=0.0,
        gamma=1.0,
    )
    middle = 90
    levels = [middle + _STUDY_STEP_MM * (index - slices // 2) for index in range(slices)]
    return [
        replace(
            person,
            level=level,
            contrast=contrast,
            noise_seed=seed * 1000 + 100 * series + index,
            lesion=_cut_lesion(seed, contrast, diameter_mm, abs(level - middle)),
        )
        for series, contrast in enumerate(contrasts)
        for index, level in enumerate(levels)
    ]


def _draw_shared(rng: np.random.Generator, shares: dict[_Choice, float]) -> _Choice:
    bounds = np.cumsum(list(shares.values()))
    return list(shares)[int(np.searchsorted(bounds, rng.random() * bounds[-1], side="right"))]


def _draw_lesion(rng: np.random.Generator, contrast: Contrast) -> LesionRecipe:
    """Rings and solid lesions need the contrast agent; the rest shows as infiltration."""
    enhancing = contrast is Contrast.T1_CONTRAST
    kinds = (LesionType.RING, LesionType.SOLID) if enhancing else (LesionType.INFILTRATIVE,)
    kind = kinds[int(rng.integers(len(kinds)))]
    diameter_mm = float(rng.choice(_DIAMETERS_MM)) * float(rng.uniform(0.95, 1.05))
    if kind is LesionType.INFILTRATIVE:
        diameter_mm = max(diameter_mm, _SMALLEST_INFILTRATION_MM[contrast])
    at_edge = kind is LesionType.SOLID and bool(rng.random() < 0.4)
    return LesionRecipe(
        type=kind,
        diameter_mm=diameter_mm,
        mass_effect=float(rng.uniform(0.0, 0.3)),
        oedema_mm=0.0 if at_edge else float(rng.uniform(2, 12)),
        at_edge=at_edge,
    )


def _cut_lesion(
    seed: int,
    contrast: Contrast,
    diameter_mm: float | None,
    distance_mm: int,
) -> LesionRecipe | None:
    """The disc that a section at a distance from a ball's middle shows, if it is large enough."""
    if diameter_mm is None or 2 * distance_mm >= diameter_mm:
        return None
    cut_mm = float(np.sqrt(diameter_mm**2 - (2 * distance_mm) ** 2))
    enhancing = contrast is Contrast.T1_CONTRAST
    side = 1 if seed % 2 else -1
    return (
        LesionRecipe(
            type=LesionType.RING if enhancing else LesionType.INFILTRATIVE,
            diameter_mm=cut_mm,
            mass_effect=0.15,
            oedema_mm=7.0,
            centre_mm=(-28.0 + seed % 50, 32.0 * side),
        )
        if cut_mm >= _SMALLEST_CUT_MM
        else None
    )
