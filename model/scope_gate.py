"""Is this a brain-MR slice of a kind that the network was fitted on?

Three answers, of which the least counts. How far the network's own features lie from those of
brain MR (inside ``model.keras`` as a fixed projection that whitens them); how much these features
speak for brain MR rather than for other pictures that were shown to the gate; and how far simple
measures of the picture (`preprocessing.picture_features`) lie from those of brain MR. Each is
turned into 0..1 by a logistic curve that is 0.5 at a limit chosen on the calibration part.

The distances catch what nobody thought of, the evidence what resembles brain MR on most counts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from model.card import ScopeStatistics

Floats = npt.NDArray[np.float64]


def scope_scores(
    embeddings: npt.NDArray[np.float32],
    picture_features: npt.NDArray[np.float32],
    statistics: ScopeStatistics,
) -> Floats:
    """Score n pictures.

    Args:
        embeddings: (n, d) whitened features of the network.
        picture_features: (n, p) of `preprocessing.picture_features`.
        statistics: of the bundle's card.

    Returns:
        (n,) 0..1; NaN where an input is not finite (which flags the picture).
    """
    by_distance = logistic_score(
        squared_lengths(embeddings),
        statistics.embedding_limit,
        statistics.embedding_scale,
    )
    evidence = measure_evidence(embeddings, np.asarray(statistics.evidence_weights))
    by_evidence = expit(evidence - statistics.evidence_limit)
    by_picture = logistic_score(
        feature_distances(
            picture_features,
            np.asarray(statistics.feature_mean),
            np.asarray(statistics.feature_precision),
        ),
        statistics.feature_limit,
        statistics.feature_scale,
    )
    scores = np.minimum(np.minimum(by_distance, by_evidence), by_picture)
    return np.asarray(scores, dtype=np.float64)


def squared_lengths(embeddings: npt.NDArray[np.float32]) -> Floats:
    """Return the squared length, (n,), of (n, d) whitened features."""
    return np.asarray((embeddings.astype(np.float64) ** 2).sum(axis=1), dtype=np.float64)


def measure_evidence(embeddings: npt.NDArray[np.float32], weights: Floats) -> Floats:
    """Return the log-odds, (n,), but for a constant, that (n, d) features are of brain MR."""
    return np.asarray(embeddings.astype(np.float64) @ weights, dtype=np.float64)


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
