"""Noise, patterns and blanks; also within the outline of a head, where a gate is easily fooled."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.images import GrayPixels

Random = np.random.Generator
Plane = npt.NDArray[np.float64]

ALMOST_BLANK: Final = 0.004
"""Spread of the noise of a blank exposure: a gray level of 256."""


def draw_white_noise(random: Random) -> GrayPixels:
    """Draw independent pixels: uniform, normal, or of a magnitude image."""
    shape = _shape(random)
    drawn = (
        random.random(shape),
        random.normal(0.5, 0.2, shape),
        np.hypot(*random.normal(0, 0.3, (2, *shape))),
    )
    return _as_pixels(drawn[int(random.integers(3))])


def draw_salt_and_pepper(random: Random) -> GrayPixels:
    """Draw single white pixels on black, few or many."""
    return _as_pixels(random.random(_shape(random)) < random.uniform(0.01, 0.5))


def draw_coarse_noise(random: Random) -> GrayPixels:
    """Draw independent blocks of pixels, as noise that was enlarged."""
    block = int(random.integers(2, 24))
    height, width = _shape(random)
    small = random.random((height // block + 1, width // block + 1))
    return _as_pixels(np.kron(small, np.ones((block, block))))


def draw_pink_noise(random: Random) -> GrayPixels:
    """Draw noise whose amplitude falls as 1 / frequency, about as in photographs."""
    return _as_pixels(_coloured_noise(random, random.uniform(0.8, 1.3)))


def draw_brown_noise(random: Random) -> GrayPixels:
    """Draw noise whose amplitude falls as 1 / frequency^2: clouds."""
    return _as_pixels(_coloured_noise(random, random.uniform(1.6, 2.4)))


def draw_band_noise(random: Random) -> GrayPixels:
    """Draw noise of one scale: speckle, stains."""
    shape = _shape(random)
    sigma = random.uniform(1.0, 8.0)
    noise = random.normal(0, 1, shape)
    band = ndimage.gaussian_filter(noise, sigma) - ndimage.gaussian_filter(noise, 2 * sigma)
    return _as_pixels(_normalised(band))


def draw_blobs(random: Random) -> GrayPixels:
    """Draw some soft bright spots on black."""
    shape = _shape(random)
    levels = np.zeros(shape)
    for _ in range(int(random.integers(1, 12))):
        levels = np.maximum(levels, random.uniform(0.3, 1.0) * _soft_spot(random, shape))
    return _as_pixels(levels)


def draw_stained_oval(random: Random) -> GrayPixels:
    """Draw an oval filled with clouds: a head in outline and size, and nothing inside it."""
    shape = _shape(random)
    inside = _oval(random, shape)
    clouds = _coloured_noise(random, random.uniform(0.7, 2.2), shape)
    return _as_pixels(inside * (0.25 + 0.75 * clouds))


def draw_noisy_oval(random: Random) -> GrayPixels:
    """Draw an oval of noise on black, mostly with a bright rim like a scalp."""
    shape = _shape(random)
    inside = _oval(random, shape)
    rim = inside - ndimage.binary_erosion(inside > 0, iterations=int(random.integers(3, 12)))
    noise = ndimage.gaussian_filter(random.normal(0, 1, shape), random.uniform(0.0, 2.5))
    return _as_pixels(inside * _normalised(noise) * 0.8 + rim * random.uniform(0.0, 1.0))


def draw_plain_oval(random: Random) -> GrayPixels:
    """Draw an oval of one level, or of rings: a phantom, a fruit, a bottle of water."""
    shape = _shape(random)
    levels = np.zeros(shape)
    for _ in range(int(random.integers(1, 5))):
        levels = np.where(_oval(random, shape) > 0, random.uniform(0.2, 1.0), levels)
    return _as_pixels(levels + random.normal(0, 0.01, shape))


def draw_grid_phantom(random: Random) -> GrayPixels:
    """Draw a round phantom for quality checks: water with a grid or rows of holes."""
    shape = _shape(random)
    inside = _oval(random, shape)
    rows, columns = np.indices(shape)
    pitch = int(random.integers(8, 30))
    bars = (rows % pitch < pitch // 4) | (columns % pitch < pitch // 4)
    holes = (rows % pitch - pitch / 2) ** 2 + (columns % pitch - pitch / 2) ** 2 < (pitch / 4) ** 2
    dark = bars if random.random() < 0.5 else holes
    return _as_pixels(inside * np.where(dark, 0.1, 0.8) + random.normal(0, 0.02, shape))


def draw_gradient(random: Random) -> GrayPixels:
    """Draw a slope of gray, straight or round."""
    height, width = _shape(random)
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    angle = random.uniform(0, 2 * np.pi)
    slope = np.cos(angle) * x + np.sin(angle) * y if random.random() < 0.5 else np.hypot(x, y)
    return _as_pixels(_normalised(slope * random.choice([-1.0, 1.0])))


def draw_checkerboard(random: Random) -> GrayPixels:
    """Draw squares of two grays."""
    height, width = _shape(random)
    side = int(random.integers(4, 64))
    odd = (np.arange(height)[:, None] // side + np.arange(width)[None] // side) % 2
    dark, bright = random.uniform(0, 0.4), random.uniform(0.6, 1.0)
    return _as_pixels(np.where(odd, bright, dark))


def draw_waves(random: Random) -> GrayPixels:
    """Draw stripes or rings of soft edges."""
    height, width = _shape(random)
    rows, columns = np.indices((height, width))
    angle, period = random.uniform(0, np.pi), random.uniform(6, 60)
    straight = rows * np.sin(angle) + columns * np.cos(angle)
    rings = np.hypot(rows - height / 2, columns - width / 2)
    where = straight if random.random() < 0.5 else rings
    return _as_pixels(0.5 + 0.5 * np.sin(2 * np.pi * where / period))


def draw_colour_bars(random: Random) -> GrayPixels:
    """Draw a test picture: upright bars of gray over a step wedge."""
    height, width = _shape(random)
    upper = np.repeat(random.random((1, 8)), height // 2, axis=0)
    lower = np.repeat(np.linspace(0, 1, 8)[None], height - height // 2, axis=0)
    columns = np.arange(width) * 8 // width
    return _as_pixels(np.concatenate([upper, lower])[:, columns])


def draw_blank(random: Random) -> GrayPixels:
    """Draw one level, black and white among them."""
    level = random.choice([0.0, 1.0, float(random.random())])
    return _as_pixels(np.full(_shape(random), level))


def draw_almost_blank(random: Random) -> GrayPixels:
    """Draw one level with the faintest noise or with a dead line: an exposure of nothing."""
    shape = _shape(random)
    levels = random.random() + random.normal(0, ALMOST_BLANK, shape)
    if random.random() < 0.4:
        levels[int(random.integers(shape[0]))] = random.random()
    return _as_pixels(levels)


def draw_blank_frame(random: Random) -> GrayPixels:
    """Draw an empty field within a frame of another level."""
    shape = _shape(random)
    rim = int(random.integers(2, 30))
    levels = np.full(shape, random.random())
    levels[rim:-rim, rim:-rim] = random.random()
    return _as_pixels(levels)


def oval_mask(random: Random, shape: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """Draw the outline of a head, (height, width), True inside."""
    return np.asarray(_oval(random, shape) > 0, dtype=bool)


def _oval(random: Random, shape: tuple[int, int]) -> Plane:
    height, width = shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    x, y = x - random.normal(0, 0.05), y - random.normal(0, 0.05)
    angle = np.arctan2(y, x)
    wobble = sum(
        random.normal(0, 0.025) * np.cos(turns * angle + random.uniform(0, 6))
        for turns in (2, 3, 5)
    )
    radii = random.uniform(0.55, 0.9), random.uniform(0.65, 0.95)
    inside = (x / radii[0]) ** 2 + (y / radii[1]) ** 2 < (1.0 + wobble) ** 2
    return np.asarray(inside, dtype=np.float64)


def _soft_spot(random: Random, shape: tuple[int, int]) -> Plane:
    rows, columns = np.indices(shape)
    centre = random.uniform(0.2, 0.8, 2) * shape
    radius = random.uniform(0.05, 0.3, 2) * min(shape)
    squared = ((rows - centre[0]) / radius[0]) ** 2 + ((columns - centre[1]) / radius[1]) ** 2
    return np.asarray(np.exp(-squared), dtype=np.float64)


def _coloured_noise(random: Random, exponent: float, shape: tuple[int, int] | None = None) -> Plane:
    """Return noise, 0..1, whose amplitude falls as 1 / frequency^exponent."""
    height, width = shape or _shape(random)
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(random.normal(0, 1, (height, width))) / frequency**exponent
    return _normalised(np.fft.irfft2(spectrum, (height, width)))


def _normalised(levels: Plane) -> Plane:
    low, high = np.percentile(levels, (0.5, 99.5))
    return np.asarray(np.clip((levels - low) / (high - low + 1e-9), 0.0, 1.0), dtype=np.float64)


def _as_pixels(levels: npt.NDArray[np.generic]) -> GrayPixels:
    return np.clip(levels.astype(np.float32), 0.0, 1.0)


def _shape(random: Random) -> tuple[int, int]:
    height, width = random.integers(96, 400, 2).tolist()
    return (height, width) if random.random() < 0.5 else (height, height)
