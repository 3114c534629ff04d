"""The networks. The one that ships: an EfficientNet-Lite0 backbone with two heads.

One head gives the logit of "this slice shows a tumour", the other a coarse map of where. The
logit is made from the map as well as from the backbone, so that the network must look at the
lesion to call it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import keras
import numpy as np
import numpy.typing as npt
from keras import layers

BLOCKS: Final = (
    # expand ratio, channels, repeats, stride, kernel: EfficientNet-Lite0, Tan 2020
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM_CHANNELS: Final = 32
BATCH_NORM_EPSILON: Final = 1e-3
DECODER_CHANNELS: Final = (96, 64, 48)
"""Channels of the decoder at strides 16, 8 and 4."""

Weights = npt.NDArray[np.float32]

MakeNorm = Callable[..., keras.Layer]
"""Makes a batch normalisation from ``epsilon``, ``momentum`` and ``name``."""

FEATURES: Final = 320
"""Channels of the backbone's last block; their mean is what the scope gate sees."""


def build_backbone(size: int | None, norm: MakeNorm = layers.BatchNormalization) -> keras.Model:
    """Build EfficientNet-Lite0 up to its last block, without weights.

    Args:
        size: pixels of the square input, a multiple of 32; None for any.
        norm: makes the batch normalisations.

    Returns:
        A model from gray levels (n, size, size, 1) in 0..255 to the activations at strides
        4 (24 channels), 8 (40), 16 (112) and 32 (320).
    """
    levels = keras.Input((size, size, 1), name="levels", dtype="float32")
    x = layers.Rescaling(1 / 128.0, offset=-127.0 / 128.0, name="to_imagenet_range")(levels)
    x = layers.Concatenate(name="gray_to_rgb")([x, x, x])
    x = _conv_norm(x, "_conv_stem", "_bn0", STEM_CHANNELS, kernel=3, strides=2, norm=norm)
    number, reached = 0, 2
    at_stride: dict[int, keras.KerasTensor] = {}
    for expand, channels, repeats, stride, kernel in BLOCKS:
        for repeat in range(repeats):
            strides = stride if repeat == 0 else 1
            x = _block(x, f"_blocks.{number}.", expand, channels, kernel, strides, norm)
            number += 1
        reached *= stride
        at_stride[reached] = x
    return keras.Model(levels, [at_stride[s] for s in (4, 8, 16, 32)], name="efficientnet_lite0")


def build_two_headed(
    size: int | None,
    dropout: float,
    norm: MakeNorm = layers.BatchNormalization,
) -> keras.Model:
    """Build the network that ships, without pretrained weights.

    Args:
        size: pixels of the square input, a multiple of 32; None for any.
        dropout: share of the features dropped in training before the logit.
        norm: makes the batch normalisations; training passes a faster one with the same weights.

    Returns:
        A model from gray levels (n, size, size, 1) in 0..255 to a dictionary: `logit` (n, 1),
        `map_logits` (n, size / 4, size / 4, 1) and `features` (n, 320).
    """
    backbone = build_backbone(size, norm)
    stride4, stride8, stride16, stride32 = backbone.outputs
    x = stride32
    skips = {16: stride16, 8: stride8, 4: stride4}
    for channels, (stride, skip) in zip(DECODER_CHANNELS, skips.items(), strict=True):
        x = _decoder_step(x, skip, channels, stride, norm)
    map_logits = layers.Conv2D(1, 1, name="map_logits", dtype="float32")(x)
    features = layers.GlobalAveragePooling2D(name="features", dtype="float32")(stride32)
    strongest = layers.GlobalMaxPooling2D(name="strongest_map_logit")(map_logits)
    spread = layers.GlobalAveragePooling2D(name="map_share")(
        layers.Activation("sigmoid", name="map_probability", dtype="float32")(map_logits),
    )
    seen = layers.GlobalMaxPooling2D(name="decoder_features", dtype="float32")(x)
    joined = layers.Concatenate(name="evidence")([features, seen, strongest, spread])
    logit = layers.Dense(1, name="logit", dtype="float32")(layers.Dropout(dropout)(joined))
    outputs = {"logit": logit, "map_logits": map_logits, "features": features}
    return keras.Model(backbone.input, outputs, name="two_headed_lite0")


