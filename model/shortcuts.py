"""Shortcut baselines: how far one gets without looking at the brain.

Where such a baseline comes near the network, a good figure of the network proves little: the
collection gives its labels away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from model.images import DecodedImage
from model.metrics import (
    Floats,
    Interval,
    Labels,
    make_accuracy,
    make_auc,
    resample_groups,
    with_intervals,
)

FOLDS: Final = 5
COMMON_SIZE: Final = 5
"""A size that so many pictures have may be a category of its own."""

RIM: Final = 32
"""The rim is one part in so many of the shorter side."""

CORNER: Final = 16
DARK: Final = 0.02


def measure_border(image: DecodedImage) -> Floats:
    """Measure what surrounds the head: the rim's mean, spread and share of black, and the corners.

    Returns:
        (5,): mean, spread and dark share of the outermost pixels; mean and spread of the corners.
    """
    pixels = image.pixels
    rim = max(1, min(pixels.shape) // RIM)
    corner = max(1, min(pixels.shape) // CORNER)
    inside = np.zeros(pixels.shape, dtype=bool)
    inside[rim:-rim, rim:-rim] = True
    edge = pixels[~inside]
    corners = np.concatenate(
        [
            pixels[rows, columns].ravel()
            for rows in (slice(None, corner), slice(-corner, None))
            for columns in (slice(None, corner), slice(-corner, None))
        ],
    )
    measures = (
        edge.mean(),
        edge.std(),
        (edge < DARK).mean(),
        corners.mean(),
        corners.std(),
    )
    return np.asarray(measures, dtype=np.float64)


def measure_size(images: Sequence[tuple[int, int]]) -> Floats:
    """Return what (width, height) of n pictures say: logarithms, and which common size it is."""
    names = [f"{width}x{height}" for width, height in images]
    logarithms = np.log(np.maximum(np.array(images, dtype=np.float64), 1.0))
    return np.hstack([logarithms, _one_hot(names, COMMON_SIZE)])


def measure_source(sources: Sequence[str]) -> Floats:
    """Return which source each of n pictures is from."""
    return _one_hot(sources, 1)


def score_shortcut(
    features: Floats,
    labels: Labels,
    groups: npt.NDArray[np.str_],
    seed: int,
) -> dict[str, Interval | None] | None:
    """Cross-validate a logistic regression by group and measure what it says of unseen groups.

    Args:
        features: (n, k).
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice; none is on both sides of a fold.
        seed: of the folds and of the bootstrap.

    Returns:
        AUC, and accuracy at 0.5, with intervals; None if there are too few groups of a class to
        keep both in every fold.
    """
    folds = min(FOLDS, *(len(set(groups[labels == label].tolist())) for label in (0, 1)))
    if folds < 2:  # noqa: PLR2004 - one side to fit, one to measure
        return None
    folding = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = list(folding.split(features, labels, groups))
    if any(len(set(labels[fit].tolist())) < 2 for fit, _ in splits):  # noqa: PLR2004 - two classes
        return None
    probabilities = cross_val_predict(
        make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)),
        features,
        labels,
        cv=splits,
        method="predict_proba",
    )[:, 1]
    metrics = {
        "auc": make_auc(probabilities, labels),
        "accuracy": make_accuracy(probabilities >= 0.5, labels),  # noqa: PLR2004 - half
    }
    return with_intervals(metrics, resample_groups(groups, seed))


def _one_hot(names: Sequence[str], least: int) -> Floats:
    found, counts = np.unique(np.array(names), return_counts=True)
    common = found[counts >= least]
    return np.asarray(np.array(names)[:, None] == common[None], dtype=np.float64)
