"""Fit the scope gate: two distances to brain MR, and evidence against pictures of other things."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from model.card import ScopeStatistics
from model.scope_gate import Floats, feature_distances, measure_evidence, squared_lengths

EMBEDDING_SIZE: Final = 48
"""Directions of the features that are kept; the rest is measured as one residual."""

RIDGE: Final = 1e-3

LEAST_SPREAD: Final = 0.01
"""Of a picture feature: about what re-encoding a gray picture as JPEG adds to its colour."""

REGULARISATION: Final = 0.01
"""Of the evidence (scikit-learn's C): small, so that it rests on many features a little."""

DISTANCE_LOST_SHARE: Final = 0.001
EVIDENCE_LOST_SHARE: Final = 0.003
"""Shares of the calibration part's brain MR that each of the two distances, and the evidence, may
call out of scope: about half a per cent in sum. Other patients lose two or three times as much,
and at most 2% is meant to be lost."""


@dataclass(frozen=True)
class ScopeInputs:
    """Pictures as the gate sees them.

    Attributes:
        features: (n, d) of the network, as `assembly.with_scope_features` gives them.
        pictures: (n, p) picture features of `prepare_image`.
    """

    features: npt.NDArray[np.float32]
    pictures: npt.NDArray[np.float32]


@dataclass(frozen=True)
class GateInputs:
    """What the scope gate is fitted on.

    Attributes:
        fit: brain MR of the fit part.
        changed_features: (m, d) of brain MR of the fit part, changed as hospitals might.
        held: brain MR of the calibration part, for the limits.
        strange_features: (k, d) of pictures that are not brain MR.
    """

    fit: ScopeInputs
    changed_features: npt.NDArray[np.float32]
    held: ScopeInputs
    strange_features: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Whitening:
    """A fixed projection of features: ``(x - mean) @ matrix``; the squared length is a distance.

    Attributes:
        mean: (d,).
        matrix: (d, k).
    """

    mean: Floats
    matrix: Floats

    def apply(self, features: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (n, k) whitened features of (n, d)."""
        return np.asarray((features.astype(np.float64) - self.mean) @ self.matrix, dtype=np.float32)


def fit_scope_gate(inputs: GateInputs) -> tuple[Whitening, ScopeStatistics]:
    """Fit distances and evidence on the fit part and set their limits on the calibration part."""
    brain = np.concatenate([inputs.fit.features, inputs.changed_features])
    whitening = fit_whitening(brain)
    held = whitening.apply(inputs.held.features)
    weights = fit_evidence(whitening.apply(brain), whitening.apply(inputs.strange_features))
    embedding_limit, embedding_scale = choose_limit(squared_lengths(held), DISTANCE_LOST_SHARE)
    mean, precision = fit_picture_statistics(inputs.fit.pictures)
    feature_limit, feature_scale = choose_limit(
        feature_distances(inputs.held.pictures, mean, precision),
        DISTANCE_LOST_SHARE,
    )
    return whitening, ScopeStatistics(
        embedding_limit=embedding_limit,
        embedding_scale=embedding_scale,
        evidence_weights=tuple(weights.tolist()),
        evidence_limit=float(np.quantile(measure_evidence(held, weights), EVIDENCE_LOST_SHARE)),
        feature_mean=tuple(mean.tolist()),
        feature_precision=tuple(tuple(row) for row in precision.tolist()),
        feature_limit=feature_limit,
        feature_scale=feature_scale,
    )


def fit_evidence(
    brain: npt.NDArray[np.float32],
    strange: npt.NDArray[np.float32],
) -> Floats:
    """Return weights, (k,), of whitened features that tell brain MR from strange pictures.

    A logistic regression in which both sides weigh the same, however many pictures they have. Its
    constant is left out: the limit is chosen afterwards.
    """
    regression = LogisticRegression(C=REGULARISATION, class_weight="balanced", max_iter=5000)
    regression.fit(
        np.concatenate([brain, strange]),
        np.repeat([1, 0], [len(brain), len(strange)]),
    )
    return np.asarray(regression.coef_[0], dtype=np.float64)


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
