"""The convex hull of a head that lies right side up in front of any background.

In front of a plain one the head is what is lifted off it. Noise is told by its grain (the mean
difference of neighbouring pixels) and text and rulers by theirs; there a head is what is calm, and
its edge is looked for near that, so that a dim head loses no scalp to a background of its level.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
from PIL import Image
from scipy import ndimage

from model.binary_masks import close_mask, convex_hull, largest_piece
from model.images import GrayPixels
from model.quick_filters import Mask, dilate, open_levels, open_mask, percentiles, smooth_by_one

LIFT: Final = 0.12
"""Share of the way from the background to the brightest tissue above which a pixel is head.
Brain in a T1 picture with bright fat lies at 0.2-0.3; scanner noise stays below 0.08."""

SMALLEST_HEAD: Final = 0.04
"""A piece smaller than this share of the picture is not taken for a head."""

CLOSING_STEPS: Final = 3
"""Gaps up to twice as many pixels wide are closed before pieces are told apart."""

CORNER: Final = 10
"""A corner is one part in so many of the shorter side."""

BUSY_SPREAD: Final = 0.02
"""Spread of the levels, of the picture's range, above which a corner is not plain background."""

BUSY_BLUR: Final = 2.0
"""Pixels of the working picture by which noise and text are evened out."""

LEAST_GRAIN: Final = 0.03
"""Mean difference of neighbouring pixels from which a background counts as noise; weaker noise lies
below `LIFT`."""

STRONG_GRAIN: Final = 0.1
"""From here on noise is bright itself, and not the faint noise of a negative."""

NOISE_EVENNESS: Final = 0.6
"""Least grain in the corners over their middle one: noise is even, text and pictures are not."""

HEAD_GRAIN: Final = 0.55
"""A head in front of noise has at most this share of its grain, but for its edges."""

NOISE_LIFT: Final = 0.08
NOISE_SPREADS: Final = 4.0
"""What is brighter than noise by so much of the range, and so many spreads, is an edge of the
head."""

DEVIATIONS: Final = 1.4826
"""Median deviations in a standard deviation of normal noise."""

CALM_GRAIN: Final = 0.5
LEAST_CALM: Final = 0.02
"""Among strokes (text, rulers) a head has at most this share of the grain of the corners' busiest
tenth, and may always have the second."""

RULER_RIM: Final = 10
"""Rulers lie within one part in so many of the shorter side from the rim."""

STROKE_ROOM: Final = 8
"""Pixels around a head's calm part in which its edge is looked for."""

STROKE_GRAIN: Final = 0.5
STROKE_LIFT: Final = 0.1
STROKE_RIM: Final = 1
"""A stroke has at least this share of the grain of the corners' busiest twentieth, and stands out
of what is left without strokes by so much of the range; so many pixels around it go with it."""

LEAST_EDGE: Final = 40
"""Pixels of the smallest piece of scalp; letters are smaller."""

LEAST_KEPT: Final = 0.8
"""Of the calm part; an edge that leaves less of it was a stroke's."""

BUSY_CORNERS: Final = 3
"""A neck or an ear may reach into two corners."""

MeasureGrain: TypeAlias = Callable[[], GrayPixels]
"""Measures the grain of a picture, at its size; slow, so that it is asked for only if needed."""


def is_busy(levels: GrayPixels) -> bool:
    """Tell a background of noise, text or the like from a plain one."""
    return _count_busy_corners(levels) >= BUSY_CORNERS


def find_hull(levels: GrayPixels, grain: MeasureGrain) -> Mask | None:
    """Find the hull of a head.

    Args:
        levels: (height, width), 0..1, of a shrunken picture the right way round, without frame.
        grain: of the same pixels, see `measure_grain`.

    Returns:
        (height, width), True inside; None if nothing stands out.
    """
    corners = _count_busy_corners(levels)
    if corners < BUSY_CORNERS:
        # A neck reaches into a corner, or a ruler.
        return _hull_of_lifted(_without_rulers(levels) if corners else levels)
    fine = grain()
    even = _blur(fine)
    noise = _noise_of(even)
    hull = (
        _hull_within_noise(levels, even, noise)
        if noise
        else _hull_among_strokes(levels, fine, even)
    )
    return _hull_of(open_mask(_lift(_blur(open_levels(levels))))) if hull is None else hull


def is_bright_noise(levels: GrayPixels, grain: MeasureGrain) -> bool:
    """Tell a background of bright noise from the even one of a negative."""
    return is_busy(levels) and _noise_of(_blur(grain())) >= STRONG_GRAIN


def measure_grain(pixels: GrayPixels, shape: tuple[int, ...]) -> GrayPixels:
    """Return the mean difference of each pixel from its neighbours, (height, width) as asked for.

    Args:
        pixels: (height, width), 0..1, before it was shrunken: that takes the grain away.
        shape: of the result.
    """
    height, width = shape
    rough = np.abs(pixels - ndimage.uniform_filter(pixels, 3))
    image = Image.fromarray(rough).resize((width, height), Image.Resampling.BOX)
    return np.asarray(image)


