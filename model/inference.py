"""Scores from prepared pictures: the bundle's network in an engine, in batches of one size."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from model.bundle import Bundle
from model.derived_network import DerivedNetwork, load_runner
from model.engine_tensorflow import Outputs, RunNetwork, freeze_bundle, make_runner
from model.scope_gate import scope_scores


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
        run: RunNetwork,
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


def load_scorer(
    bundle: Bundle,
    *,
    batch_size: int = 32,
    threads: int = 1,
    derived: DerivedNetwork | None = None,
) -> Scorer:
    """Load a bundle's network into an engine.

    Args:
        bundle: verified by `open_bundle`.
        batch_size: pictures a call.
        threads: of the engine; TensorFlow can set them only once in a process.
        derived: what was made of this bundle for an engine and this batch size; None makes a
            graph of TensorFlow now, which takes some seconds.

    Raises:
        BundleError: if the network cannot be loaded.
        ConfigurationError: if the engine is not installed, or the processor lacks its precision.
    """
    if derived is None:
        return Scorer(bundle, make_runner(freeze_bundle(bundle, batch_size), threads), batch_size)
    return Scorer(bundle, load_runner(derived, threads), batch_size)
