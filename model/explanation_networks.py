"""Networks around an explanation: Grad-CAM of a bundle, and the same network with shuffled weights.

Only for measuring explanations; a night needs neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf
from PIL import Image
from scipy.special import expit

from model.bundle import Bundle, load_network
from model.explanation import ScorePictures

Heat: TypeAlias = npt.NDArray[np.float64]
"""(size, size): the higher, the more a pixel is held to matter."""

GRADCAM_LAYER: Final = "_blocks.15._bn2"
"""End of the backbone at stride 32: the last convolution before the pooling, as the paper takes."""

BATCH: Final = 32


def make_gradcam(bundle: Bundle) -> Callable[[npt.NDArray[np.uint8]], Heat]:
    """Make Grad-CAM (Selvaraju et al. 2017) of a bundle's logit.

    Returns:
        From a picture, (size, size), to its heat, (size, size), at least 0.

    Raises:
        BundleError: if the network cannot be loaded.
    """
    network = load_network(bundle)
    inner = network.get_layer(GRADCAM_LAYER).output
    both = keras.Model(network.input, [inner, network.output["logit"]])

    def weigh(levels: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            features, logit = both(levels, training=False)
        gradients = tape.gradient(logit, features)
        weights = tf.reduce_mean(gradients, axis=(1, 2), keepdims=True)
        return tf.nn.relu(tf.reduce_sum(weights * features, axis=-1))

    run = tf.function(weigh, reduce_retracing=True)

    def explain(picture: npt.NDArray[np.uint8]) -> Heat:
        coarse = run(tf.constant(picture[np.newaxis, :, :, np.newaxis], dtype=tf.float32)).numpy()
        image = Image.fromarray(coarse[0].astype(np.float32))
        size = (picture.shape[1], picture.shape[0])
        heat = np.asarray(image.resize(size, Image.Resampling.BICUBIC), dtype=np.float64)
        return np.maximum(heat, 0.0)

    return explain


def make_keras_scoring(bundle: Bundle, *, on_batch: bool) -> ScorePictures:
    """Make a function that scores by Keras itself, as one who knows no other way would.

    Args:
        bundle: whose network.
        on_batch: by ``predict_on_batch``, Keras's leanest call; else by ``predict``, as the first
            project and lime's own examples do.
    """
    return _score_by_keras(load_network(bundle), bundle.card.temperature, on_batch=on_batch)


def make_shuffled_scoring(bundle: Bundle, seed: int) -> ScorePictures:
    """Make a function that scores by the network with the values of every tensor shuffled.

    Each layer keeps its distribution of weights and loses all that it learned (Adebayo et al.
    2018): an explanation that stays the same never depended on the model. The moving statistics
    of the normalisations are left alone, or nothing would come through.
    """
    network = load_network(bundle)
    generator = np.random.default_rng(seed)
    for variable in network.trainable_variables:
        values = np.asarray(variable.numpy())
        variable.assign(generator.permutation(values.ravel()).reshape(values.shape))
    return _score_by_keras(network, bundle.card.temperature, on_batch=True)


def _score_by_keras(network: keras.Model, temperature: float, *, on_batch: bool) -> ScorePictures:
    def predict(levels: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        answer: dict[str, npt.NDArray[np.float32]] = (
            network.predict_on_batch(levels)
            if on_batch
            else network.predict(levels, batch_size=BATCH, verbose=0)
        )
        return answer

    def score(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        levels = np.asarray(pictures, dtype=np.float32)[..., np.newaxis]
        parts = [
            predict(levels[start : start + BATCH])["logit"]
            for start in range(0, len(levels), BATCH)
        ]
        logits = np.concatenate(parts)[:, 0].astype(np.float64)
        return np.asarray(expit(logits / temperature), dtype=np.float64)

    return score