def _noise_of(grain: GrayPixels) -> float:
    """Return the grain of a background of even noise; 0 where it is none."""
    corners = _all_corners(grain)
    noise = float(np.median(corners))
    even = float(np.percentile(corners, 10)) >= NOISE_EVENNESS * noise
    return noise if even and noise >= LEAST_GRAIN else 0.0


def _hull_of_lifted(levels: GrayPixels) -> Mask | None:
    """Return the hull of the largest piece that is lifted off the background."""
    lifted = open_mask(_lift(smooth_by_one(levels)))
    # Text and rulers are gone, or apart from the head if nothing joins them to it.
    return _hull_of(close_mask(lifted, CLOSING_STEPS))


def _hull_within_noise(levels: GrayPixels, grain: GrayPixels, noise: float) -> Mask | None:
    """Tell a head from even noise by its lower grain, and its edges by being brighter.

    Args:
        levels: (height, width) of the picture.
        grain: (height, width) mean difference of neighbouring pixels.
        noise: grain of the noise.
    """
    smooth = smooth_by_one(levels)
    background = _all_corners(smooth)
    middle = float(np.median(background))
    spread = DEVIATIONS * float(np.median(np.abs(background - middle)))
    brighter = smooth > middle + max(NOISE_LIFT, NOISE_SPREADS * spread)
    quiet = grain < HEAD_GRAIN * noise
    return _hull_of(close_mask(open_mask(quiet | brighter), CLOSING_STEPS))


def _hull_among_strokes(levels: GrayPixels, fine: GrayPixels, even: GrayPixels) -> Mask | None:
    """Tell a head from text and rulers: calm where they are not, then its edge near that.

    Args:
        levels: (height, width) of the picture.
        fine: (height, width) its grain.
        even: the same, blurred.
    """
    calm = even < max(LEAST_CALM, CALM_GRAIN * float(np.percentile(_all_corners(even), 90)))
    if not calm.any():
        return None
    plain = open_levels(levels)
    smooth = _blur(plain)
    background, _ = percentiles(smooth[::2, ::2], 2.0, 99.0)
    limit = background + LIFT * (float(np.percentile(smooth[calm], 99)) - background)
    hull = _hull_of(open_mask((smooth > limit) & calm))
    if hull is None:
        return None
    grainy = fine > STROKE_GRAIN * float(np.percentile(_all_corners(fine), 95))
    strokes = grainy & (levels - plain > STROKE_LIFT)
    near = dilate(hull, STROKE_ROOM) & ~dilate(strokes, STROKE_RIM)
    edge = _hull_of_large(open_mask((smooth_by_one(plain) > limit) & near))
    return hull if edge is None or edge.sum() < LEAST_KEPT * hull.sum() else edge


def _lift(smooth: GrayPixels) -> Mask:
    background, bright = percentiles(smooth[::2, ::2], 2.0, 99.0)
    return np.asarray(smooth > background + LIFT * (bright - background), dtype=bool)


def _hull_of(mask: Mask) -> Mask | None:
    piece = largest_piece(mask, SMALLEST_HEAD)
    return None if piece is None else convex_hull(piece)


def _hull_of_large(mask: Mask) -> Mask | None:
    """Return the hull of all pieces but small ones: a scalp may be apart from the brain."""
    pieces, _ = ndimage.label(mask)
    is_large = np.bincount(pieces.ravel()) >= LEAST_EDGE
    is_large[0] = False
    large = is_large[pieces]
    return convex_hull(large) if large.any() else None


def _without_rulers(levels: GrayPixels) -> GrayPixels:
    """Take strokes away near the rim; farther in, a thin scalp is of more account."""
    rim = min(levels.shape) // RULER_RIM
    inner = slice(rim, -rim or None)
    plain = open_levels(levels).copy()
    plain[inner, inner] = levels[inner, inner]
    return plain


def _blur(levels: GrayPixels) -> GrayPixels:
    return np.asarray(ndimage.gaussian_filter(levels, BUSY_BLUR), dtype=np.float32)


def _count_busy_corners(levels: GrayPixels) -> int:
    # No spread is wider than half the range, which is quicker to find.
    return sum(
        float(np.ptp(corner)) > 2 * BUSY_SPREAD and float(corner.std()) > BUSY_SPREAD
        for corner in _corners(levels)
    )


def _all_corners(levels: GrayPixels) -> GrayPixels:
    return np.concatenate([corner.ravel() for corner in _corners(levels)])


def _corners(levels: GrayPixels) -> list[GrayPixels]:
    """Return the four corners of a picture, where there is no head."""
    side = max(2, min(levels.shape) // CORNER)
    return [
        levels[rows, columns]
        for rows in (slice(None, side), slice(-side, None))
        for columns in (slice(None, side), slice(-side, None))
    ]
