"""Leave one source out: train without a source, then measure on all of its images.

The nearest that a collection of a few sources comes to another hospital.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from model.bundle import CARD_FILE, Bundle, open_bundle
from model.errors import ConfigurationError, TrainingDataError
from model.judgement import Judgement, LabelledGroups, measure_row
from model.measurement import OnPrepared, PreparedPart, prepare_part, score_part
from model.train_bundle import Reporting, TrainingRequest, calibrate_bundle, train_on_fit_part
from model.training import EpochReport, Stage, TrainingPlan, train_network
from model.training_data import (
    SPLIT_SEED,
    LabelledImage,
    Part,
    digest_of_split,
    split_by_group,
)
from model.training_samples import drawing_weights, load_samples

DEFAULT_LEFT_OUT: Final = ("sartaj+cheng", "lgg_flair", "br35h+navoneel")
"""Sartaj's tumours are of the same series as cheng's; the last two are pictures from the web."""

LEAST_TUMORS_FLAGGED: Final = 0.95
"""The bar: share of a left-out source's tumours."""

PACE_STEPS: Final = 8
PACE_IMAGES: Final = 64
"""How many steps, on how many images, tell how fast this machine trains."""


@dataclass(frozen=True)
class LeftOut:
    """Sources that are left out together.

    Attributes:
        name: the sources, joined by a plus.
        parts: what the network is trained, calibrated and tested on: groups without any image of
            these sources.
        images: all images of these sources.
    """

    name: str
    parts: dict[Part, list[LabelledImage]]
    images: list[LabelledImage]

    def digest(self, folder: Path) -> str:
        """Return a digest over what is trained, calibrated and tested on."""
        parts: dict[Part, list[LabelledImage]] = {**self.parts, "test": self.images}
        return digest_of_split(parts, folder)


def leave_out(images: Sequence[LabelledImage], name: str) -> LeftOut:
    """Take sources out of fit, calibration and test.

    Args:
        images: all labelled images.
        name: of one source, or of several joined by a plus.

    Raises:
        ConfigurationError: if a source is not known.
        TrainingDataError: if what remains cannot be trained or calibrated on.
    """
    sources = set(name.split("+"))
    known = {image.source for image in images}
    if unknown := sorted(sources - known):
        message = f"unknown source {unknown[0]!r}: expected one of {', '.join(sorted(known))}"
        raise ConfigurationError(message)
    touched = {image.group_id for image in images if image.source in sources}
    parts = {
        part: [image for image in members if image.group_id not in touched]
        for part, members in split_by_group(images, SPLIT_SEED).items()
    }
    for part in ("fit", "calibration"):
        if {image.label for image in parts[part]} != {0, 1}:
            message = (
                f"without {name} the {part} part does not hold tumours and normals: leave out fewer"
            )
            raise TrainingDataError(message)
    return LeftOut(name, parts, [image for image in images if image.source in sources])


def measure_pace(
    images: Sequence[LabelledImage],
    request: TrainingRequest,
    on_step: Callable[[int, int], None],
) -> dict[int, float]:
    """Train for a moment to see how fast this machine is.

    Args:
        images: of the fit part.
        request: plan, preprocessing and first weights.
        on_step: called with steps done, and of how many.

    Returns:
        Seconds a step, by picture size.
    """
    few = list(islice(images, 0, None, max(1, len(images) // PACE_IMAGES)))
    # The first epoch of a size builds its graph; the second is the pace.
    stages = tuple(Stage(stage.size, 2) for stage in request.plan.stages)
    seconds: dict[int, float] = {}

    def note(report: EpochReport) -> None:
        seconds[report.size] = report.seconds / PACE_STEPS

    with TemporaryDirectory() as checkpoints:
        train_network(
            load_samples(few, request.parameters, lambda: None),
            drawing_weights(few),
            request.parameters,
            replace(request.plan, stages=stages, steps=PACE_STEPS),
            imagenet=request.imagenet,
            checkpoints=Path(checkpoints),
            watch=lambda _: 0.0,
            on_step=on_step,
            on_epoch=note,
        )
    return seconds


def fit_plan(plan: TrainingPlan, pace: Mapping[int, float], minutes: float) -> TrainingPlan:
    """Shorten the epochs of a plan so that its steps take so many minutes; never lengthen them."""
    whole = sum(stage.epochs * pace[stage.size] for stage in plan.stages)
    steps = int(minutes * 60.0 / whole)
    return replace(plan, steps=max(1, min(plan.steps, steps)))


def train_without(
    left_out: LeftOut,
    request: TrainingRequest,
    reporting: Reporting,
    on_prepared: OnPrepared,
) -> Bundle:
    """Train and calibrate a bundle without the left-out sources, or open the one that is there.

    Args:
        left_out: what is left out.
        request: its `out` and `checkpoints` are those of this training; it goes on from there.
        reporting: what a caller wants to hear.
        on_prepared: called with how many images are prepared, and of how many.

    Raises:
        TrainingDataError: if the data cannot be used.
    """
    if (request.out / CARD_FILE).is_file():  # written last
        return open_bundle(request.out)
    for unfinished in (request.out, request.out.with_name(request.out.name + ".draft")):
        shutil.rmtree(unfinished, ignore_errors=True)
    held = prepare_part(left_out.parts["calibration"], request.parameters, on_prepared)
    trained = train_on_fit_part(request, left_out.parts["fit"], held, reporting)
    parts: dict[Part, PreparedPart] = {
        "fit": prepare_part(left_out.parts["fit"], request.parameters, on_prepared),
        "calibration": held,
        "test": prepare_part(left_out.images, request.parameters, on_prepared),
    }
    return calibrate_bundle(request, trained, parts, left_out.digest(request.data))


def measure_left_out(
    bundle: Bundle,
    left_out: LeftOut,
    on_prepared: OnPrepared,
) -> dict[str, Any]:
    """Measure a bundle on the sources that it never saw, and on the test part of its own.

    Returns:
        For JSON: what it was trained on, its threshold, and rows of `measure_row` for the left-out
        images, for each of their sources, and for the test part of the other sources.
    """
    unseen, known = _judge(bundle, left_out.images, on_prepared)
    sources = np.array([image.source for image in left_out.images])
    row = measure_row(unseen, known)
    by_source = {source: sources == source for source in sorted(set(sources.tolist()))}
    own = left_out.parts["test"]
    return {
        "bundle_digest": bundle.digest,
        "threshold": bundle.card.threshold,
        "fit": len(left_out.parts["fit"]),
        "calibration": len(left_out.parts["calibration"]),
        "left_out": row,
        "by_source": {
            source: measure_row(unseen.where(here), known.where(here))
            for source, here in by_source.items()
        },
        "own_test_part": measure_row(*_judge(bundle, own, on_prepared)) if own else None,
        "bars": _hold_to_bar(row),
    }


def _judge(
    bundle: Bundle,
    images: Sequence[LabelledImage],
    on_prepared: OnPrepared,
) -> tuple[Judgement, LabelledGroups]:
    prepared = prepare_part(images, bundle.card.preprocessing, on_prepared)
    scored = score_part(bundle, prepared)
    return (
        Judgement(scored.slices.probabilities, scored.reasons),
        LabelledGroups(prepared.labels, prepared.groups),
    )


def _hold_to_bar(row: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    flagged = row["tumors_flagged"]
    if flagged is None:
        return {}
    met = flagged["value"] >= LEAST_TUMORS_FLAGGED
    return {"tumors_flagged": {"at_least": LEAST_TUMORS_FLAGGED, "met": met}}
