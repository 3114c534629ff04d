"""Measure a bundle on a folder of labelled images: all that `mri-triage evaluate` computes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from model.bundle import Bundle
from model.cross_validation import cross_validate_sources
from model.evaluated_part import EvaluatedPart
from model.evaluation import ScoredSlices
from model.measurement import OnPrepared, PreparedPart, measure_scores, prepare_images, score_part
from model.metrics import Floats
from model.scope_check import check_scope_gate
from model.shortcuts import measure_border, measure_size, measure_source, score_shortcut
from model.training_data import SPLIT_SEED


@dataclass(frozen=True)
class Evaluation:
    """A measured bundle.

    Attributes:
        bundle: what was measured.
        part: what it was measured on.
        slices: the scores, for curves.
        content: the JSON of the command.
    """

    bundle: Bundle
    part: EvaluatedPart
    slices: ScoredSlices
    content: dict[str, Any]


def evaluate_bundle(
    bundle: Bundle,
    part: EvaluatedPart,
    prevalence: float,
    on_prepared: OnPrepared,
) -> Evaluation:
    """Prepare, score and measure a part, with the shortcut baselines beside it.

    Raises:
        TrainingDataError: if an image or an outline cannot be used.
        BundleError: if the network cannot be loaded.
    """
    prepared, borders, sizes = _prepare(bundle, part, on_prepared)
    scored = score_part(bundle, prepared)
    metrics = measure_scores(bundle, prepared, scored, prevalence)
    content = {
        "bundle_digest": bundle.digest,
        "threshold": bundle.card.threshold,
        **metrics,
        "cross_validation": cross_validate_sources(scored.slices, SPLIT_SEED),
        "scope_gate": check_scope_gate(bundle, prepared, scored).model_dump(),
        "shortcuts": _score_shortcuts(scored.slices, borders, sizes),
        "data": {
            "part": part.name,
            "reason": part.reason,
            "warning": part.warning,
            "is_training_folder": part.is_training_folder,
        },
    }
    return Evaluation(bundle, part, scored.slices, content)


def _prepare(
    bundle: Bundle,
    part: EvaluatedPart,
    on_prepared: OnPrepared,
) -> tuple[PreparedPart, Floats, Floats]:
    images, prepared, borders, sizes = [], [], [], []
    for image, decoded, one in prepare_images(part.images, bundle.card.preprocessing):
        images.append(image)
        prepared.append(one)
        borders.append(measure_border(decoded))
        sizes.append((one.original_width, one.original_height))
        on_prepared(len(images), len(part.images))
    return PreparedPart(images, prepared), np.stack(borders), measure_size(sizes)


def _score_shortcuts(slices: ScoredSlices, borders: Floats, sizes: Floats) -> dict[str, Any]:
    measured = {
        "image_size": sizes,
        "border_brightness": borders,
        "source": measure_source(slices.strata["source"].tolist()),
    }
    return {
        name: score_shortcut(features, slices.labels, slices.groups, SPLIT_SEED)
        for name, features in measured.items()
    }
