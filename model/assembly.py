"""From a trained network to a bundle: probabilities and the scope gate's projection put on."""

from __future__ import annotations

from typing import Final

import keras
from keras import layers

from model.scope_fitting import Whitening

SCOPE_LAYERS: Final = ("_blocks.2._add", "_blocks.4._add", "_blocks.10._add", "_blocks.15._bn2")
"""Ends of the backbone at strides 4, 8, 16 and 32. What is strange about a page of text or about
noise shows early, what is strange about a knee shows late."""


def with_scope_features(trained: keras.Model) -> keras.Model:
    """Return a network from a trained one's input to `scope_features` (n, 496).

    They are the means of the backbone's activations at each of `SCOPE_LAYERS`.

    Args:
        trained: of `build_two_headed`; its layers are shared, not copied.
    """
    return keras.Model(trained.input, {"scope_features": _scope_features(trained)})


def assemble_network(trained: keras.Model, whitening: Whitening) -> keras.Model:
    """Put the scoring outputs onto a trained network.

    Args:
        trained: of `build_two_headed`.
        whitening: of its `scope_features`.

    Returns:
        A network from gray levels (n, size, size, 1) in 0..255 to `logit` (n, 1), `tumor_map`
        (n, size / 4, size / 4, 1) in 0..1 and `scope_embedding` (n, 496).
    """
    whiten = layers.Dense(whitening.matrix.shape[1], name="scope_embedding", trainable=False)
    embedding = whiten(_scope_features(trained))
    whiten.set_weights([whitening.matrix, -whitening.mean @ whitening.matrix])
    tumor_map = layers.Activation("sigmoid", name="tumor_map")(trained.output["map_logits"])
    outputs = {
        "logit": trained.output["logit"],
        "tumor_map": tumor_map,
        "scope_embedding": embedding,
    }
    return keras.Model(trained.input, outputs, name="mri_triage")


def _scope_features(trained: keras.Model) -> keras.KerasTensor:
    means = [
        layers.GlobalAveragePooling2D(name=f"scope_mean_{number}", dtype="float32")(
            trained.get_layer(name).output,
        )
        for number, name in enumerate(SCOPE_LAYERS)
    ]
    return layers.Concatenate(name="scope_features", dtype="float32")(means)
