"""Changes that training makes to a picture, so that the network learns tumours and not sources.

Every change is decided first (a frozen record of numbers, from a seeded generator) and applied
afterwards. What each one is against: framing and skull removal (hospitals prepare pictures
differently), curves, bias fields and noise (scanners), resampling and re-encoding (archives),
clutter (backgrounds that were not removed), bending (few patients), pasted and painted lesions (a
source that has tumours only, or normals only).
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy import ndimage

from model.clutter import make_clutter

Levels = npt.NDArray[np.float32]
"""(size, size), 0..1, 0 outside the head."""

CURVE_KNOTS: Final = 5
BEND_CELLS: Final = 5
"""Cells a side of the grid whose inner corners are moved to bend a picture."""


@dataclass(frozen=True)
class Sample:
    """A picture as training holds it: a wide crop around the head.

    Attributes:
        levels: (wide, wide) uint8, the whole picture around the head.
        hull: (wide, wide) bool, True inside the head.
        tumor: (wide, wide) bool outline, or None where no mask is known.
        label: 1 if the slice shows a tumour.
    """

    levels: npt.NDArray[np.uint8]
    hull: npt.NDArray[np.bool_]
    tumor: npt.NDArray[np.bool_] | None
    label: int


@dataclass(frozen=True)
class Changes:
    """All numbers of one augmentation; see `decide_changes` for their ranges."""

    angle_degrees: float
    zoom: float
    stretch: float
    shift_x: float
    shift_y: float
    mirror: bool
    upside_down: bool
    bend: float
    hull_growth: float
    keep_background: bool
    clutter_reach: float
    gamma: float
    curve: tuple[float, ...] | None
    negative: bool
    equalise: float
    bias: tuple[float, ...] | None
    resolution: float
    jpeg_quality: int | None
    noise: float
    low_percentile: float
    high_percentile: float
    noise_seed: int


def decide_changes(random: np.random.Generator) -> Changes:
    """Draw the numbers of one augmentation; lengths are shares of the head's size."""
    skull_removed = random.random() < 0.22
    quarter_turns = int(random.integers(1, 4)) if random.random() < 0.06 else 0
    return Changes(
        angle_degrees=float(random.normal(0, 8)) + 90.0 * quarter_turns,
        zoom=float(random.uniform(0.82, 1.12)) * (1.14 if skull_removed else 1.0),
        stretch=float(random.uniform(0.92, 1.08)),
        shift_x=float(random.normal(0, 0.025)),
        shift_y=float(random.normal(0, 0.025)),
        mirror=bool(random.random() < 0.5),
        upside_down=bool(random.random() < 0.15),
        bend=float(random.uniform(0.005, 0.025)) if random.random() < 0.3 else 0.0,
        hull_growth=(
            float(random.uniform(-0.13, -0.07)) if skull_removed else float(random.normal(0, 0.012))
        ),
        keep_background=bool(random.random() < 0.08),
        clutter_reach=float(random.uniform(0.02, 0.3)) if random.random() < 0.14 else 0.0,
        gamma=float(np.exp(random.normal(0, 0.25))),
        curve=_monotone_curve(random) if random.random() < 0.3 else None,
        negative=bool(random.random() < 0.06),
        equalise=float(random.uniform(0.3, 1.0)) if random.random() < 0.1 else 0.0,
        bias=tuple(random.normal(0, 0.18, 5)) if random.random() < 0.45 else None,
        resolution=float(random.uniform(0.35, 0.9)) if random.random() < 0.3 else 1.0,
        jpeg_quality=int(random.integers(25, 85)) if random.random() < 0.2 else None,
        noise=float(random.exponential(0.025)) if random.random() < 0.45 else 0.0,
        low_percentile=float(random.uniform(0.0, 2.0)),
        high_percentile=float(random.uniform(97.5, 100.0)),
        noise_seed=int(random.integers(2**31)),
    )


NO_CHANGES: Final = Changes(
    angle_degrees=0.0,
    zoom=1.0,
    stretch=1.0,
    shift_x=0.0,
    shift_y=0.0,
    mirror=False,
    upside_down=False,
    bend=0.0,
    hull_growth=0.0,
    keep_background=False,
    clutter_reach=0.0,
    gamma=1.0,
    curve=None,
    negative=False,
    equalise=0.0,
    bias=None,
    resolution=1.0,
    jpeg_quality=None,
    noise=0.0,
    low_percentile=0.5,
    high_percentile=99.5,
    noise_seed=0,
)


