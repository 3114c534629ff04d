"""Batch normalisations folded into the convolutions before them: the same sums, fewer passes.

oneDNN then fuses convolution, bias and ReLU6 into one pass over memory.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

Weights = npt.NDArray[np.float32]

CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)


def fold_norms(network: keras.Model) -> keras.Model:
    """Return a network that computes the same, within rounding, with fewer steps.

    * A normalisation right behind a convolution becomes part of its kernel and a bias.
    * Three equal channels joined for a convolution become one, and its kernel their sum.

    Args:
        network: functional, as bundles hold it; not changed.
    """
    norms = _norms_by_convolution(network)
    folded = {norm.name for norm in norms.values()}
    joins = _joins_by_convolution(network)
    joined = {join.name for join in joins.values()}

    def clone(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        if layer.name in norms:
            config["use_bias"] = True
        return layer.__class__.from_config(config)

    def call(layer: keras.Layer, inputs: Any, *_: Any, **__: Any) -> Any:  # noqa: ANN401 - tensors
        if layer.name in folded:
            return inputs
        return inputs[0] if layer.name in joined else layer(inputs)

    lighter = keras.models.clone_model(network, clone_function=clone, call_function=call)
    for layer in network.layers:
        if layer.weights and layer.name not in folded:
            weights = layer.get_weights()
            if layer.name in joins:
                weights = [weights[0].sum(axis=2, keepdims=True), *weights[1:]]
            if layer.name in norms:
                weights = _with_norm(layer, weights, norms[layer.name])
            lighter.get_layer(layer.name).set_weights(weights)
    return lighter


def _norms_by_convolution(network: keras.Model) -> dict[str, keras.Layer]:
    """Find the normalisation behind each convolution that has no other use and no bias."""
    readers = _readers(network)
    return {
        layer.name: readers[id(layer.output)][0]
        for layer in network.layers
        if isinstance(layer, CONVOLUTIONS)
        and not layer.use_bias
        and layer.get_config()["activation"] == "linear"
        and len(readers.get(id(layer.output), [])) == 1
        and isinstance(readers[id(layer.output)][0], layers.BatchNormalization)
    }


def _joins_by_convolution(network: keras.Model) -> dict[str, keras.Layer]:
    """Find the convolutions whose input is one gray channel, repeated."""
    readers = _readers(network)
    found = {}
    for layer in network.layers:
        if isinstance(layer, layers.Concatenate) and _is_repeated_gray(layer.input):
            following = readers.get(id(layer.output), [])
            if len(following) == 1 and type(following[0]) is layers.Conv2D:
                found[following[0].name] = layer
    return found


def _is_repeated_gray(inputs: list[keras.KerasTensor]) -> bool:
    return len({id(one) for one in inputs}) == 1 and inputs[0].shape[-1] == 1


def _readers(network: keras.Model) -> dict[int, list[keras.Layer]]:
    """Return the layers that read each tensor, by its `id`; an output of the network has one more.

    Returns:
        The network itself stands for the reader of its outputs.
    """
    readers: dict[int, list[keras.Layer]] = {}
    for layer in network.layers:
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        for tensor in inputs:
            readers.setdefault(id(tensor), []).append(layer)
    for tensor in network.outputs:
        readers.setdefault(id(tensor), []).append(network)
    return readers


def _with_norm(layer: keras.Layer, weights: list[Weights], norm: keras.Layer) -> list[Weights]:
    """Return kernels scaled by the normalisation, and its shift as bias."""
    gain, shift, mean, variance = (value.astype(np.float64) for value in norm.get_weights())
    scale = gain / np.sqrt(variance + norm.epsilon)
    # The depthwise kernel has its output channels third, the others last.
    shape = (1, 1, -1, 1) if type(layer) is layers.DepthwiseConv2D else (1, 1, 1, -1)
    kernel = (weights[-1] * scale.reshape(shape)).astype(np.float32)
    return [*weights[:-1], kernel, (shift - mean * scale).astype(np.float32)]
