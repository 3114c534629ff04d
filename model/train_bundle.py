"""Train, calibrate, measure and write a bundle: all that `mri-triage train` does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
from scipy.special import expit

from model.assembly import assemble_network, with_scope_features
from model.bundle import Bundle, load_network, refuse_existing, write_bundle
from model.card import Card
from model.cross_validation import SafeThreshold, choose_safe_threshold
from model.errors import BundleError
from model.localisation import choose_map_threshold
from model.measurement import PreparedPart, measure_scores, prepare_part, score_part
from model.preprocessing import PreprocessingParameters
from model.scope_check import check_scope_gate
from model.scope_fitting import fit_scope_gate
from model.scope_inputs import make_gate_inputs
from model.thresholds import cross_entropy, fit_temperature
from model.training import EpochReport, TrainingPlan, predict_logits, train_network
from model.training_data import (
    SPLIT_SEED,
    LabelledImage,
    Part,
    digest_of_split,
    read_index,
    split_by_group,
)
from model.training_samples import add_healthy_twins, drawing_weights, load_samples

MINIMUM_SCOPE_SCORE: Final = 0.5
"""The logistic curves of the scope gate are 0.5 at the limits that calibration chose."""

INTENDED_USE: Final = (
    "Sorts single brain-MR slices into flagged and cleared ahead of a radiologist's reading. "
    "It assists, it never diagnoses; cleared means not flagged, never discharged. Trained on "
    "adult T1, contrast-enhanced T1, T2 and FLAIR slices with glioma, meningioma and pituitary "
    "tumours. Not for children, not for other lesions (stroke, demyelination, haemorrhage), not "
    "for CT, not for images after surgery, and not without a local check of its miss rate."
)


@dataclass(frozen=True)
class TrainingRequest:
    """What to train on, how, and where the bundle goes.

    Attributes:
        data: folder with ``index.csv``.
        imagenet: weights of the backbone.
        start_from: a bundle of the same split whose network is trained on; None: from `imagenet`.
        checkpoints: folder of the checkpoints; a training goes on from it.
        out: folder of the new bundle; must not exist.
        name: of the model.
        version: of the bundle.
        date: YYYY-MM-DD.
        code_version: of this project.
        plan: stages, schedule, seed.
        parameters: preprocessing.
    """

    data: Path
    imagenet: Path
    start_from: Bundle | None
    checkpoints: Path
    out: Path
    name: str
    version: str
    date: str
    code_version: str
    plan: TrainingPlan
    parameters: PreprocessingParameters


@dataclass(frozen=True)
class Reporting:
    """What a caller wants to hear while it waits."""

    on_loaded: Callable[[int, int], None]
    on_step: Callable[[int, int], None]
    on_epoch: Callable[[EpochReport], None]


def train_bundle(request: TrainingRequest, reporting: Reporting) -> Bundle:
    """Train a network and write it as a bundle with its threshold, scope gate and figures.

    Raises:
        TrainingDataError: if the data cannot be used.
        BundleError: if the bundle's folder exists, or the bundle to start from cannot be used.
    """
    refuse_existing(request.out)
    parts = split_by_group(read_index(request.data), SPLIT_SEED)
    data_digest = digest_of_split(parts, request.data)
    _refuse_other_split(request.start_from, data_digest)
    held = prepare_part(parts["calibration"], request.parameters)
    trained = train_on_fit_part(request, parts["fit"], held, reporting)
    prepared: dict[Part, PreparedPart] = {
        "fit": prepare_part(parts["fit"], request.parameters),
        "calibration": held,
        "test": prepare_part(parts["test"], request.parameters),
    }
    return calibrate_bundle(request, trained, prepared, data_digest)


def train_on_fit_part(
    request: TrainingRequest,
    images: Sequence[LabelledImage],
    held: PreparedPart,
    reporting: Reporting,
) -> keras.Model:
    """Train the network.

    Args:
        request: plan, checkpoints and preprocessing.
        images: of the fit part.
        held: images of other groups; the training stops when their loss no longer falls.
        reporting: what the caller wants to hear.

    Returns:
        The averaged network, without temperature, scope gate and threshold.
    """
    loaded = 0

    def count() -> None:
        nonlocal loaded
        loaded += 1
        reporting.on_loaded(loaded, len(images))

    def watch(network: keras.Model) -> float:
        # Surer than it should be is what the temperature mends afterwards: no reason to stop.
        logits = predict_logits(network, held.inputs)["logit"][:, 0].astype(np.float64)
        return cross_entropy(logits / fit_temperature(logits, held.labels), held.labels)

    samples = load_samples(images, request.parameters, count)
    with_twins, all_samples = add_healthy_twins(images, samples)
    return train_network(
        all_samples,
        drawing_weights(with_twins),
        request.parameters,
        request.plan,
        imagenet=request.imagenet,
        start=None if request.start_from is None else load_network(request.start_from),
        checkpoints=request.checkpoints,
        watch=watch,
        on_step=reporting.on_step,
        on_epoch=reporting.on_epoch,
    )


def calibrate_bundle(
    request: TrainingRequest,
    trained: keras.Model,
    parts: Mapping[Part, PreparedPart],
    data_digest: str,
) -> Bundle:
    """Fit temperature, scope gate and threshold, measure the test part, write the bundle."""
    fit, held = parts["fit"], parts["calibration"]
    held_outputs = predict_logits(trained, held.inputs)
    held_maps = expit(held_outputs["map_logits"][..., 0])
    logits = held_outputs["logit"][:, 0].astype(np.float64)
    temperature = fit_temperature(logits, held.labels)
    safe = choose_safe_threshold(
        expit(logits / temperature),
        held.labels,
        held.groups,
        request.plan.seed,
    )
    scope_network = with_scope_features(trained)
    whitening, scope = fit_scope_gate(
        make_gate_inputs(
            lambda inputs: predict_logits(scope_network, inputs)["scope_features"],
            fit,
            held,
            request.parameters,
            request.plan.seed,
        ),
    )
    card = Card(
        name=request.name,
        version=request.version,
        date=request.date,
        intended_use=INTENDED_USE,
        preprocessing=request.parameters,
        threshold=safe.choice.threshold,
        threshold_method=_threshold_in_words(safe),
        minimum_scope_score=MINIMUM_SCOPE_SCORE,
        map_threshold=choose_map_threshold(held.images, held.prepared, held_maps),
        temperature=temperature,
        scope=scope,
        data_digest=data_digest,
        training=_training_record(request),
        metrics={},
        code_version=request.code_version,
    )
    network = assemble_network(trained, whitening)
    draft = write_bundle(request.out.with_name(request.out.name + ".draft"), network, card)
    scored = score_part(draft, parts["test"])
    measured = {
        "metrics": measure_scores(draft, parts["test"], scored),
        "scope": scope.model_copy(
            update={"check": check_scope_gate(draft, parts["test"], scored)},
        ),
    }
    _discard(draft)
    return write_bundle(request.out, network, card.model_copy(update=measured))


def _refuse_other_split(start: Bundle | None, data_digest: str) -> None:
    if start is not None and start.card.data_digest != data_digest:
        message = (
            f"the bundle to start from, {start.card.name} {start.card.version}, was trained on "
            "other images or another split, so that it may know this test part: start from one of "
            "the same split, or from the ImageNet weights"
        )
        raise BundleError(message)


def _training_record(request: TrainingRequest) -> dict[str, Any]:
    start = request.start_from
    if start is None:
        return request.plan.as_record()
    started_from = {"digest": start.digest, "training": start.card.training}
    return request.plan.as_record() | {"started_from": started_from}


def _threshold_in_words(safe: SafeThreshold) -> str:
    choice = safe.choice
    return (
        f"Chosen on the calibration part so that groups that it was not chosen on reach 99% of "
        f"tumour slices: aimed at {safe.aim:.2%} (cross-validated by group: "
        f"{safe.cross_validated_sensitivity:.2%}). On the part itself sensitivity "
        f"{choice.sensitivity:.4f}, specificity {choice.specificity:.4f}; "
        f"{choice.missed_groups} of {choice.groups} groups with a missed slice, so that with 95% "
        f"confidence at least {choice.group_sensitivity_bound:.3f} of the groups have none."
    )


def _discard(draft: Bundle) -> None:
    for path in draft.folder.iterdir():
        path.unlink()
    draft.folder.rmdir()
