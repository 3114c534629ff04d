"""Train, calibrate and measure one row of the comparison: all that `mri-triage compare` computes.

Fit trains, calibration chooses the threshold and is what the training is watched on, test is only
measured.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

import keras
import numpy as np
from sklearn.metrics import roc_curve

from model.comparison_data import ComparisonData
from model.comparison_inputs import ComparedPart
from model.comparison_rows import (
    ComparedRow,
    Pretrained,
    build_network,
    is_pretrained,
    name_first_weights,
)
from model.comparison_training import (
    Recipe,
    ScoreInputs,
    Stretch,
    make_scoring,
    train_within_budget,
)
from model.evaluation import ScoredSlices, metrics_of, summarise
from model.metrics import Floats
from model.thresholds import choose_threshold
from model.training_data import SPLIT_SEED

HALF: Final = 0.5
"""The first project's threshold."""

TIMED_PICTURES: Final = 256
TIMED_PASSES: Final = 3

SHOWN_DIGITS: Final = 4


@dataclass(frozen=True)
class Reading:
    """What a network says of the calibration part after an epoch, at the threshold of one half.

    Attributes:
        epoch: from 1.
        pictures: seen in training so far.
        training_loss: mean cross-entropy of the label in training over the epoch.
        drawn_tumors: share of tumours among the epoch's training pictures.
        loss: mean cross-entropy on the calibration part.
        called_tumor: share of the calibration part that is called tumour.
        accuracy: share that is called as it is labelled.
        base_rate: share of tumours: the accuracy of calling everything a tumour.
    """

    epoch: int
    pictures: int
    training_loss: float
    drawn_tumors: float
    loss: float
    called_tumor: float
    accuracy: float
    base_rate: float

    @property
    def tumor_every_time(self) -> bool:
        """Whether the network calls everything a tumour."""
        return self.called_tumor == 1.0

    def as_record(self) -> dict[str, float | None]:
        """Return the reading as plain values; a loss beyond all bounds is None."""
        return {name: value if np.isfinite(value) else None for name, value in vars(self).items()}


@dataclass(frozen=True)
class RowReporting:
    """What a caller wants to hear while a row is trained."""

    on_progress: Callable[[float], None]
    on_reading: Callable[[Reading], None]


def run_row(
    row: ComparedRow,
    data: ComparisonData,
    pretrained: Pretrained,
    recipe: Recipe,
    reporting: RowReporting,
) -> tuple[dict[str, Any], keras.Model]:
    """Train a row's network within the budget and measure it.

    Returns:
        The row's figures as plain values, and the network.

    Raises:
        ConfigurationError: if a file of weights cannot be used.
        TrainingDataError: if the data cannot be used.
    """
    network = build_network(row, pretrained, recipe.seed)
    score = make_scoring(network)
    held, test = data.prepared("calibration", row), data.prepared("test", row)
    readings: list[Reading] = []

    def read(stretch: Stretch) -> None:
        readings.append(take_reading(stretch, score(held.inputs), held))
        reporting.on_reading(readings[-1])

    pictures = train_within_budget(
        network,
        data.make_drawing(row, recipe),
        recipe,
        on_progress=reporting.on_progress,
        on_epoch=read,
    )
    choice = choose_threshold(score(held.inputs), held.labels, held.groups)
    figures = {
        "name": row.name,
        "title": row.title,
        "pretrained": is_pretrained(row, pretrained),
        "size": row.size,
        "sees": row.sees,
        "drawing": row.drawing,
        "parameters": int(network.count_params()),
        "pictures_seen": pictures,
        "images_a_second": round(measure_speed(score, test), 1),
        "threshold": choice.threshold,
        "threshold_choice": asdict(choice),
        "readings": [reading.as_record() for reading in readings],
        **measure_test(score(test.inputs), test, choice.threshold),
    }
    return figures, network


def settings_of(
    row: ComparedRow,
    data: ComparisonData,
    pretrained: Pretrained,
    recipe: Recipe,
) -> dict[str, Any]:
    """Return what a row's outcome depends on, as plain values.

    Raises:
        ConfigurationError: if a file of weights cannot be read.
    """
    return {
        "data": data.digest,
        "first_weights": name_first_weights(row, pretrained),
        "size": row.size,
        **asdict(recipe),
    }


def take_reading(stretch: Stretch, probabilities: Floats, held: ComparedPart) -> Reading:
    """Read off what the probabilities, (n,), of the calibration part mean at one half."""
    called = probabilities >= HALF
    certain = np.clip(np.where(held.labels == 1, probabilities, 1.0 - probabilities), 1e-7, 1.0)
    return Reading(
        epoch=stretch.epoch,
        pictures=stretch.pictures,
        training_loss=stretch.loss,
        drawn_tumors=stretch.drawn_tumors,
        loss=float(-np.log(certain).mean()),
        called_tumor=float(called.mean()),
        accuracy=float((called == (held.labels == 1)).mean()),
        base_rate=float(held.labels.mean()),
    )


def measure_test(probabilities: Floats, test: ComparedPart, threshold: float) -> dict[str, Any]:
    """Measure the test part, as plain values.

    Returns:
        ``test`` (overall and by source) at the row's threshold, ``at_half`` at one half, with
        95% intervals over groups; ``roc`` with the shares of normals and of tumours flagged.
    """
    strata = {"source": test.sources}
    slices, at_half = (
        ScoredSlices(probabilities, probabilities >= limit, test.labels, test.groups, strata)
        for limit in (threshold, HALF)
    )
    false, true, _ = roc_curve(test.labels, probabilities)
    return {
        "test": summarise(slices, SPLIT_SEED),
        "at_half": metrics_of(at_half, SPLIT_SEED),
        "roc": {"false": _rounded(false), "true": _rounded(true)},
    }


def measure_speed(score: ScoreInputs, part: ComparedPart) -> float:
    """Return how many pictures a second are scored, in batches; the fastest of a few passes."""
    inputs = part.inputs[:TIMED_PICTURES]
    score(inputs)  # builds the graph
    fastest = np.inf
    for _ in range(TIMED_PASSES):
        started = time.perf_counter()
        score(inputs)
        fastest = min(fastest, time.perf_counter() - started)
    return len(inputs) / fastest


def _rounded(values: Floats) -> list[float]:
    return [round(float(value), SHOWN_DIGITS) for value in values]
