"""Lesions painted onto healthy slices, so that a test has positives of any scanner.

Another painter than the one of training (`lesions`), which works in the network's own crop: here
the outline is a closed curve of a few harmonics, the levels are the slice's own brightest and
darkest tissue, and the place is chosen in the brain that `independent_outline` finds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.images import GrayPixels
from model.independent_outline import Mask

RADIUS: Final = (0.05, 0.1)
"""Shares of the head's extent (the root of its area, about 160 mm): diameters of 16 to 32 mm."""

LEAST_CONTRAST: Final = 0.15
"""Of white: a lesion that differs less from the tissue around it could not be asked for."""

GRAIN: Final = 0.1
"""Of a lesion's tissue, as a share of its lift above the tissue around."""

HARMONICS: Final = 4


@dataclass(frozen=True)
class LesionKind:
    """How a lesion looks.

    Attributes:
        body: level of the lesion: 1 the brightest tissue of the slice, -1 the darkest, 0 as around.
        core: level of its inner part.
        softness: width of its edge as a share of its radius.
        size: factor of its radius.
    """

    body: float
    core: float
    softness: float
    size: float


RING: Final = LesionKind(body=1.0, core=-0.6, softness=0.08, size=1.0)
SOLID: Final = LesionKind(body=0.9, core=0.8, softness=0.08, size=1.0)
DIFFUSE: Final = LesionKind(body=0.9, core=1.1, softness=0.35, size=1.4)
DARK: Final = LesionKind(body=-0.8, core=-0.9, softness=0.2, size=1.2)


def paint(
    pixels: GrayPixels,
    head: Mask,
    brain: Mask,
    kind: LesionKind,
    random: np.random.Generator,
) -> GrayPixels | None:
    """Paint one lesion into the brain.

    Args:
        pixels: (height, width), 0..1.
        head: gives the scale.
        brain: where the lesion may lie.
        kind: how it looks.
        random: chooses place, size and outline.

    Returns:
        A copy with the lesion; None where the brain has no room for it.
    """
    radius = kind.size * random.uniform(*RADIUS) * float(np.sqrt(head.sum()))
    centre = _choose_centre(brain, radius, random)
    if centre is None:
        return None
    distance = _distance(pixels.shape, centre, radius, random)
    soft = ndimage.gaussian_filter
    body = soft((distance < 1.0).astype(np.float32), kind.softness * radius)
    core = soft((distance < 0.6).astype(np.float32), max(kind.softness * radius, 0.8))  # noqa: PLR2004 - the inner part
    around = float(np.median(pixels[brain & (distance > 1.0) & (distance < 2.0)]))  # noqa: PLR2004 - ring beside it
    dark, bright = np.percentile(pixels[brain], (3.0, 97.0))
    lift = max(float(bright) - around, LEAST_CONTRAST)
    drop = max(around - float(dark), LEAST_CONTRAST)
    grain = soft(random.normal(0.0, 1.0, pixels.shape), max(0.8, 0.08 * radius))
    grain *= GRAIN * lift / float(np.std(grain))
    level = (1.0 - core) * _level(kind.body, around, lift, drop)
    level += core * _level(kind.core, around, lift, drop) + grain
    return np.asarray((1.0 - body) * pixels + body * level, dtype=np.float32)


def _level(share: float, around: float, lift: float, drop: float) -> float:
    return around + share * (lift if share > 0 else drop)


def _choose_centre(
    brain: Mask,
    radius: float,
    random: np.random.Generator,
) -> tuple[int, int] | None:
    depth = ndimage.distance_transform_edt(np.pad(brain, 1))[1:-1, 1:-1]
    candidates = np.argwhere(depth > 1.1 * radius)
    if not len(candidates):
        return None
    row, column = candidates[int(random.integers(len(candidates)))]
    return int(row), int(column)


def _distance(
    shape: tuple[int, ...],
    centre: tuple[int, int],
    radius: float,
    random: np.random.Generator,
) -> npt.NDArray[np.float64]:
    """Return the distance from the centre in units of the outline's own radius there."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    y, x = rows - centre[0], columns - centre[1]
    angle = np.arctan2(y, x)
    outline = np.ones(shape)
    for harmonic in range(2, 2 + HARMONICS):
        swing = random.normal(0.0, 0.18 / harmonic)
        outline = outline + swing * np.cos(harmonic * angle + random.uniform(0.0, 2.0 * np.pi))
    return np.asarray(np.hypot(y, x) / (radius * np.clip(outline, 0.5, 1.5)), dtype=np.float64)
