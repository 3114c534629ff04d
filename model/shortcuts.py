"""Shortcut baselines: how far one gets without looking at the brain.

Where such a baseline comes near the network, a good figure of the network proves little: the
collection gives its labels away. Each baseline is a forest of random trees, because what gives a
label away need not lie on a line: on the public collections a linear model finds next to nothing
in the border, and a forest a good deal.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

from model.head_region import find_head
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
TREES: Final = 100
LEAF: Final = 5
"""Slices in a leaf, at least: a forest that learns single slices by heart ranks others worse."""

RIM: Final = 32
"""The rim is one part in so many of the shorter side."""

CORNER: Final = 16
DARK: Final = 0.02

Fold: TypeAlias = tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
"""Positions of the slices to fit on, and of those to measure on."""


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


def measure_background(image: DecodedImage) -> Floats:
    """Measure what lies outside the head: how much of the picture, and how bright it is.

    Returns:
        (5,): share of the picture; mean, spread, 99th percentile and dark share of its pixels. All
        0 where no background could be told from the head.
    """
    head = find_head(image.pixels)
    if head.mask.all():
        return np.zeros(5, dtype=np.float64)
    rows, columns = (
        np.minimum(((np.arange(cells) + 0.5) * head.scale).astype(int), pixels - 1)
        for cells, pixels in zip(head.mask.shape, image.pixels.shape, strict=True)
    )
    outside = image.pixels[np.ix_(rows, columns)][~head.mask]
    measures = (
        1.0 - head.mask.mean(),
        outside.mean(),
        outside.std(),
        np.percentile(outside, 99),
        (outside < DARK).mean(),
    )
    return np.asarray(measures, dtype=np.float64)


def measure_size(images: Sequence[tuple[int, int]]) -> Floats:
    """Return (n, 2) of n pictures: width and height."""
    return np.array(images, dtype=np.float64)


def measure_source(sources: Sequence[str]) -> Floats:
    """Return which source each of n pictures is from, (n, sources)."""
    names = np.array(sources)
    return np.asarray(names[:, None] == np.unique(names)[None], dtype=np.float64)


def score_shortcut(
    features: Floats,
    labels: Labels,
    groups: npt.NDArray[np.str_],
    seed: int,
) -> dict[str, Interval | None] | None:
    """Cross-validate a forest by group and measure what it says of unseen groups.

    Args:
        features: (n, k).
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice; none is on both sides of a fold.
        seed: of the folds, the forest and the bootstrap.

    Returns:
        AUC, and accuracy at 0.5, with intervals; None if there are too few groups of a class to
        keep both in every fold.
    """
    splits = fold_by_group(labels, groups, seed)
    if splits is None:
        return None
    probabilities = cross_val_predict(
        ExtraTreesClassifier(TREES, min_samples_leaf=LEAF, random_state=seed),
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


def fold_by_group(
    labels: Labels,
    groups: npt.NDArray[np.str_],
    seed: int,
) -> list[Fold] | None:
    """Deal slices out to folds, both classes to each, so that no group is on two sides.

    Args:
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice.
        seed: of the order.

    Returns:
        For each fold the positions to fit on and those to measure on; None if there are too few
        groups of a class to keep both in every fold.
    """
    folds = min(FOLDS, *(len(set(groups[labels == label].tolist())) for label in (0, 1)))
    if folds < 2:  # noqa: PLR2004 - one side to fit, one to measure
        return None
    folding = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    splits = list(folding.split(labels, labels, groups))
    if any(len(set(labels[fit].tolist())) < 2 for fit, _ in splits):  # noqa: PLR2004 - two classes
        return None
    return splits
