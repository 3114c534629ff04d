"""TensorFlow as an engine: the network as one graph of constants, for batches of one size."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle, load_network

if TYPE_CHECKING:
    import keras

Outputs = dict[str, npt.NDArray[np.float32]]
"""``logit`` (n, 1), ``scope_embedding`` (n, d) and ``tumor_map`` (n, m, m, 1)."""

RunNetwork = Callable[[npt.NDArray[np.uint8]], Outputs]
"""Runs the network on exactly as many (size, size) pictures as it was made for."""

OUTPUT_NAMES: Final = ("logit", "scope_embedding", "tumor_map")
INPUT_NAME: Final = "levels"


def freeze_bundle(bundle: Bundle, batch_size: int) -> bytes:
    """Load a bundle's network, fold it, and return it as a serialised graph of constants.

    Raises:
        BundleError: if the network cannot be loaded.
    """
    # The network's modules load Keras, which takes seconds; so does the next line.
    from model.folding import fold_norms  # noqa: PLC0415

    lighter = fold_norms(load_network(bundle))
    return _freeze(lighter, batch_size, bundle.card.preprocessing.size)


def make_runner(graph: bytes, threads: int) -> RunNetwork:
    """Make the function that runs a frozen graph.

    Args:
        graph: of `freeze_bundle`.
        threads: of TensorFlow; only the first call in a process can set them.
    """
    import tensorflow as tf  # noqa: PLC0415 - only a scoring process may start TensorFlow

    _limit_threads(tf, threads)
    definition = tf.compat.v1.GraphDef.FromString(graph)
    imported = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(definition, name=""), []
    )
    frozen = imported.prune(f"{INPUT_NAME}:0", [f"{name}:0" for name in OUTPUT_NAMES])
    # Called by itself, a pruned function writes its arguments into an error message every time.
    traced = tf.function(lambda levels: frozen(levels))  # noqa: PLW0108 - as said
    call = traced.get_concrete_function(tf.TensorSpec(frozen.inputs[0].shape, tf.float32))

    def run(pictures: npt.NDArray[np.uint8]) -> Outputs:
        values = call(tf.constant(pictures[..., None], dtype=tf.float32))
        return {name: value.numpy() for name, value in zip(OUTPUT_NAMES, values, strict=True)}

    return run


def _limit_threads(tf: Any, threads: int) -> None:  # noqa: ANN401 - the tensorflow module
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        pass  # TensorFlow has started already; it keeps the threads that it has


def _freeze(network: keras.Model, batch_size: int, size: int) -> bytes:
    """Turn variables into constants, which oneDNN lays out once for all batches."""
    import tensorflow as tf  # noqa: PLC0415 - as above
    from tensorflow.python.framework.convert_to_constants import (  # noqa: PLC0415
        convert_variables_to_constants_v2,
    )

    def run(levels: Any) -> list[Any]:  # noqa: ANN401 - tensors
        outputs = network(levels, training=False)
        return [tf.identity(outputs[name], name=name) for name in OUTPUT_NAMES]

    spec = tf.TensorSpec((batch_size, size, size, 1), tf.float32, name=INPUT_NAME)
    traced = tf.function(run).get_concrete_function(spec)
    graph = convert_variables_to_constants_v2(traced).graph
    serialised: bytes = graph.as_graph_def().SerializeToString()
    return serialised