def apply_changes(
    sample: Sample,
    changes: Changes,
    size: int,
    head_share: float,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None]:
    """Apply decided changes to a sample.

    Args:
        sample: the wide crop; it is not changed.
        changes: from `decide_changes`.
        size: pixels of the result.
        head_share: side of the picture that scoring would cut, as a share of the wide crop.

    Returns:
        The network's input, (size, size) uint8, and the tumour's outline, (size, size) float32
        0..1, or None where no mask is known.
    """
    sample = bend_sample(sample, changes) if changes.bend > 0.0 else sample
    matrix = _affine(sample.levels.shape[0], size, changes, head_share)
    # Twice the size first, then an anti-aliased halving: a plain transform would alias.
    picture = _warp(sample.levels, matrix, size, over=2)
    hull = _warp_mask(_grow(sample.hull, changes.hull_growth), matrix, size) > 0.5
    tumor = None
    if sample.tumor is not None:
        tumor = _warp_mask(sample.tumor, matrix, size)
    levels = _stretch(picture.astype(np.float32) / 255.0, hull, changes)
    levels = change_levels(levels, hull, changes)
    if not changes.keep_background:
        levels = np.where(hull, levels, np.float32(0))
        if tumor is not None:
            tumor = np.where(hull, tumor, np.float32(0))
    if changes.clutter_reach > 0.0:
        levels = _add_clutter(levels, hull, changes)
    return (np.clip(levels, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8), tumor


def bend_sample(sample: Sample, changes: Changes) -> Sample:
    """Bend picture, hull and outline alike, as no two heads and lesions have the same shape."""
    wide = sample.levels.shape[0]
    edges = np.linspace(0, wide, BEND_CELLS + 1).round().astype(int)
    corners = np.stack(np.meshgrid(edges, edges, indexing="xy"), axis=-1).astype(np.float64)
    random = np.random.default_rng((changes.noise_seed, BEND_CELLS))
    inner = corners[1:-1, 1:-1]
    inner += random.normal(0.0, changes.bend * wide, inner.shape)
    mesh = [
        (
            (int(edges[x]), int(edges[y]), int(edges[x + 1]), int(edges[y + 1])),
            # Pillow goes round a cell: upper left, lower left, lower right, upper right.
            (*corners[y, x], *corners[y + 1, x], *corners[y + 1, x + 1], *corners[y, x + 1]),
        )
        for y in range(BEND_CELLS)
        for x in range(BEND_CELLS)
    ]

    def bend(levels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        bent = Image.fromarray(levels).transform(
            (wide, wide),
            Image.Transform.MESH,
            mesh,
            Image.Resampling.BILINEAR,
        )
        return np.asarray(bent, dtype=np.uint8)

    def bend_mask(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        return np.asarray(bend(np.where(mask, np.uint8(255), np.uint8(0))) > 127, dtype=bool)

    return replace(
        sample,
        levels=bend(sample.levels),
        hull=bend_mask(sample.hull),
        tumor=None if sample.tumor is None else bend_mask(sample.tumor),
    )


def _add_clutter(levels: Levels, hull: npt.NDArray[np.bool_], changes: Changes) -> Levels:
    """Put clutter around the head, as far as a head region that was drawn too wide lets it in."""
    random = np.random.default_rng(changes.noise_seed)
    around = _grow(hull, changes.clutter_reach) & ~hull
    return np.where(around, make_clutter((levels.shape[0], levels.shape[1]), random), levels)


def change_levels(levels: Levels, hull: npt.NDArray[np.bool_], changes: Changes) -> Levels:
    """Apply the changes of brightness, contrast, sharpness and noise; (size, size) in and out."""
    out = levels
    if changes.curve is not None:
        knots = np.linspace(0.0, 1.0, len(changes.curve))
        out = np.interp(out, knots, changes.curve).astype(np.float32)
    if changes.equalise > 0.0:
        out = _equalise(out, hull, changes.equalise)
    if changes.negative:
        out = 1.0 - out
    out = np.power(np.clip(out, 0.0, 1.0), changes.gamma)
    if changes.bias is not None:
        out = out * _bias_field(out.shape[0], changes.bias)
    if changes.resolution < 1.0:
        out = _resample(out, changes.resolution)
    if changes.noise > 0.0:
        noise = np.random.default_rng(changes.noise_seed)
        real = out + noise.normal(0.0, changes.noise, out.shape)
        imaginary = noise.normal(0.0, changes.noise, out.shape)
        out = np.hypot(real, imaginary)  # magnitude images have Rician noise
    if changes.jpeg_quality is not None:
        out = _re_encode(out, changes.jpeg_quality)
    return np.asarray(out, dtype=np.float32)


def _monotone_curve(random: np.random.Generator) -> tuple[float, ...]:
    steps = random.dirichlet(np.full(CURVE_KNOTS - 1, 2.0))
    return (0.0, *np.cumsum(steps).tolist())


def _affine(wide: int, size: int, changes: Changes, head_share: float) -> tuple[float, ...]:
    """Return the six numbers that take a pixel of the result to a pixel of the wide crop."""
    scale = wide * head_share / size / changes.zoom
    angle = np.deg2rad(changes.angle_degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag([-1.0 if changes.mirror else 1.0, -1.0 if changes.upside_down else 1.0])
    stretch = np.diag([changes.stretch, 1.0 / changes.stretch])
    matrix = scale * turn @ stretch @ flip
    centre = wide * (0.5 + head_share * np.array([changes.shift_x, changes.shift_y]))
    offset = centre - matrix @ np.full(2, size / 2.0)
    return (
        float(matrix[0, 0]),
        float(matrix[0, 1]),
        float(offset[0]),
        float(matrix[1, 0]),
        float(matrix[1, 1]),
        float(offset[1]),
    )


def _warp(
    levels: npt.NDArray[np.uint8],
    matrix: tuple[float, ...],
    size: int,
    over: int,
) -> npt.NDArray[np.uint8]:
    finer = tuple(value / over if index % 3 < 2 else value for index, value in enumerate(matrix))
    warped = Image.fromarray(levels).transform(
        (over * size, over * size),
        Image.Transform.AFFINE,
        finer,
        Image.Resampling.BILINEAR,
    )
    return np.asarray(warped.reduce(over) if over > 1 else warped, dtype=np.uint8)


def _warp_mask(
    mask: npt.NDArray[np.bool_],
    matrix: tuple[float, ...],
    size: int,
) -> npt.NDArray[np.float32]:
    if not mask.any():
        return np.zeros((size, size), dtype=np.float32)
    levels = np.where(mask, np.uint8(255), np.uint8(0))
    warped = _warp(levels, matrix, size, over=1)
    return warped.astype(np.float32) / np.float32(255)


def depth_inside(hull: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
    """Return (n, n): how far inside the hull a pixel lies, in pixels; negative outside.

    Measured at a quarter of the resolution, 16 times faster and exact to about two pixels.
    """
    size = hull.shape[0]
    small = hull.reshape(size // 4, 4, size // 4, 4).mean(axis=(1, 3)) > 0.5
    signed = ndimage.distance_transform_edt(small) - ndimage.distance_transform_edt(~small)
    image = Image.fromarray((4.0 * signed).astype(np.float32), mode="F")
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)


def _grow(hull: npt.NDArray[np.bool_], share: float) -> npt.NDArray[np.bool_]:
    """Widen (share > 0) or shrink the hull by a share of the head's size."""
    if share == 0.0:
        return hull
    extent = float(np.sqrt(max(1, int(hull.sum()))))
    return np.asarray(depth_inside(hull) > -share * extent, dtype=bool)


def _stretch(levels: Levels, hull: npt.NDArray[np.bool_], changes: Changes) -> Levels:
    inside = levels[hull]
    if inside.size == 0:
        return levels
    low, high = np.percentile(inside[::3], (changes.low_percentile, changes.high_percentile))
    if high - low < 1e-3:
        return levels
    return np.asarray(np.clip((levels - low) / (high - low), 0.0, 1.0), dtype=np.float32)


def _equalise(levels: Levels, hull: npt.NDArray[np.bool_], strength: float) -> Levels:
    inside = levels[hull]
    if inside.size == 0:
        return levels
    counts, edges = np.histogram(inside, bins=64, range=(0.0, 1.0))
    cumulated = np.concatenate([[0.0], np.cumsum(counts) / inside.size])
    equal = np.interp(levels, edges, cumulated)
    return np.asarray(levels + strength * (equal - levels), dtype=np.float32)


def _bias_field(size: int, coefficients: tuple[float, ...]) -> Levels:
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    x, y = axis[None, :], axis[:, None]
    a, b, c, d, e = coefficients
    return np.asarray(np.exp(a * x + b * y + c * x * y + d * x * x + e * y * y), dtype=np.float32)


def _resample(levels: Levels, share: float) -> Levels:
    size = levels.shape[0]
    image = Image.fromarray(np.ascontiguousarray(levels, dtype=np.float32), mode="F")
    small = image.resize((max(8, int(size * share)),) * 2, Image.Resampling.BILINEAR)
    return np.asarray(small.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)


def _re_encode(levels: Levels, quality: int) -> Levels:
    buffer = io.BytesIO()
    Image.fromarray((np.clip(levels, 0, 1) * 255).astype(np.uint8)).save(
        buffer, "JPEG", quality=quality
    )
    return np.asarray(Image.open(buffer), dtype=np.float32) / 255.0
