"""`python -m model.derive_network`: make a bundle's network ready for an engine.

Started by `derived_network.derive_or_find`, because TensorFlow must not start in the driver. What
was made is compared with TensorFlow's own answers before it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import expit

from model.bundle import open_bundle
from model.derived_network import GRAPH_FILE, XML_FILE, write_manifest
from model.engine_choice import EngineChoice, EngineName, Precision
from model.engine_tensorflow import Outputs, RunNetwork, freeze_bundle, make_runner
from model.errors import BundleError, TriageError

LARGEST_DIFFERENCE: Final[dict[Precision, float]] = {"fp32": 1e-3, "bf16": 0.5}
"""Of probabilities and maps. bf16 is held to its calibrated decisions; this finds a defect."""


def derive(folder: Path, digest: str, choice: EngineChoice, batch_size: int, out: Path) -> None:
    """Write a bundle's network as an engine reads it.

    Args:
        folder: of the bundle.
        digest: of the bundle.
        choice: the engine.
        batch_size: images a call.
        out: empty folder.

    Raises:
        BundleError: if the network cannot be loaded, or the engine computes something else.
        ConfigurationError: if the engine is not installed, or the processor lacks its precision.
    """
    bundle = open_bundle(folder, expected_digest=digest)
    graph_file = out / GRAPH_FILE
    graph_file.write_bytes(freeze_bundle(bundle, batch_size))
    notes: dict[str, object] = {"bundle_digest": bundle.digest, "batch_size": batch_size}
    if choice.engine == "openvino":
        notes["largest_difference"] = _convert(
            choice, bundle.card.preprocessing.size, out, batch_size
        )
        graph_file.unlink()
    write_manifest(out, choice, notes)


def _convert(choice: EngineChoice, size: int, out: Path, batch_size: int) -> float:
    from model.engine_openvino import convert_graph  # noqa: PLC0415 - an extra of the package
    from model.engine_openvino import make_runner as make_openvino  # noqa: PLC0415

    convert_graph(out / GRAPH_FILE, out / XML_FILE)
    pictures = draw_pictures(batch_size, size)
    expected = make_runner((out / GRAPH_FILE).read_bytes(), 1)(pictures)
    run: RunNetwork = make_openvino(out / XML_FILE, choice.precision, 1)
    difference = measure_difference(run(pictures), expected)
    refuse_difference(difference, choice)
    return difference


def draw_pictures(count: int, size: int) -> npt.NDArray[np.uint8]:
    """Draw (count, size, size) smooth random pictures, the same each time."""
    random = np.random.default_rng(0)
    noise = random.normal(size=(count, size, size))
    smooth = np.stack(
        [ndimage.gaussian_filter(one, 1 + number % 7) for number, one in enumerate(noise)]
    )
    smooth /= np.abs(smooth).max(axis=(1, 2), keepdims=True)
    return np.asarray(127.5 + 127.5 * smooth, dtype=np.uint8)


def measure_difference(found: Outputs, expected: Outputs) -> float:
    """Return the largest difference of probabilities and maps, 0..1; NaN differs by 1."""
    probabilities = expit(found["logit"]) - expit(expected["logit"])
    maps = found["tumor_map"] - expected["tumor_map"]
    largest = max(float(np.abs(probabilities).max()), float(np.abs(maps).max()))
    return largest if np.isfinite(largest) else 1.0


def refuse_difference(difference: float, choice: EngineChoice) -> None:
    """Refuse an engine that computes something else than TensorFlow.

    Raises:
        BundleError: if it does.
    """
    allowed = LARGEST_DIFFERENCE[choice.precision]
    if difference > allowed:
        message = (
            f"{choice.label} differs from TensorFlow by {difference:.2g} on this machine: expected "
            f"at most {allowed:g}; set inference.engine to tensorflow, and please report it"
        )
        raise BundleError(message)


def main(arguments: Sequence[str]) -> int:
    """Derive; print an error of this project as ``Class: message`` and return 1."""
    folder, digest, engine, precision, batch_size, out = arguments
    choice = EngineChoice(cast("EngineName", engine), cast("Precision", precision))
    try:
        derive(Path(folder), digest, choice, int(batch_size), Path(out))
    except TriageError as error:
        print(f"{type(error).__name__}: {error}")  # noqa: T201 - read by the driver
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
