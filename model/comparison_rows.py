"""The rows of the comparison: which network, what it sees, how its pictures are drawn."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import keras

from model.architectures import build_two_headed, load_imagenet_weights
from model.errors import ConfigurationError
from model.seed_networks import (
    ResnetWeights,
    build_cnn_with_dropout,
    build_cnn_with_l2,
    build_deep_dense,
    build_dense,
    build_resnet50,
    build_single_headed,
)

Kind = Literal["dense", "deep_dense", "cnn_dropout", "cnn_l2", "resnet50", "lite0", "two_headed"]
Sees = Literal["head", "whole_picture"]
Drawing = Literal["balanced", "as_they_lie"]

SEED_SIZE: Final = 128
FULL_SIZE: Final = 192
"""Pixels of the first project's own networks, and of those with a known backbone."""

HEAD_DROPOUT: Final = 0.25
"""Of both networks with EfficientNet-Lite0, as in `model.training.TrainingPlan`."""


@dataclass(frozen=True)
class ComparedRow:
    """One row of the comparison.

    Attributes:
        name: of the row, for files and for ``--row``.
        title: for the table.
        kind: which network.
        size: pixels of its square input.
        sees: the head alone as a night prepares it, or the whole picture as the first project did.
        drawing: of the training pictures: see `model.training_samples.drawing_weights`, or each
            picture as often as any other.
    """

    name: str
    title: str
    kind: Kind
    size: int
    sees: Sees = "head"
    drawing: Drawing = "balanced"


ROWS: Final = (
    ComparedRow(
        "dense_64_as_they_lie",
        "one dense layer of 64, classes as they lie",
        "dense",
        SEED_SIZE,
        drawing="as_they_lie",
    ),
    ComparedRow("dense_64", "one dense layer of 64", "dense", SEED_SIZE),
    ComparedRow("dense_deep_dropout", "deeper dense network with dropout", "deep_dense", SEED_SIZE),
    ComparedRow("cnn_dropout", "CNN with dropout", "cnn_dropout", SEED_SIZE),
    ComparedRow(
        "cnn_dropout_whole_picture",
        "CNN with dropout, whole picture",
        "cnn_dropout",
        SEED_SIZE,
        sees="whole_picture",
    ),
    ComparedRow("cnn_l2", "CNN with L2", "cnn_l2", SEED_SIZE),
    ComparedRow("resnet50", "ResNet-50 with its head", "resnet50", FULL_SIZE),
    ComparedRow("efficientnet_lite0", "EfficientNet-Lite0, one head", "lite0", FULL_SIZE),
    ComparedRow("two_headed", "EfficientNet-Lite0, two heads", "two_headed", FULL_SIZE),
)
"""In the order of the story: what fails first, what ships last."""


@dataclass(frozen=True)
class Pretrained:
    """Where first weights come from.

    Attributes:
        lite0: file of ImageNet weights for EfficientNet-Lite0.
        resnet: of ResNet-50; a hospital without a network has none.
    """

    lite0: Path
    resnet: ResnetWeights


def choose_rows(names: list[str]) -> list[ComparedRow]:
    """Return the rows of these names in the order of `ROWS`; all of them for no name.

    Raises:
        ConfigurationError: if a name is unknown.
    """
    known = [row.name for row in ROWS]
    if unknown := [name for name in names if name not in known]:
        message = f"no row is called {unknown[0]!r}: choose from {', '.join(known)}"
        raise ConfigurationError(message)
    return [row for row in ROWS if row.name in names or not names]


def find_row(name: str) -> ComparedRow:
    """Return the row of this name.

    Raises:
        ConfigurationError: if there is none.
    """
    return choose_rows([name])[0]


def is_pretrained(row: ComparedRow, pretrained: Pretrained) -> bool:
    """Tell whether the row's network starts from weights that were learned on other pictures."""
    if row.kind == "resnet50":
        return pretrained.resnet != "none"
    return row.kind in {"lite0", "two_headed"}


def name_first_weights(row: ComparedRow, pretrained: Pretrained) -> str:
    """Name a row's first weights so that others have another name: a file by its SHA-256.

    Raises:
        ConfigurationError: if the file cannot be read.
    """
    if row.kind not in {"lite0", "two_headed", "resnet50"}:
        return "none"
    weights = pretrained.resnet if row.kind == "resnet50" else pretrained.lite0
    if not isinstance(weights, Path):
        return weights
    try:
        return hashlib.sha256(weights.read_bytes()).hexdigest()
    except OSError as error:
        message = f"the weights {weights} cannot be read ({error.strerror}): name a file of them"
        raise ConfigurationError(message) from error


def build_network(row: ComparedRow, pretrained: Pretrained, seed: int) -> keras.Model:
    """Build a row's network with its first weights.

    Raises:
        ConfigurationError: if a file of weights is missing or of another network.
    """
    keras.utils.set_random_seed(seed)
    if row.kind == "resnet50":
        return build_resnet50(row.size, pretrained.resnet)
    if row.kind == "lite0":
        return _filled(build_single_headed(row.size, HEAD_DROPOUT), pretrained.lite0)
    if row.kind == "two_headed":
        return _filled(build_two_headed(row.size, HEAD_DROPOUT), pretrained.lite0)
    return _SEED_BUILDERS[row.kind](row.size)


_SEED_BUILDERS: Final[Mapping[str, Callable[[int], keras.Model]]] = {
    "dense": build_dense,
    "deep_dense": build_deep_dense,
    "cnn_dropout": build_cnn_with_dropout,
    "cnn_l2": build_cnn_with_l2,
}


def _filled(network: keras.Model, file: Path) -> keras.Model:
    try:
        load_imagenet_weights(network, file)
    except (OSError, ValueError) as error:
        message = f"{file} cannot be used as weights of EfficientNet-Lite0: {error}"
        raise ConfigurationError(message) from error
    return network
