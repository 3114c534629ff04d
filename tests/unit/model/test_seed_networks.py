from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

from model.errors import ConfigurationError
from model.seed_networks import (
    L2_FACTOR,
    build_cnn_with_dropout,
    build_cnn_with_l2,
    build_deep_dense,
    build_dense,
    build_resnet50,
    build_single_headed,
)

SIZE = 32


def _kinds(network: keras.Model) -> set[str]:
    return {type(layer).__name__ for layer in network.layers}


@pytest.mark.parametrize(
    "build",
    [
        build_dense,
        build_deep_dense,
        build_cnn_with_dropout,
        build_cnn_with_l2,
        lambda size: build_single_headed(size, 0.2),
    ],
)
def test_a_network_makes_one_logit_of_each_gray_picture(
    build: Callable[[int], keras.Model],
) -> None:
    network = build(SIZE)

    outputs = network(np.full((2, SIZE, SIZE, 1), 255.0, dtype=np.float32))

    assert outputs.keys() == {"logit"}
    assert outputs["logit"].shape == (2, 1)


def test_networks_can_be_built_again_and_again() -> None:
    # Keras numbers the layers that have no name; such a number may be another layer's name.
    for _ in range(4):
        build_cnn_with_dropout(SIZE)
        build_deep_dense(SIZE)


def test_the_first_network_has_one_layer_of_64_and_no_convolution() -> None:
    network = build_dense(SIZE)

    assert network.count_params() == SIZE * SIZE * 64 + 64 + 64 + 1
    assert "Conv2D" not in _kinds(network)


def test_dropout_and_l2_are_each_in_the_networks_named_for_them() -> None:
    dropout, l2 = build_cnn_with_dropout(SIZE), build_cnn_with_l2(SIZE)

    assert "Dropout" in _kinds(dropout)
    assert "Dropout" not in _kinds(l2)
    assert dropout.losses == []
    kernels = [layer.kernel for layer in l2.layers if layer.losses]
    penalty = sum(float(np.square(kernel).sum()) for kernel in kernels) * L2_FACTOR
    assert len(kernels) == 4
    assert sum(float(loss) for loss in l2.losses) == pytest.approx(penalty, rel=1e-4)


@pytest.mark.slow
def test_resnet50_starts_from_a_file_of_weights_without_the_top(tmp_path: Path) -> None:
    keras.utils.set_random_seed(1)
    source = keras.applications.ResNet50(include_top=False, weights=None, input_shape=(32, 32, 3))
    file = tmp_path / "notop.h5"  # the format of the published file
    source.save(file)

    network = build_resnet50(SIZE, file)

    kernel = network.get_layer("conv1_conv").get_weights()[0]
    assert np.array_equal(kernel, source.get_layer("conv1_conv").get_weights()[0])
    assert network.get_layer("conv1_bn").momentum == 0.98


@pytest.mark.slow
def test_weights_of_resnet50_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "notop.h5"
    file.write_bytes(b"no weights")

    with pytest.raises(ConfigurationError, match="--resnet-weights") as caught:
        build_resnet50(SIZE, file)

    assert str(file) in str(caught.value)
