"""Is this a brain-MR slice of a kind that the network was fitted on?

Two distances, each to the brain MR of the fit part: one of the network's own features (inside
``model.keras`` as a fixed projection that whitens them), one of simple measures of the picture
(`preprocessing.picture_features`). The score is the smaller of the two, each turned into 0..1 by
a logistic curve that is 0.5 at its limit. The limits come from the calibration part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from model.card import ScopeStatistics

EMBEDDING_SIZE: Final = 48
"""Directions of the features that are kept; the rest is measured as one residual."""

RIDGE: Final = 1e-3

LEAST_SPREAD: Final = 0.01
"""Of a picture feature: about what re-encoding a gray picture as JPEG adds to its colour."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Whitening:
    """A fixed projection of features: ``(x - mean) @ matrix``; the squared length is a distance.

    Attributes:
        mean: (d,).
        matrix: (d, k).
    """

    mean: Floats
    matrix: Floats


def scope_scores(
    embeddings: npt.NDArray[np.float32],
    picture_features: npt.NDArray[np.float32],
    statistics: ScopeStatistics,
) -> Floats:
    """Score n pictures.

    Args:
        embeddings: (n, k) whitened features of the network.
        picture_features: (n, p) of `preprocessing.picture_features`.
        statistics: of the bundle's card.

    Returns:
        (n,) 0..1; NaN where an input is not finite (which flags the picture).
    """
    by_network = logistic_score(
        squared_lengths(embeddings),
        statistics.embedding_limit,
        statistics.embedding_scale,
    )
    by_picture = logistic_score(
        feature_distances(
            picture_features,
            np.asarray(statistics.feature_mean),
            np.asarray(statistics.feature_precision),
        ),
        statistics.feature_limit,
        statistics.feature_scale,
    )
    return np.asarray(np.minimum(by_network, by_picture), dtype=np.float64)


def squared_lengths(embeddings: npt.NDArray[np.float32]) -> Floats:
    """Return the squared length, (n,), of (n, k) whitened features."""
    return np.asarray((embeddings.astype(np.float64) ** 2).sum(axis=1), dtype=np.float64)


def feature_distances(
    picture_features: npt.NDArray[np.float32],
    mean: Floats,
    precision: Floats,
) -> Floats:
    """Return the squared Mahalanobis distance, (n,), of (n, p) picture features."""
    centred = picture_features.astype(np.float64) - mean
    return np.asarray(np.einsum("np,pq,nq->n", centred, precision, centred), dtype=np.float64)


def logistic_score(distances: Floats, limit: float, scale: float) -> Floats:
    """Turn distances into 0..1: 0.5 at the limit, near 1 well inside it."""
    return np.asarray(expit((limit - distances) / scale), dtype=np.float64)


def fit_whitening(features: npt.NDArray[np.float32]) -> Whitening:
    """Fit the projection on the features, (n, d), of brain MR.

    The strongest directions are scaled to unit variance; all others together are scaled by the
    spread that is left in them, so that something that lights up a direction brain MR never uses
    is far away.
    """
    values = features.astype(np.float64)
    mean = values.mean(axis=0)
    variances, directions = np.linalg.eigh(np.cov(values, rowvar=False))
    order = np.argsort(variances)[::-1]
    variances, directions = variances[order], directions[:, order]
    rest = float(variances[EMBEDDING_SIZE:].mean()) + RIDGE * float(variances[0])
    kept = np.concatenate(
        [variances[:EMBEDDING_SIZE], np.full(len(variances) - EMBEDDING_SIZE, rest)],
    )
    return Whitening(mean=mean, matrix=directions / np.sqrt(np.maximum(kept, rest)))


def fit_picture_statistics(picture_features: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """Return mean, (p,), and precision, (p, p), of the picture features of brain MR.

    The outermost hundredth of each feature is pulled in first: a few odd pictures would else
    stretch the ellipse so far that a photograph fits in. Features that hardly vary in brain MR
    (colour, "a head was found") get a least spread, or a picture one step off would be infinitely
    far away.
    """
    values = picture_features.astype(np.float64)
    values = np.clip(values, *np.percentile(values, (1.0, 99.0), axis=0))
    covariance = np.cov(values, rowvar=False) + np.diag(np.full(values.shape[1], LEAST_SPREAD**2))
    return values.mean(axis=0), np.linalg.inv(covariance)


def choose_limit(distances: Floats, lost_share: float) -> tuple[float, float]:
    """Choose limit and scale so that about `lost_share` of brain MR lies beyond the limit.

    Args:
        distances: (n,) of the calibration part's brain MR.
        lost_share: share that may be called out of scope, 0..1.
    """
    limit = float(np.quantile(distances, 1.0 - lost_share))
    return limit, max(1e-6, limit / 8.0)
