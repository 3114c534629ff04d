"""The networks that the first project tried, and a single-headed one: gray levels in, logit out.

All take gray levels (n, size, size, 1) in 0..255 and return a dictionary with `logit` (n, 1), as
`build_two_headed` does, so that one training and one scoring serve them all. Widths and rates of
the dense and convolutional networks are ours where the first project names none.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import keras
from keras import layers, regularizers

from model.architectures import build_backbone
from model.errors import ConfigurationError

MIDDLE_NODES: Final = 64
"""Nodes of the first project's one middle layer."""

DEEP_NODES: Final = (256, 128, 64)
DENSE_DROPOUT: Final = 0.3

CONVOLUTION_CHANNELS: Final = (32, 64, 128)
CONVOLUTION_DROPOUT: Final = 0.25
HEAD_DROPOUT: Final = 0.5
L2_FACTOR: Final = 1e-3

IMAGENET_BGR_MEANS: Final = (103.939, 116.779, 123.68)
"""What ResNet-50's ImageNet weights expect to be taken off blue, green and red (He et al. 2015)."""

NORM_MOMENTUM: Final = 0.98
"""Of the moving statistics, as in `model.architectures`: a fixed budget has few steps."""

ResnetWeights = Path | Literal["imagenet", "none"]
"""A file of weights without the top, as keras.applications reads it; its own download; or none."""


def build_dense(size: int) -> keras.Model:
    """Build one dense layer of 64 between picture and logit."""
    levels = _input(size)
    x = layers.Flatten(name="pixels")(_unit_range(levels))
    x = layers.Dense(MIDDLE_NODES, activation="relu", name="middle")(x)
    return _with_logit(levels, x, "dense_64")


def build_deep_dense(size: int) -> keras.Model:
    """Build three dense layers, each followed by dropout."""
    levels = _input(size)
    x = layers.Flatten(name="pixels")(_unit_range(levels))
    for number, nodes in enumerate(DEEP_NODES, start=1):
        x = layers.Dense(nodes, activation="relu", name=f"dense_{number}")(x)
        x = layers.Dropout(DENSE_DROPOUT, name=f"dense_dropout_{number}")(x)
    return _with_logit(levels, x, "dense_deep_dropout")


def build_cnn_with_dropout(size: int) -> keras.Model:
    """Build three convolutions with pooling and dropout, then a dense layer of 64."""
    levels = _input(size)
    x = _unit_range(levels)
    for number, channels in enumerate(CONVOLUTION_CHANNELS, start=1):
        x = layers.Conv2D(channels, 3, padding="same", activation="relu", name=f"conv_{number}")(x)
        x = layers.MaxPooling2D(name=f"pool_{number}")(x)
        x = layers.Dropout(CONVOLUTION_DROPOUT, name=f"conv_dropout_{number}")(x)
    x = layers.Dense(MIDDLE_NODES, activation="relu", name="middle")(layers.Flatten(name="flat")(x))
    x = layers.Dropout(HEAD_DROPOUT, name="head_dropout")(x)
    return _with_logit(levels, x, "cnn_dropout")


def build_cnn_with_l2(size: int) -> keras.Model:
    """Build the same convolutions without dropout, all kernels held small by an L2 penalty."""
    levels = _input(size)
    x = _unit_range(levels)
    for number, channels in enumerate(CONVOLUTION_CHANNELS, start=1):
        x = layers.Conv2D(
            channels,
            3,
            padding="same",
            activation="relu",
            kernel_regularizer=regularizers.L2(L2_FACTOR),
            name=f"conv_{number}",
        )(x)
        x = layers.MaxPooling2D(name=f"pool_{number}")(x)
    x = layers.Dense(
        MIDDLE_NODES,
        activation="relu",
        kernel_regularizer=regularizers.L2(L2_FACTOR),
        name="middle",
    )(layers.Flatten(name="flat")(x))
    return _with_logit(levels, x, "cnn_l2")


def build_resnet50(size: int, weights: ResnetWeights) -> keras.Model:
    """Build ResNet-50 with the first project's head: a dense layer of 64 and dropout.

    Args:
        size: pixels of the square input, at least 32.
        weights: see `ResnetWeights`.

    Raises:
        ConfigurationError: if the weights cannot be had or are of another network.
    """
    levels = _input(size)
    rgb = layers.Concatenate(name="gray_to_rgb")([levels, levels, levels])
    centred = layers.Rescaling(
        1.0,
        offset=[-mean for mean in IMAGENET_BGR_MEANS],
        name="to_imagenet_range",
    )(rgb)
    backbone = _resnet50_backbone(centred, weights)
    for layer in backbone.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.momentum = NORM_MOMENTUM
    x = layers.GlobalAveragePooling2D(name="features")(backbone.output)
    x = layers.Dense(MIDDLE_NODES, activation="relu", name="middle")(x)
    x = layers.Dropout(HEAD_DROPOUT, name="head_dropout")(x)
    return _with_logit(levels, x, "resnet50")


def build_single_headed(size: int, dropout: float) -> keras.Model:
    """Build the backbone of the network that ships with a probability as its only head.

    Args:
        size: pixels of the square input, a multiple of 32.
        dropout: share of the features dropped in training before the logit.
    """
    backbone = build_backbone(size)
    x = layers.GlobalAveragePooling2D(name="features")(backbone.outputs[-1])
    x = layers.Dropout(dropout, name="head_dropout")(x)
    return _with_logit(backbone.input, x, "efficientnet_lite0")


def _resnet50_backbone(pixels: keras.KerasTensor, weights: ResnetWeights) -> keras.Model:
    try:
        return keras.applications.ResNet50(
            include_top=False,
            weights=None if weights == "none" else str(weights),
            input_tensor=pixels,
            name="resnet50_backbone",
        )
    except Exception as error:  # Keras raises a bare Exception where a download fails
        message = (
            f"ResNet-50 cannot be had with --resnet-weights {weights} ({error}): give a file of "
            "its weights without the top as keras.applications has them, or none"
        )
        raise ConfigurationError(message) from error


def _input(size: int) -> keras.KerasTensor:
    return keras.Input((size, size, 1), name="levels", dtype="float32")


def _unit_range(levels: keras.KerasTensor) -> keras.KerasTensor:
    return layers.Rescaling(1 / 255.0, name="to_unit_range")(levels)


def _with_logit(levels: keras.KerasTensor, x: keras.KerasTensor, name: str) -> keras.Model:
    logit = layers.Dense(1, name="logit", dtype="float32")(x)
    return keras.Model(levels, {"logit": logit}, name=name)
