"""Scores from prepared pictures: the bundle's network, frozen into one graph of fixed batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from model.bundle import Bundle, load_network
from model.scope_gate import scope_scores

if TYPE_CHECKING:
    import keras

Outputs = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class RawScores:
    """What the network and the scope gate say of n pictures.

    Attributes:
        probabilities: (n,) tumour probability 0..1, calibrated.
        scope_scores: (n,) 0 surely not brain MR, to 1.
        tumor_maps: (n, cells, cells) probability 0..1 of tumour in each cell.
    """

    probabilities: npt.NDArray[np.float64]
    scope_scores: npt.NDArray[np.float64]
    tumor_maps: npt.NDArray[np.float32]


class Scorer:
    """Scores pictures in batches of one size."""

    def __init__(
        self,
        bundle: Bundle,
        run: Callable[[npt.NDArray[np.uint8]], Outputs],
        batch_size: int,
    ) -> None:
        """Wrap a function that runs the network on exactly `batch_size` pictures."""
        self.bundle = bundle
        self.batch_size = batch_size
        self._run = run

    def score(
        self,
        inputs: npt.NDArray[np.uint8],
        picture_features: npt.NDArray[np.float32],
    ) -> RawScores:
        """Score n pictures.

        Args:
            inputs: (n, size, size) as `prepare_image` makes them; n may be 0.
            picture_features: (n, k) as `prepare_image` makes them.

        Returns:
            Scores in the same order. A batch is filled up with black pictures, whose scores are
            thrown away, so that the graph has one shape and one picture scores as many do.
        """
        outputs = self._run_all(inputs)
        card = self.bundle.card
        logits = outputs["logit"].reshape(-1).astype(np.float64) / card.temperature
        return RawScores(
            probabilities=np.asarray(expit(logits), dtype=np.float64),
            scope_scores=scope_scores(outputs["scope_embedding"], picture_features, card.scope),
            tumor_maps=outputs["tumor_map"].reshape((-1, *outputs["tumor_map"].shape[1:3])),
        )

    def probabilities(self, inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        """Return only the tumour probabilities, (n,), of (n, size, size) pictures."""
        logits = self._run_all(inputs)["logit"].reshape(-1).astype(np.float64)
        return np.asarray(expit(logits / self.bundle.card.temperature), dtype=np.float64)

    def _run_all(self, inputs: npt.NDArray[np.uint8]) -> Outputs:
        parts = []
        for start in range(0, max(1, len(inputs)), self.batch_size):
            chunk = inputs[start : start + self.batch_size]
            padded = np.zeros((self.batch_size, *inputs.shape[1:]), dtype=np.uint8)
            padded[: len(chunk)] = chunk
            outputs = self._run(padded)
            parts.append({name: values[: len(chunk)] for name, values in outputs.items()})
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def load_scorer(bundle: Bundle, *, batch_size: int = 32, threads: int = 1) -> Scorer:
    """Load a bundle's network as one frozen graph.

    Args:
        bundle: verified by `open_bundle`.
        batch_size: pictures a call.
        threads: of TensorFlow; only the first call in a process can set them.

    Raises:
        BundleError: if the network cannot be loaded.
    """
    import tensorflow as tf  # noqa: PLC0415 - only a scoring process may start TensorFlow

    _limit_threads(tf, threads)
    frozen = _freeze(tf, load_network(bundle), batch_size, bundle.card.preprocessing.size)

    def run(pictures: npt.NDArray[np.uint8]) -> Outputs:
        levels = tf.constant(pictures[..., None], dtype=tf.float32)
        return {name: value.numpy() for name, value in frozen(levels).items()}

    return Scorer(bundle, run, batch_size)


def _limit_threads(tf: Any, threads: int) -> None:  # noqa: ANN401 - the tensorflow module
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow has started already; it keeps the threads that it has


def _freeze(
    tf: Any,  # noqa: ANN401 - the tensorflow module
    network: keras.Model,
    batch_size: int,
    size: int,
) -> Callable[[Any], dict[str, Any]]:
    """Turn variables into constants: oneDNN then fuses convolution, norm and ReLU6 (1.4 times)."""
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415
        convert_variables_to_constants_v2,
    )

    names = sorted(network.output)

    def run(levels: Any) -> list[Any]:  # noqa: ANN401 - tensors
        outputs = network(levels, training=False)
        return [outputs[name] for name in names]

    spec = tf.TensorSpec((batch_size, size, size, 1), tf.float32)
    concrete = convert_variables_to_constants_v2(tf.function(run).get_concrete_function(spec))
    return lambda levels: dict(zip(names, concrete(levels), strict=True))
