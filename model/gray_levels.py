"""From stored values to gray levels in 0..1."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.images import GrayPixels
from model.quick_filters import percentiles

LOW_PERCENTILE: Final = 0.1
HIGH_PERCENTILE: Final = 99.8
"""A few hot pixels must not darken the picture; a small enhancing lesion must stay bright."""

SAMPLED_PIXELS: Final = 65_536
"""Percentiles are taken from about so many evenly spaced pixels."""

_LUMINANCE: Final = np.array([0.299, 0.587, 0.114], dtype=np.float32)
"""Weights of red, green and blue (ITU-R BT.601)."""


def robust_levels(
    values: npt.NDArray[np.float32],
    left_out: npt.NDArray[np.bool_] | None = None,
) -> GrayPixels:
    """Map the range between two percentiles to 0..1, as viewers do without a window.

    Args:
        values: (height, width), any unit; not changed.
        left_out: (height, width), True where a pixel does not count for the percentiles.

    Returns:
        (height, width); all 0 if the values do not differ.
    """
    counting = np.isfinite(values)
    if left_out is not None and not left_out.all():
        counting &= ~left_out
    # To choose by a mask costs as much as all the rest, and a scanner's values all count.
    usable = values.ravel() if counting.all() else values[counting]
    step = max(1, usable.size // SAMPLED_PIXELS)
    if usable.size == 0:
        return np.zeros(values.shape, dtype=np.float32)
    low, high = percentiles(usable[::step], LOW_PERCENTILE, HIGH_PERCENTILE)
    if high <= low:  # most pixels alike: the extremes are all there is
        low, high = float(usable.min()), float(usable.max())
    return linear_levels(values, low, high)


def linear_levels(values: npt.NDArray[np.float32], low: float, high: float) -> GrayPixels:
    """Map `low` to 0 and `high` to 1, clipped; what is not finite becomes 0.

    Returns:
        (height, width); all 0 if `high` is not above `low`.
    """
    if not high > low:
        return np.zeros(values.shape, dtype=np.float32)
    with np.errstate(all="ignore"):  # floats near the end of their range overflow
        scaled = values - np.float32(low)
        scaled *= np.float32(1.0 / (high - low))
        np.minimum(scaled, np.float32(1.0), out=scaled)
        np.maximum(scaled, np.float32(0.0), out=scaled)
    unknown = np.isnan(scaled)
    if unknown.any():
        scaled[unknown] = 0.0
    return scaled


def gray_of_colour(colours: npt.NDArray[Any]) -> tuple[GrayPixels, float]:
    """Turn colours into gray.

    Args:
        colours: (height, width, 3), red, green, blue in the full range of their integer type.

    Returns:
        Luminance (height, width) in 0..1, and the mean absolute difference of the channels, 0..1.
    """
    full = np.float32(1.0 / np.iinfo(colours.dtype).max)
    gray: GrayPixels = np.clip(colours[..., :3].astype(np.float32) @ (_LUMINANCE * full), 0.0, 1.0)
    return gray, measure_colourfulness(colours[::2, ::2])


def measure_colourfulness(colours: npt.NDArray[Any]) -> float:
    """Return the mean absolute difference of the channels of (height, width, 3), 0 to 1."""
    # Differences need a sign.
    wide: type[np.signedinteger[Any]] = np.int16 if colours.dtype == np.uint8 else np.int64
    red, green, blue = (colours[..., channel].astype(wide) for channel in range(3))
    differences = np.abs(red - green) + np.abs(green - blue) + np.abs(blue - red)
    return min(1.0, float(differences.mean()) / (3.0 * np.iinfo(colours.dtype).max))
