"""Run a bench of explanations, image by image, each result kept: what was measured stays measured.

records/<digest>.json   one image of one step; its name says what it depends on
explain-bench.json      the table
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle, open_bundle
from model.errors import OutputError, TrainingDataError
from model.explanation import ScorePictures
from model.explanation_bench import (
    SEEDS,
    BenchImage,
    Tools,
    choose_images,
    measure_image,
    measure_segmentations,
    measure_shuffled,
)
from model.explanation_summary import summarise_bench
from model.inference import load_scorer
from model.measurement import prepare_images
from model.preprocessing import prepare_unmasked
from model.training_data import SPLIT_SEED, LabelledImage, read_index, split_by_group

Record: TypeAlias = dict[str, Any]

OnStep: TypeAlias = Callable[[str, int, int], None]
"""Told which step is at work, how many images are done, and of how many."""

TABLE_NAME: Final = "explain-bench.json"
THREADS: Final = 2
BATCH: Final = 16


@dataclass(frozen=True)
class BenchPlan:
    """How much is measured.

    Attributes:
        images: outlined test images.
        calibration: outlined calibration images, for segmentations and limits.
        shuffled: test images for the check with shuffled weights.
        timed: pictures whose explanation is timed; 0 leaves the costs out.
        perturbations: of an explanation.
    """

    images: int = 150
    calibration: int = 16
    shuffled: int = 16
    timed: int = 2
    perturbations: int = 500


def run_bench(bundle: Bundle, data: Path, out: Path, plan: BenchPlan, on_step: OnStep) -> Record:
    """Measure what is not measured yet, and write the table.

    Raises:
        TrainingDataError: if the data hold no outlined image to measure.
        BundleError: if the network cannot be loaded.
        OutputError: if the folder cannot be written.
    """
    parts = split_by_group(read_index(data), SPLIT_SEED)
    test = choose_images(parts["test"], plan.images, SPLIT_SEED)
    calibration = choose_images(parts["calibration"], plan.calibration, SPLIT_SEED)
    if not test or not calibration:
        message = f"{data} holds no outlined image to test or calibrate on: expected masks"
        raise TrainingDataError(message)
    tools, shuffled = make_bench_tools(bundle, plan)
    keep = _Records(out, bundle, plan)
    content = summarise_bench(
        list(keep.measure("test", test, tools, measure_image, on_step)),
        list(keep.measure("calibration", calibration, tools, measure_segmentations, on_step)),
        list(
            keep.measure(
                "shuffled",
                test[: plan.shuffled],
                tools,
                lambda image, tools: measure_shuffled(image, tools, shuffled),
                on_step,
            )
        ),
        time_explanations(bundle, test[: plan.timed], on_step) if plan.timed else None,
    )
    content = {"bundle_digest": bundle.digest, "plan": asdict(plan), "seeds": SEEDS, **content}
    _write(out / TABLE_NAME, content)
    return content


def make_bench_tools(bundle: Bundle, plan: BenchPlan) -> tuple[Tools, ScorePictures]:
    """Load the networks: the bundle's own, and the one with shuffled weights."""
    # Inside the function: Keras takes seconds, and the frozen graph must set the threads first.
    scorer = load_scorer(bundle, batch_size=BATCH, threads=THREADS)
    from model.explanation_networks import make_gradcam, make_shuffled_scoring  # noqa: PLC0415

    features = np.zeros((1, len(bundle.card.scope.feature_mean)), dtype=np.float32)
    tools = Tools(
        score_pictures=scorer.probabilities,
        map_of=lambda picture: scorer.score(picture[np.newaxis], features).tumor_maps[0],
        gradcam=make_gradcam(bundle),
        parameters=bundle.card.preprocessing,
        perturbations=plan.perturbations,
        batch_size=BATCH,
    )
    return tools, make_shuffled_scoring(bundle, SPLIT_SEED)


def time_explanations(
    bundle: Bundle,
    images: Sequence[LabelledImage],
    on_step: OnStep,
) -> Record:
    """Time explanations in a process of their own, held to one core; see `explanation_costs`."""
    parameters = bundle.card.preprocessing
    pictures = [
        prepare_unmasked(decoded, parameters)
        for _, decoded, _ in prepare_images(images, parameters)
    ]
    on_step("costs", 0, len(pictures))
    with ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn")) as pool:
        timed = []
        for picture in pictures:
            timed.append(pool.submit(_time_picture, bundle.folder, picture).result())
            on_step("costs", len(timed), len(pictures))
    ours, stock, lean = (float(np.mean(column)) for column in zip(*timed, strict=True))
    return {
        "pictures": len(pictures),
        "ours_seconds": round(ours, 2),
        "stock_seconds": round(stock, 2),
        "stock_on_batch_seconds": round(lean, 2),
        "times_less": round(stock / ours, 2),
        "times_less_on_batch": round(lean / ours, 2),
    }


def _time_picture(folder: Path, picture: npt.NDArray[np.uint8]) -> tuple[float, float, float]:
    """Time ours, and lime's explainer with either of Keras's calls."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    # After the affinity.
    from model.explanation_costs import STOCK_BATCH, time_ours, time_stock  # noqa: PLC0415

    bundle = open_bundle(folder)
    scorer = load_scorer(bundle, batch_size=BATCH, threads=1)
    from model.explanation_networks import make_keras_scoring  # noqa: PLC0415

    by_keras = [make_keras_scoring(bundle, on_batch=on_batch) for on_batch in (False, True)]
    warm = np.repeat(picture[np.newaxis], BATCH, axis=0)
    scorer.probabilities(warm)
    for score in by_keras:
        score(warm[:STOCK_BATCH])
    ours = time_ours(picture, scorer.probabilities, BATCH).seconds
    stock, lean = (time_stock(picture, score).seconds for score in by_keras)
    return ours, stock, lean


class _Records:
    """Keeps one file an image and step."""

    def __init__(self, out: Path, bundle: Bundle, plan: BenchPlan) -> None:
        self._folder = out / "records"
        self._depends = f"{bundle.digest} {plan.perturbations} {SEEDS} {_code_digest()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            message = f"{out} cannot be written ({error.strerror}): choose another --out"
            raise OutputError(message) from error

    def measure(
        self,
        step: str,
        images: Sequence[LabelledImage],
        tools: Tools,
        measure: Callable[[BenchImage, Tools], Record],
        on_step: OnStep,
    ) -> Iterator[Record]:
        """Yield the record of each image, measured now or before."""
        on_step(step, 0, len(images))
        for done, image in enumerate(images, start=1):
            file = self._file(step, image)
            if file.is_file():
                yield json.loads(file.read_text(encoding="utf-8"))
            else:
                (prepared,) = prepare_images([image], tools.parameters)
                record = measure(BenchImage(*prepared), tools)
                record |= {"group_id": image.group_id, "source": image.source}
                _write(file, record)
                yield record
            on_step(step, done, len(images))

    def _file(self, step: str, image: LabelledImage) -> Path:
        text = f"{self._depends} {step} {'/'.join(image.path.parts[-3:])}"
        return self._folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def _code_digest() -> str:
    """Return a digest of the modules that make explanations: other code, other records."""
    files = sorted(Path(__file__).parent.glob("explanation*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def _write(file: Path, content: Record) -> None:
    draft = file.with_name(file.name + ".draft")
    try:
        draft.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        message = f"{file} cannot be written ({error.strerror}): choose another --out"
        raise OutputError(message) from error
