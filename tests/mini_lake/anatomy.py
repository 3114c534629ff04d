"""Sections through the MNI ICBM152 template: where gray matter, white matter and fluid lie."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib.resources import files
from pathlib import Path
from typing import Final, TypeAlias

import nibabel
import numpy as np
import numpy.typing as npt
from scipy import ndimage

Field: TypeAlias = npt.NDArray[np.float64]
"""(rows, columns), rows from top to bottom as a viewer shows them."""

CANVAS_MM: Final = 300
"""Side of a section: a head, its neck and room to rotate; 1 mm a pixel."""

_HULL_CLOSING_MM: Final = 22  # bridges the Sylvian and interhemispheric fissures, as a skull does


class Plane(StrEnum):
    """How a section is cut."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


@dataclass(frozen=True)
class Atlas:
    """The template's volumes, (x, y, z) in 1 mm voxels, uint8.

    Attributes:
        t1: T1-weighted intensity without the skull.
        gray: probability of gray matter, 0..255.
        white: probability of white matter, 0..255.
    """

    t1: npt.NDArray[np.uint8]
    gray: npt.NDArray[np.uint8]
    white: npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Section:
    """One plane through the atlas, centred on the brain; each field (CANVAS_MM, CANVAS_MM).

    Attributes:
        t1: T1 intensity, 0 to about 1.
        gray: fraction of gray matter, 0..1.
        white: fraction of white matter, 0..1.
        brain: 1 inside the brain's outline, else 0.
        outside_mm: distance from the smooth hull around the brain; negative inside.
    """

    t1: Field
    gray: Field
    white: Field
    brain: Field
    outside_mm: Field


def load_atlas() -> Atlas:
    """Reads the three volumes that the nilearn wheel carries."""
    folder = Path(str(files("nilearn"))) / "datasets" / "data"
    t1, gray, white = (
        _read_volume(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
        for name in ("t1", "gm", "wm")
    )
    return Atlas(t1=t1, gray=gray, white=white)


def cut_section(atlas: Atlas, plane: Plane, level: int) -> Section:
    """Cuts one plane.

    Args:
        atlas: the template.
        plane: how to cut.
        level: voxel index along the axis across the plane.
    """
    t1 = _cut(atlas.t1, plane, level)
    outline = ndimage.binary_fill_holes(t1 > 0)
    rows, columns = np.nonzero(outline)
    centre = ((rows.min() + rows.max()) // 2, (columns.min() + columns.max()) // 2)
    brain = _centre(outline.astype(np.float64), centre)
    return Section(
        t1=_centre(t1, centre),
        gray=_centre(_cut(atlas.gray, plane, level), centre),
        white=_centre(_cut(atlas.white, plane, level), centre),
        brain=brain,
        outside_mm=_measure_outside(brain > 0),
    )


def _read_volume(path: Path) -> npt.NDArray[np.uint8]:
    return np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj, dtype=np.uint8)


def _cut(volume: npt.NDArray[np.uint8], plane: Plane, level: int) -> Field:
    """Front up in axial sections, head up in the others, face to the left in sagittal ones."""
    cuts = {
        Plane.AXIAL: lambda: volume[:, ::-1, level].T,
        Plane.CORONAL: lambda: volume[:, level, ::-1].T,
        Plane.SAGITTAL: lambda: volume[level, ::-1, ::-1].T,
    }
    return np.asarray(cuts[plane]() / 255.0, dtype=np.float64)


def _centre(field: Field, centre: tuple[int, int]) -> Field:
    canvas = np.zeros((CANVAS_MM, CANVAS_MM))
    top, left = CANVAS_MM // 2 - centre[0], CANVAS_MM // 2 - centre[1]
    canvas[top : top + field.shape[0], left : left + field.shape[1]] = field
    return canvas


def _measure_outside(brain: npt.NDArray[np.bool_]) -> Field:
    grown = ndimage.distance_transform_edt(~brain) < _HULL_CLOSING_MM
    hull = ndimage.distance_transform_edt(grown) >= _HULL_CLOSING_MM
    signed = ndimage.distance_transform_edt(~hull) - ndimage.distance_transform_edt(hull)
    return np.asarray(ndimage.gaussian_filter(signed, 3.0), dtype=np.float64)