def load_imagenet_weights(network: keras.Model, file: Path) -> int:
    """Put the ImageNet weights of `file` into the layers of the same names.

    Args:
        network: a model that holds the layers of `build_backbone`.
        file: an .npz as described in the README beside it, kernels in TensorFlow order.

    Returns:
        The number of layers that were filled.

    Raises:
        ValueError: if a layer of the backbone has no weights in the file, or of another shape.
    """
    with np.load(file) as arrays:
        stored = {name: arrays[name] for name in arrays.files}
    backbone = [layer for layer in network.layers if layer.name.startswith("_") and layer.weights]
    for layer in backbone:
        layer.set_weights(_stored_weights(layer, stored))
    return len(backbone)


def copy_weights(source: keras.Model, network: keras.Model) -> None:
    """Put the weights of `source` into the layers of the same names; it may have more layers.

    Raises:
        ValueError: if a layer is not in `source`, or is of another shape.
    """
    for layer in network.layers:
        if layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def _stored_weights(layer: keras.Layer, stored: dict[str, Weights]) -> list[Weights]:
    is_norm = isinstance(layer, layers.BatchNormalization)
    parts = ("weight", "bias", "running_mean", "running_var") if is_norm else ("weight",)
    names = [f"{layer.name}.{part}" for part in parts]
    if missing := [name for name in names if name not in stored]:
        message = f"the file of weights lacks {', '.join(missing)}: it is of another network"
        raise ValueError(message)
    return [stored[name] for name in names]


def _block(  # noqa: PLR0913 - the properties of a block, as the paper lists them
    x: keras.KerasTensor,
    prefix: str,
    expand: int,
    channels: int,
    kernel: int,
    strides: int,
    norm: MakeNorm,
) -> keras.KerasTensor:
    """Inverted residual block without squeeze-and-excitation."""
    before = x
    if expand != 1:
        wide = x.shape[-1] * expand
        x = _conv_norm(x, f"{prefix}_expand_conv", f"{prefix}_bn0", wide, kernel=1, norm=norm)
    x = layers.DepthwiseConv2D(
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        name=f"{prefix}_depthwise_conv",
    )(x)
    x = _norm(x, f"{prefix}_bn1", norm)
    x = layers.ReLU(max_value=6, name=f"{prefix}_relu")(x)
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"{prefix}_project_conv")(x)
    x = _norm(x, f"{prefix}_bn2", norm)
    if strides == 1 and before.shape[-1] == channels:
        x = layers.Add(name=f"{prefix}_add")([x, before])
    return x


def _conv_norm(  # noqa: PLR0913 - the properties of a convolution
    x: keras.KerasTensor,
    conv_name: str,
    norm_name: str,
    channels: int,
    *,
    kernel: int,
    norm: MakeNorm,
    strides: int = 1,
) -> keras.KerasTensor:
    x = layers.Conv2D(
        channels,
        kernel,
        strides=strides,
        padding="same",
        use_bias=False,
        name=conv_name,
    )(x)
    x = _norm(x, norm_name, norm)
    return layers.ReLU(max_value=6, name=f"{conv_name}_relu")(x)


def _norm(x: keras.KerasTensor, name: str, norm: MakeNorm) -> keras.KerasTensor:
    # 0.99 as in the original would need thousands of steps to follow; fine-tuning has few.
    return norm(epsilon=BATCH_NORM_EPSILON, momentum=0.98, name=name)(x)


def _decoder_step(
    x: keras.KerasTensor,
    skip: keras.KerasTensor,
    channels: int,
    stride: int,
    norm: MakeNorm,
) -> keras.KerasTensor:
    """Double the resolution, join the skip, mix by a separable convolution."""
    x = layers.Conv2D(channels, 1, use_bias=False, name=f"reduce_{stride}")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear", name=f"up_to_{stride}")(x)
    side = layers.Conv2D(channels, 1, use_bias=False, name=f"skip_{stride}")(skip)
    x = layers.Add(name=f"join_{stride}")([x, side])
    x = layers.ReLU(max_value=6, name=f"join_relu_{stride}")(_norm(x, f"join_norm_{stride}", norm))
    x = layers.SeparableConv2D(
        channels,
        5,
        padding="same",
        use_bias=False,
        name=f"decode_{stride}",
    )(x)
    x = _norm(x, f"decode_norm_{stride}", norm)
    return layers.ReLU(max_value=6, name=f"decode_relu_{stride}")(x)
