"""Changes of brightness, contrast, sharpness and noise, for measuring a model on other pictures.

Nothing here is shared with `augmentation`: a test by the changes that training made would confirm
them. All functions take and return (height, width) pixels, 0 black to 1 white, and may leave that
range; `picture_changes` clips.
"""

from __future__ import annotations

import io
from typing import Final

import numpy as np
from PIL import Image
from scipy import ndimage
from skimage import exposure

from model.images import GrayPixels
from model.independent_outline import Mask

LEAST_RANGE: Final = 1e-3
"""Levels nearer to each other than this are one level."""


def compress(pixels: GrayPixels, low: float, high: float) -> GrayPixels:
    """Put black at `low` and white at `high`: a pale or dark display, or a badly scanned film."""
    return np.asarray(low + (high - low) * pixels, dtype=np.float32)


def window(pixels: GrayPixels, head: Mask, percentiles: tuple[float, float]) -> GrayPixels:
    """Stretch the levels between two percentiles of the head; what lies beyond is saturated."""
    low, high = np.percentile(pixels[head], percentiles)
    return np.asarray((pixels - low) / max(float(high - low), LEAST_RANGE), dtype=np.float32)


def invert(pixels: GrayPixels) -> GrayPixels:
    """Make a negative of the whole picture."""
    return np.asarray(1.0 - pixels, dtype=np.float32)


def invert_tissue(pixels: GrayPixels, head: Mask) -> GrayPixels:
    """Turn dark tissue bright and bright tissue dark and leave the background, as T1 is to T2."""
    low, high = np.percentile(pixels[head], (1.0, 99.0))
    inside = ndimage.gaussian_filter(head.astype(np.float32), 1.0)
    turned = np.clip(low + high - pixels, 0.0, 1.0)
    return np.asarray(inside * turned + (1.0 - inside) * pixels, dtype=np.float32)


def apply_gamma(pixels: GrayPixels, gamma: float) -> GrayPixels:
    """Bend the curve of brightness; a gamma below 1 brightens."""
    return np.asarray(np.clip(pixels, 0.0, 1.0) ** gamma, dtype=np.float32)


def bend_curve(pixels: GrayPixels, steepness: float) -> GrayPixels:
    """Apply a sigmoid curve, as some vendors' displays do: steep in the middle."""
    return np.asarray(
        exposure.adjust_sigmoid(np.clip(pixels, 0.0, 1.0), cutoff=0.35, gain=steepness),
        dtype=np.float32,
    )


def equalise(pixels: GrayPixels, head: Mask) -> GrayPixels:
    """Equalise the histogram of the head."""
    equal = exposure.equalize_hist(pixels, mask=head)
    return np.asarray(np.where(pixels > 0.0, equal, 0.0), dtype=np.float32)


def equalise_locally(pixels: GrayPixels) -> GrayPixels:
    """Equalise contrast region by region (CLAHE), as many viewers offer it."""
    clipped = np.clip(pixels, 0.0, 1.0)
    return np.asarray(exposure.equalize_adapthist(clipped, clip_limit=0.02), dtype=np.float32)


def quantise(pixels: GrayPixels, levels: int) -> GrayPixels:
    """Keep only so many levels of gray."""
    steps = levels - 1
    return np.asarray(np.round(pixels * steps) / steps, dtype=np.float32)


def shade(pixels: GrayPixels, strength: float, random: np.random.Generator) -> GrayPixels:
    """Multiply by a bias field that falls from one side to the other, as a surface coil's does.

    Args:
        pixels: the picture.
        strength: half of the natural logarithm of brightest over darkest.
        random: chooses the side.
    """
    height, width = pixels.shape
    angle = random.uniform(0.0, 2.0 * np.pi)
    y, x = np.linspace(-1.0, 1.0, height)[:, None], np.linspace(-1.0, 1.0, width)[None]
    along = np.tanh(1.5 * (x * np.cos(angle) + y * np.sin(angle)))
    return np.asarray(pixels * np.exp(strength * along), dtype=np.float32)


def resample(pixels: GrayPixels, longer_side: int) -> GrayPixels:
    """Scale the picture so that its longer side has so many pixels."""
    height, width = pixels.shape
    share = longer_side / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return _resize(pixels, size)


def resample_and_back(pixels: GrayPixels, longer_side: int) -> GrayPixels:
    """Scale the picture down to so many pixels and up again to its own size."""
    if longer_side >= max(pixels.shape):
        return pixels
    return _resize(resample(pixels, longer_side), (pixels.shape[1], pixels.shape[0]))


def add_noise(pixels: GrayPixels, sigma: float, random: np.random.Generator) -> GrayPixels:
    """Add the noise of a magnitude image (Rician), `sigma` as a share of white."""
    real = pixels + random.normal(0.0, sigma, pixels.shape)
    return np.asarray(np.hypot(real, random.normal(0.0, sigma, pixels.shape)), dtype=np.float32)


def blur(pixels: GrayPixels, share: float) -> GrayPixels:
    """Blur by a Gaussian whose sigma is a share of the longer side."""
    return np.asarray(ndimage.gaussian_filter(pixels, share * max(pixels.shape)), dtype=np.float32)


def ring(pixels: GrayPixels, kept: float) -> GrayPixels:
    """Cut k-space off at a share of its extent: edges ring (Gibbs)."""
    spectrum = np.fft.fftshift(np.fft.fft2(pixels))
    height, width = pixels.shape
    rows = np.abs(np.fft.fftshift(np.fft.fftfreq(height))) <= kept / 2.0
    columns = np.abs(np.fft.fftshift(np.fft.fftfreq(width))) <= kept / 2.0
    cut = spectrum * (rows[:, None] & columns[None])
    return np.asarray(np.abs(np.fft.ifft2(np.fft.ifftshift(cut))), dtype=np.float32)


def ghost(pixels: GrayPixels, strength: float) -> GrayPixels:
    """Add two faint copies, a quarter of the height up and down, as motion does."""
    shift = pixels.shape[0] // 4
    copies = np.roll(pixels, shift, axis=0) + np.roll(pixels, -shift, axis=0)
    return np.asarray(pixels + strength * copies / 2.0, dtype=np.float32)


def re_encode(pixels: GrayPixels, quality: int) -> GrayPixels:
    """Write the picture as JPEG of this quality and read it again."""
    buffer = io.BytesIO()
    levels = np.asarray(np.clip(pixels, 0.0, 1.0) * 255.0 + 0.5, dtype=np.uint8)
    Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
    with Image.open(buffer) as opened:
        return np.asarray(opened, dtype=np.float32) / np.float32(255.0)


def _resize(pixels: GrayPixels, size: tuple[int, int]) -> GrayPixels:
    image = Image.fromarray(np.ascontiguousarray(pixels, dtype=np.float32), mode="F")
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float32)
