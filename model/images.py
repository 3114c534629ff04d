"""What a decoded image is: gray pixels, and what is known of how they were acquired."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

GrayPixels: TypeAlias = npt.NDArray[np.float32]
"""(height, width), 0 black to 1 white, rows from top to bottom as a viewer shows them."""


@dataclass(frozen=True)
class Acquisition:
    """How a slice was made, as far as a DICOM file says; None where it does not.

    Attributes:
        manufacturer: as `scanner_names.name_maker` lists it.
        scanner_model: in words of `scanner_names.name_scanner`.
        field_strength_tesla: magnetic field strength.
        pixel_spacing_mm: distance between two pixel rows.
        plane: axial, coronal, sagittal or oblique.
        sequence: a short name such as ``T1``, ``T1+C``, ``T2``, ``FLAIR``.
    """

    manufacturer: str | None = None
    scanner_model: str | None = None
    field_strength_tesla: float | None = None
    pixel_spacing_mm: float | None = None
    plane: str | None = None
    sequence: str | None = None


@dataclass(frozen=True)
class DecodedImage:
    """One frame, ready for preprocessing.

    Attributes:
        pixels: see `GrayPixels`; may be smaller than the original when a limit asked for that.
        original_width: pixels of the object's own image.
        original_height: pixels of the object's own image.
        format: ``jpeg``, ``png``, ``dicom`` ...
        frame: index of the frame in its object, from 0.
        colourfulness: mean absolute difference of the colour channels, 0 (gray) to 1.
        study_uid: DICOM StudyInstanceUID, or None.
        acquisition: scanner fields.
        detail: something a reader of the row should know ("first of 7 frames"), or None.
        burned_in_text: whether a DICOM says that text is burned into the pixels; None where it
            leaves that open, as every raster file does.
    """

    pixels: GrayPixels
    original_width: int
    original_height: int
    format: str
    frame: int = 0
    colourfulness: float = 0.0
    study_uid: str | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    detail: str | None = None
    burned_in_text: bool | None = None


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels of the original image; x to the right, y down."""

    x: int
    y: int
    width: int
    height: int
