"""Explanations against outlines that people drew, and against the model's own behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.integrate import trapezoid
from scipy.special import logit
from scipy.stats import rankdata

from model.explanation import LEAST_PROBABILITY, ScorePictures

Heat: TypeAlias = npt.NDArray[np.float64]
"""(size, size): the higher, the more a pixel is held to matter."""

Mask: TypeAlias = npt.NDArray[np.bool_]

POINTING_TOLERANCE: Final = 0.03
"""Of the side: the 15 pixels that the game grants on pictures of about 500 (Zhang et al. 2018)."""

SMOOTHING: Final = 1 / 48
"""Of the side, standard deviation: heat in steps has no highest point, only a highest step."""

CURVE_STEPS: Final = 12
HEAT_SHARES: Final = tuple(round(0.1 * step, 1) for step in range(1, 10))
"""Of the highest heat: from which on a pixel counts as marked; chosen on calibration images."""


def find_peak(heat: Heat) -> tuple[int, int]:
    """Return row and column of the highest point of the smoothed heat."""
    smooth = ndimage.gaussian_filter(np.maximum(heat, 0.0), SMOOTHING * heat.shape[0])
    row, column = np.unravel_index(int(np.argmax(smooth)), heat.shape)
    return int(row), int(column)


def points_at(heat: Heat, outline: Mask, *, tolerance: float = 0.0) -> bool:
    """Pointing game: does the peak lie in an outline, or within a share of the side of it?"""
    row, column = find_peak(heat)
    if tolerance == 0.0:
        return bool(outline[row, column])
    away = ndimage.distance_transform_edt(~outline)
    return bool(away[row, column] <= tolerance * heat.shape[0])


def dice_by_share(heat: Heat, outline: Mask) -> list[float]:
    """Return the Dice overlap, 0..1, for each of `HEAT_SHARES`; 0 where no heat is positive."""
    highest = float(heat.max())
    if highest <= 0.0:
        return [0.0] * len(HEAT_SHARES)
    marked = (heat >= share * highest for share in HEAT_SHARES)
    return [_dice(one, outline) for one in marked]


def draw_centre_prior(head: Mask) -> Heat:
    """Return a heat that falls with the distance from the head's middle, whatever is in it."""
    row, column = ndimage.center_of_mass(head)
    rows, columns = np.indices(head.shape)
    return np.asarray(-np.hypot(rows - row, columns - column), dtype=np.float64)


def trace_curves(
    picture: npt.NDArray[np.uint8],
    replacement: npt.NDArray[np.uint8],
    segments: npt.NDArray[np.int32],
    heats: Sequence[Heat],
    score_pictures: ScorePictures,
) -> list[tuple[float, float]]:
    """Hide, or show, segments from the hottest on, and see how fast the score goes.

    All heats rank the same segments, so that only the order differs (Petsiuk et al. 2018).

    Returns:
        For each heat the mean log-odds while hiding, less those of the whole picture (the lower,
        the better), and while showing, less those of the hidden picture (the higher, the better).
    """
    pictures = []
    for heat in heats:
        order = _rank_segments(heat, segments)
        count = len(order)
        for step in range(CURVE_STEPS + 1):
            hottest = np.isin(segments, order[: round(step / CURVE_STEPS * count)])
            pictures.append(np.where(hottest, replacement, picture))
            pictures.append(np.where(hottest, picture, replacement))
    probabilities = score_pictures(np.stack(pictures))
    log_odds = logit(np.clip(probabilities, LEAST_PROBABILITY, 1 - LEAST_PROBABILITY))
    curves = log_odds.reshape(len(heats), CURVE_STEPS + 1, 2)
    whole, hidden = curves[:, 0, 0], curves[:, 0, 1]
    means = trapezoid(curves, axis=1) / CURVE_STEPS
    return [
        (round(float(one[0] - start), 4), round(float(one[1] - end), 4))
        for one, start, end in zip(means, whole, hidden, strict=True)
    ]


def _rank_segments(heat: Heat, segments: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    numbers = np.arange(int(segments.max()) + 1)
    # Ranks, not values: the order is the same and ties are broken by the number.
    means = rankdata(-ndimage.mean(heat, segments, numbers), method="ordinal")
    return np.argsort(means, kind="stable")


def _dice(marked: Mask, outline: Mask) -> float:
    total = int(marked.sum()) + int(outline.sum())
    return round(2.0 * int((marked & outline).sum()) / total, 4) if total else 0.0
