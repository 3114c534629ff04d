"""How bright each tissue is in each kind of MR image."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Contrast(StrEnum):
    """The weighting of an image; T1+C is T1 after a contrast agent."""

    T1 = "T1"
    T1_CONTRAST = "T1+C"
    T2 = "T2"
    FLAIR = "FLAIR"


@dataclass(frozen=True)
class Brightness:
    """Signal of the tissues, 0 (none) to 1, before the window of the viewer.

    Attributes:
        white: white matter.
        gray: gray matter.
        fluid: cerebrospinal fluid.
        fat: subcutaneous fat.
        muscle: muscle and skin.
        marrow: the layer between the two tables of the skull.
        vessel: blood in the large venous sinuses.
        rim: the enhancing part of a lesion.
        core: the necrotic part of a lesion.
        infiltration: a lesion that does not enhance.
        oedema: swollen white matter around a lesion.
    """

    white: float
    gray: float
    fluid: float
    fat: float
    muscle: float
    marrow: float
    vessel: float
    rim: float
    core: float
    infiltration: float
    oedema: float


# Read off clinical slices of each kind, relative to the brightest brain tissue; bone and air give
# no signal in any of them.
BRIGHTNESS: Final = {
    Contrast.T1: Brightness(
        white=0.70,
        gray=0.49,
        fluid=0.14,
        fat=0.98,
        muscle=0.38,
        marrow=0.55,
        vessel=0.12,
        rim=0.50,
        core=0.24,
        infiltration=0.30,
        oedema=0.46,
    ),
    Contrast.T1_CONTRAST: Brightness(
        white=0.52,
        gray=0.41,
        fluid=0.12,
        fat=0.95,
        muscle=0.42,
        marrow=0.50,
        vessel=0.88,
        rim=0.82,
        core=0.20,
        infiltration=0.30,
        oedema=0.33,
    ),
    Contrast.T2: Brightness(
        white=0.30,
        gray=0.46,
        fluid=0.96,
        fat=0.66,
        muscle=0.18,
        marrow=0.42,
        vessel=0.05,
        rim=0.55,
        core=0.90,
        infiltration=0.82,
        oedema=0.72,
    ),
    Contrast.FLAIR: Brightness(
        white=0.38,
        gray=0.50,
        fluid=0.07,
        fat=0.80,
        muscle=0.22,
        marrow=0.40,
        vessel=0.06,
        rim=0.70,
        core=0.34,
        infiltration=0.74,
        oedema=0.66,
    ),
}
