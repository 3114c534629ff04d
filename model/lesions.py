"""Lesions put onto slices that have none, so that tumours and sources come apart.

Cheng's series has no healthy slice and the web's normals have no tumour of the same scanner; a
network could tell the sources instead of the tumours. A real tumour pasted into a healthy slice
of another source, or a painted one, has only the lesion to go by. Patches of healthy tissue
pasted the same way keep their label, so that the seam itself is no sign.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.augmentation import Sample, depth_inside

LEAST_CONTRAST: Final = 14.0
"""Grey levels (of 255) that a lesion must differ from its surroundings to count as visible."""

BRAIN_INSET: Final = 0.12
"""How far inside the hull, as a share of the head's size, a lesion's centre is put."""


@dataclass(frozen=True)
class PaintedLesion:
    """A lesion to paint.

    Radius is a share of the head's size, the rim's width one of the radius; levels are of 255;
    softness of the edge is in pixels of the wide crop: infiltration has no sharp one.
    """

    radius: float
    roughness: float
    rim: float
    core: float
    rim_share: float
    texture: float
    halo: float
    softness: float
    seed: int


def decide_painted_lesion(random: np.random.Generator) -> PaintedLesion:
    """Draw the numbers of a painted lesion: ring, solid, dark, with or without oedema."""
    kind = random.choice(("ring", "solid", "dark"), p=(0.3, 0.35, 0.35))
    bright = float(random.uniform(38, 130))
    rim, core = {
        "ring": (bright, -float(random.uniform(10, 60))),
        "solid": (bright, bright * float(random.uniform(0.7, 1.1))),
        "dark": (-bright * 0.7, -bright * 0.8),
    }[str(kind)]
    return PaintedLesion(
        radius=float(random.uniform(0.035, 0.16)),
        roughness=float(random.uniform(0.1, 0.45)),
        rim=rim,
        core=core,
        rim_share=float(random.uniform(0.15, 0.4)),
        texture=float(random.uniform(3, 14)),
        halo=float(random.uniform(-30, 45)) if random.random() < 0.5 else 0.0,
        softness=float(random.uniform(0.8, 3.5)),
        seed=int(random.integers(2**31)),
    )


def paint_lesion(sample: Sample, lesion: PaintedLesion) -> Sample:
    """Return a copy of a healthy sample with a lesion painted into the brain, label 1."""
    random = np.random.default_rng(lesion.seed)
    centre = choose_centre(sample.hull, random)
    if centre is None:
        return sample
    size = sample.levels.shape[0]
    extent = _extent(sample.hull)
    rows, columns = np.mgrid[:size, :size]
    noise = _smooth_noise(size, max(2.0, lesion.radius * extent / 2), random)
    angle, squeeze = random.uniform(0, np.pi), random.uniform(0.65, 1.0)
    dx, dy = columns - centre[1], rows - centre[0]
    along = dx * np.cos(angle) + dy * np.sin(angle)
    across = (-dx * np.sin(angle) + dy * np.cos(angle)) / squeeze
    distance = np.hypot(along, across) / (lesion.radius * extent) + lesion.roughness * noise
    body = ndimage.gaussian_filter((distance < 1.0).astype(np.float32), lesion.softness)
    core = ndimage.gaussian_filter((distance < 1.0 - lesion.rim_share).astype(np.float32), 1.0)
    change = lesion.rim * body + (lesion.core - lesion.rim) * core
    change += body * lesion.texture * _smooth_noise(size, 1.5, random)
    change += lesion.halo * np.exp(-np.clip(distance - 1.0, 0, None) * 3.0) * (1.0 - body)
    inside = sample.hull
    levels = np.where(inside, sample.levels + change, sample.levels)
    outline = (body > 0.5) & inside
    return _with_lesion(sample, levels, outline)


def paste_lesion(healthy: Sample, donor: Sample, random: np.random.Generator) -> Sample:
    """Return a copy of a healthy sample with a real tumour of another sample in it, label 1.

    The tumour keeps its contrast to its own surroundings; the healthy sample comes back as it is
    where the tumour is too faint to be seen or would not lie in the brain.
    """
    assert_mask = donor.tumor
    centre = choose_centre(healthy.hull, random)
    if assert_mask is None or centre is None or not assert_mask.any():
        return healthy
    patch, outline = _cut_patch(donor.levels, assert_mask)
    patch, outline = _turn(patch, outline, random)
    ring = ndimage.binary_dilation(outline, iterations=5) & ~ndimage.binary_dilation(
        outline, iterations=1
    )
    if not ring.any() or not outline.any():
        return healthy
    around = float(patch[ring].mean())
    if abs(float(patch[outline].mean()) - around) < LEAST_CONTRAST:
        return healthy
    return _blend(healthy, patch - around, outline, centre, gain=float(random.uniform(0.8, 1.3)))


def paste_healthy_patch(sample: Sample, donor: Sample, random: np.random.Generator) -> Sample:
    """Return a copy with a patch of healthy tissue pasted in, its label and outline unchanged."""
    source = choose_centre(donor.hull, random)
    target = choose_centre(sample.hull, random)
    if source is None or target is None:
        return sample
    size = sample.levels.shape[0]
    radius = int(random.uniform(0.05, 0.13) * _extent(sample.hull)) + 2
    rows, columns = np.mgrid[:size, :size]
    disc = np.hypot(rows - source[0], columns - source[1]) < radius
    patch, outline = _cut_patch(donor.levels, disc)
    pasted = _blend(sample, patch - float(patch[outline].mean()), outline, target, gain=1.0)
    return replace(sample, levels=pasted.levels)


def choose_centre(
    hull: npt.NDArray[np.bool_],
    random: np.random.Generator,
) -> tuple[int, int] | None:
    """Draw a (row, column) well inside the head, or None if the head is too thin for one."""
    depth = depth_inside(hull)
    candidates = np.flatnonzero(depth > BRAIN_INSET * _extent(hull))
    if candidates.size == 0:
        return None
    chosen = int(candidates[int(random.integers(candidates.size))])
    return chosen // hull.shape[1], chosen % hull.shape[1]


def _extent(hull: npt.NDArray[np.bool_]) -> float:
    return float(np.sqrt(max(1, int(hull.sum()))))


def _smooth_noise(size: int, sigma: float, random: np.random.Generator) -> npt.NDArray[np.float32]:
    noise = ndimage.gaussian_filter(random.normal(0, 1, (size, size)).astype(np.float32), sigma)
    return np.asarray(noise / (noise.std() + 1e-6), dtype=np.float32)


def _cut_patch(
    levels: npt.NDArray[np.uint8],
    outline: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    rim = 8
    top, bottom = max(0, rows[0] - rim), min(outline.shape[0], rows[-1] + rim + 1)
    left, right = max(0, columns[0] - rim), min(outline.shape[1], columns[-1] + rim + 1)
    return levels[top:bottom, left:right].astype(np.float32), outline[top:bottom, left:right]


def _turn(
    patch: npt.NDArray[np.float32],
    outline: npt.NDArray[np.bool_],
    random: np.random.Generator,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    if random.random() < 0.5:
        patch, outline = patch[:, ::-1], outline[:, ::-1]
    turns = int(random.integers(4))
    patch, outline = np.rot90(patch, turns), np.rot90(outline, turns)
    zoom = float(random.uniform(0.6, 1.25))
    bigger = ndimage.zoom(patch, zoom, order=1)
    return np.asarray(bigger, dtype=np.float32), ndimage.zoom(
        outline.astype(np.float32), zoom, order=1
    ) > 0.5


def _blend(
    sample: Sample,
    relative: npt.NDArray[np.float32],
    outline: npt.NDArray[np.bool_],
    centre: tuple[int, int],
    *,
    gain: float,
) -> Sample:
    """Lay `relative` levels over the smoothed tissue of a sample, with a soft seam."""
    size = sample.levels.shape[0]
    height, width = outline.shape
    top, left = centre[0] - height // 2, centre[1] - width // 2
    y0, x0, y1, x1 = max(0, top), max(0, left), min(size, top + height), min(size, left + width)
    if y1 <= y0 or x1 <= x0:
        return sample
    here = np.s_[y0:y1, x0:x1]
    there = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    widened = ndimage.binary_dilation(outline, iterations=1).astype(np.float32)
    weight = ndimage.gaussian_filter(widened, 1.2)[there] * sample.hull[here]
    ground = ndimage.gaussian_filter(sample.levels[here].astype(np.float32), 6.0)
    mixed = (1 - weight) * sample.levels[here] + weight * (ground + gain * relative[there])
    levels = sample.levels.astype(np.float32)
    levels[here] = mixed
    placed = np.zeros(sample.hull.shape, dtype=bool)
    placed[here] = outline[there]
    return _with_lesion(sample, levels, placed & sample.hull)


def _with_lesion(
    sample: Sample,
    levels: npt.NDArray[np.float32],
    outline: npt.NDArray[np.bool_],
) -> Sample:
    if not outline.any():
        return sample
    grey = np.clip(levels, 0, 255).astype(np.uint8)
    return replace(sample, levels=grey, tumor=outline, label=1)
