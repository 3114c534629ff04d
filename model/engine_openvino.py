"""OpenVINO as an engine. The one module that imports it: it is an extra of the package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from model.engine_choice import Precision
from model.engine_tensorflow import OUTPUT_NAMES, Outputs, RunNetwork
from model.errors import ConfigurationError

if TYPE_CHECKING:
    from types import ModuleType

PRECISION_HINTS: Final[dict[Precision, str]] = {"fp32": "f32", "bf16": "bf16"}


def convert_graph(graph_file: Path, xml_file: Path) -> None:
    """Convert a frozen TensorFlow graph into OpenVINO's own files, all digits kept.

    Args:
        graph_file: as `engine_tensorflow.freeze_bundle` makes it.
        xml_file: to write; the weights go beside it, as ``.bin``.

    Raises:
        ConfigurationError: if OpenVINO is not installed.
    """
    openvino = import_openvino()
    openvino.save_model(openvino.convert_model(graph_file), xml_file, compress_to_fp16=False)


def make_runner(xml_file: Path, precision: Precision, threads: int) -> RunNetwork:
    """Make the function that runs a converted network.

    Args:
        xml_file: of `convert_graph`.
        precision: that layers compute in.
        threads: of the network.

    Raises:
        ConfigurationError: if OpenVINO is not installed, or the processor lacks bf16.
    """
    openvino = import_openvino()
    core = openvino.Core()
    require_precision(core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"), precision)
    compiled = core.compile_model(
        xml_file,
        "CPU",
        {
            "INFERENCE_PRECISION_HINT": PRECISION_HINTS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
            # It would pin every worker of a machine to the same core, the first.
            "ENABLE_CPU_PINNING": False,
        },
    )
    request = compiled.create_infer_request()
    places = {name: compiled.output(f"{name}:0") for name in OUTPUT_NAMES}

    def run(pictures: npt.NDArray[np.uint8]) -> Outputs:
        request.infer([pictures[..., None].astype(np.float32)])
        # Copies: the next call writes into the same memory.
        return {name: request.get_tensor(place).data.copy() for name, place in places.items()}

    return run


def import_openvino() -> ModuleType:
    """Return the package.

    Raises:
        ConfigurationError: if it is not installed.
    """
    try:
        import openvino  # noqa: PLC0415 - an extra, and slow
    except ImportError:
        message = (
            "inference.engine is openvino, and OpenVINO is not installed here: expected the "
            "package; pip install 'mri-triage[openvino]' on the driver and every worker, or set "
            "inference.engine to tensorflow"
        )
        raise ConfigurationError(message) from None
    module: ModuleType = openvino
    return module


def require_precision(capabilities: list[str], precision: Precision) -> None:
    """Refuse bf16 where it would be emulated, which is slower and decides otherwise.

    Raises:
        ConfigurationError: if the processor does not have it.
    """
    if precision == "bf16" and "BF16" not in capabilities:
        message = (
            "inference.precision is bf16, and this processor computes in "
            f"{', '.join(sorted(capabilities))}: expected BF16 (AVX-512 BF16 or AMX); set "
            "inference.precision to fp32"
        )
        raise ConfigurationError(message)
