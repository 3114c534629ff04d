"""From a trained network to a bundle: probabilities, scope gate and threshold put on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

from model.architectures import FEATURES
from model.card import ScopeStatistics
from model.scope_gate import (
    Whitening,
    choose_limit,
    feature_distances,
    fit_picture_statistics,
    fit_whitening,
    squared_lengths,
)

LOST_SHARE: Final = 0.005
"""Share of the calibration part's brain MR that each of the two distances may call out of scope."""


@dataclass(frozen=True)
class GateInputs:
    """What the scope gate is fitted on.

    Attributes:
        fit_features: (n, 320) of the network over the fit part.
        fit_pictures: (n, p) picture features of the fit part.
        held_features: (m, 320) of the calibration part.
        held_pictures: (m, p) of the calibration part.
    """

    fit_features: npt.NDArray[np.float32]
    fit_pictures: npt.NDArray[np.float32]
    held_features: npt.NDArray[np.float32]
    held_pictures: npt.NDArray[np.float32]


def fit_scope_gate(inputs: GateInputs) -> tuple[Whitening, ScopeStatistics]:
    """Fit both distances on the fit part and set their limits on the calibration part."""
    whitening = fit_whitening(inputs.fit_features)
    held = (inputs.held_features.astype(np.float64) - whitening.mean) @ whitening.matrix
    embedding_limit, embedding_scale = choose_limit(
        squared_lengths(held.astype(np.float32)),
        LOST_SHARE,
    )
    mean, precision = fit_picture_statistics(inputs.fit_pictures)
    feature_limit, feature_scale = choose_limit(
        feature_distances(inputs.held_pictures, mean, precision),
        LOST_SHARE,
    )
    return whitening, ScopeStatistics(
        embedding_limit=embedding_limit,
        embedding_scale=embedding_scale,
        feature_mean=tuple(mean.tolist()),
        feature_precision=tuple(tuple(row) for row in precision.tolist()),
        feature_limit=feature_limit,
        feature_scale=feature_scale,
    )


def assemble_network(trained: keras.Model, whitening: Whitening) -> keras.Model:
    """Put the scoring outputs onto a trained network.

    Args:
        trained: of `build_two_headed`.
        whitening: of its 320 features.

    Returns:
        A network from gray levels (n, size, size, 1) in 0..255 to `logit` (n, 1), `tumor_map`
        (n, size / 4, size / 4, 1) in 0..1 and `scope_embedding` (n, 320).
    """
    whiten = layers.Dense(FEATURES, name="scope_embedding", trainable=False)
    embedding = whiten(trained.output["features"])
    whiten.set_weights([whitening.matrix, -whitening.mean @ whitening.matrix])
    tumor_map = layers.Activation("sigmoid", name="tumor_map")(trained.output["map_logits"])
    outputs = {
        "logit": trained.output["logit"],
        "tumor_map": tumor_map,
        "scope_embedding": embedding,
    }
    return keras.Model(trained.input, outputs, name="mri_triage")
