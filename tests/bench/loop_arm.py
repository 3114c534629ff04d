"""One process of the arms that are a plain loop: the bare loop, the bare engine, ResNet-50."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydicom import dcmread

from tests.bench.image_work import ImageWork, Work
from tests.bench.serving import serve

RESNET_SIDE = 224


def make_loop(work: Work, keys: list[str]) -> Callable[[], dict[str, Any]]:
    """(a) The same functions as the Spark job's worker calls, one after the other."""
    loop = ImageWork(work)
    loop.run(keys[: 2 * work.batch_size])

    def run_round() -> dict[str, Any]:
        return {"images": len(loop.run(keys))}

    return run_round


def make_engine(work: Work, keys: list[str]) -> Callable[[], dict[str, Any]]:
    """(e) Nothing but the network, on pictures that are ready in memory."""
    loop = ImageWork(work)
    prepared = [one for key in keys[: work.batch_size] for one in loop.prepare(key)]
    inputs = np.stack([one.network_input for one in prepared])
    features = np.stack([one.picture_features for one in prepared])
    loop.scorer.score(inputs, features)

    def run_round() -> dict[str, Any]:
        batches = max(1, len(keys) // len(inputs))
        for _ in range(batches):
            loop.scorer.score(inputs, features)
        return {"images": batches * len(inputs)}

    return run_round


def make_resnet(work: Work, keys: list[str]) -> Callable[[], dict[str, Any]]:
    """(d) The first project's way: decode in Python, Keras `predict` of ResNet-50 by 32."""
    import keras  # noqa: PLC0415 - the other arms do without

    network = keras.applications.ResNet50(weights=None, classes=1, classifier_activation="sigmoid")
    lake = Path(work.lake)

    def run_round() -> dict[str, Any]:
        for start in range(0, len(keys), 32):
            pictures = np.stack([_open(lake / key) for key in keys[start : start + 32]])
            network.predict(pictures, batch_size=32, verbose=0)
        return {"images": len(keys)}

    return run_round


def _open(path: Path) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Return (224, 224, 3) of a file, as tutorials do it."""
    if path.suffix == ".dcm":
        values = dcmread(path).pixel_array.astype(np.float32)
        image = Image.fromarray((values / values.max() * 255).astype(np.uint8))
    else:
        image = Image.open(io.BytesIO(path.read_bytes()))
    small = image.convert("RGB").resize((RESNET_SIDE, RESNET_SIDE))
    return np.asarray(small, dtype=np.float32)


MAKERS = {"loop": make_loop, "engine": make_engine, "resnet": make_resnet}


def main() -> None:
    """Arguments: kind, work, file of keys, number of this process, number of processes."""
    kind, work, keys_file, number, processes = sys.argv[1:]
    keys = Path(keys_file).read_text("utf-8").split()[int(number) :: int(processes)]
    serve(MAKERS[kind](Work.of_json(work), keys), {"pid": os.getpid()})


if __name__ == "__main__":
    main()
