"""Train, calibrate, measure and write a bundle: all that `mri-triage train` does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image

from model.assembly import GateInputs, assemble_network, fit_scope_gate
from model.bundle import Bundle, refuse_existing, write_bundle
from model.card import Card
from model.decision import DecisionLimits, decide_reasons
from model.evaluation import ScoredSlices, dice_of, points_into, summarise
from model.inference import RawScores, load_scorer
from model.preprocessing import PreparedImage, PreprocessingParameters, prepare_image
from model.reasons import Reason
from model.thresholds import ThresholdChoice, choose_threshold, fit_temperature
from model.training import EpochReport, TrainingPlan, predict_logits, train_network
from model.training_data import LabelledImage, Part, digest_of_split, read_index, split_by_group
from model.training_samples import decode_labelled, drawing_weights, load_samples

SPLIT_SEED: Final = 2026
MINIMUM_SCOPE_SCORE: Final = 0.5
"""The logistic curves of the scope gate are 0.5 at the limits that calibration chose."""

MAP_THRESHOLD: Final = 0.5

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


@dataclass(frozen=True)
class PreparedPart:
    """A part of the data, prepared as a night would."""

    images: list[LabelledImage]
    prepared: list[PreparedImage]

    @property
    def inputs(self) -> npt.NDArray[np.uint8]:
        """(n, size, size)."""
        return np.stack([image.network_input for image in self.prepared])

    @property
    def picture_features(self) -> npt.NDArray[np.float32]:
        """(n, p)."""
        return np.stack([image.picture_features for image in self.prepared])

    @property
    def labels(self) -> npt.NDArray[np.int64]:
        """(n,) 1 for tumour."""
        return np.array([image.label for image in self.images], dtype=np.int64)

    @property
    def groups(self) -> npt.NDArray[np.str_]:
        """(n,) group of each slice."""
        return np.array([image.group_id for image in self.images])


def train_bundle(request: TrainingRequest, reporting: Reporting) -> Bundle:
    """Train a network and write it as a bundle with its threshold, scope gate and figures.

    Raises:
        TrainingDataError: if the data cannot be used.
        BundleError: if the bundle's folder exists.
    """
    refuse_existing(request.out)
    parts = split_by_group(read_index(request.data), SPLIT_SEED)
    trained = _train(request, parts["fit"], reporting)
    prepared = {part: prepare_part(images, request.parameters) for part, images in parts.items()}
    return calibrate_bundle(request, trained, prepared, digest_of_split(parts, request.data))


def prepare_part(
    images: Sequence[LabelledImage],
    parameters: PreprocessingParameters,
) -> PreparedPart:
    """Decode and prepare labelled images the way a night does."""
    prepared = [prepare_image(decode_labelled(image), parameters) for image in images]
    return PreparedPart(images=list(images), prepared=prepared)


def calibrate_bundle(
    request: TrainingRequest,
    trained: keras.Model,
    parts: dict[Part, PreparedPart],
    data_digest: str,
) -> Bundle:
    """Fit temperature, scope gate and threshold, measure the test part, write the bundle."""
    fit, held = parts["fit"], parts["calibration"]
    fit_outputs = predict_logits(trained, fit.inputs)
    held_outputs = predict_logits(trained, held.inputs)
    logits = held_outputs["logit"][:, 0].astype(np.float64)
    temperature = fit_temperature(logits, held.labels)
    choice = choose_threshold(_sigmoid(logits / temperature), held.labels, held.groups)
    whitening, scope = fit_scope_gate(
        GateInputs(
            fit_features=fit_outputs["features"],
            fit_pictures=fit.picture_features,
            held_features=held_outputs["features"],
            held_pictures=held.picture_features,
        ),
    )
    card = Card(
        name=request.name,
        version=request.version,
        date=request.date,
        intended_use=INTENDED_USE,
        preprocessing=request.parameters,
        threshold=choice.threshold,
        threshold_method=_threshold_in_words(choice),
        minimum_scope_score=MINIMUM_SCOPE_SCORE,
        map_threshold=MAP_THRESHOLD,
        temperature=temperature,
        scope=scope,
        data_digest=data_digest,
        training=request.plan.as_record(),
        metrics={},
        code_version=request.code_version,
    )
    network = assemble_network(trained, whitening)
    draft = write_bundle(request.out.with_name(request.out.name + ".draft"), network, card)
    metrics = measure_part(draft, parts["test"])
    _discard(draft)
    return write_bundle(request.out, network, card.model_copy(update={"metrics": metrics}))


def measure_part(bundle: Bundle, part: PreparedPart) -> dict[str, Any]:
    """Score a prepared part with a bundle and return its metrics, as plain values."""
    scores = load_scorer(bundle, threads=2).score(part.inputs, part.picture_features)
    reasons = decide_all(scores, bundle.card.limits)
    slices = ScoredSlices(
        probabilities=scores.probabilities,
        flagged=reasons != str(Reason.BELOW_THRESHOLD),
        labels=part.labels,
        groups=part.groups,
        sources=np.array([image.source for image in part.images]),
    )
    return {
        **summarise(slices, seed=SPLIT_SEED),
        "out_of_scope": float((reasons == str(Reason.NOT_BRAIN_MR)).mean()),
        "localisation": measure_maps(scores, part, bundle.card.map_threshold),
    }


def decide_all(scores: RawScores, limits: DecisionLimits) -> npt.NDArray[np.object_]:
    """Return the reason of each scored slice, (n,)."""
    failures = np.full(len(scores.probabilities), None, dtype=object)
    return decide_reasons(failures, scores.probabilities, scores.scope_scores, limits)


def measure_maps(scores: RawScores, part: PreparedPart, map_threshold: float) -> dict[str, Any]:
    """Compare the maps with the masks where there are masks: mean Dice and pointing game."""
    dices, hits = [], []
    for image, prepared, tumor_map in zip(
        part.images,
        part.prepared,
        scores.tumor_maps,
        strict=True,
    ):
        if image.mask is not None:
            outline = outline_in_cells(image.mask, prepared, tumor_map.shape[0])
            if outline.any():
                dices.append(dice_of(tumor_map, outline, map_threshold))
                hits.append(points_into(tumor_map, outline))
    if not dices:
        return {"n": 0, "dice": None, "pointing_game": None}
    return {
        "n": len(dices),
        "dice": round(float(np.mean(dices)), 4),
        "pointing_game": round(float(np.mean(hits)), 4),
    }


def outline_in_cells(mask: Path, prepared: PreparedImage, cells: int) -> npt.NDArray[np.bool_]:
    """Return a mask file as (cells, cells) of the region that the network saw."""
    with Image.open(mask) as opened:
        levels = opened.convert("L")
        scale = opened.width / prepared.decoded_width
        region = prepared.region
        x0, y0, side = region.x * scale, region.y * scale, region.side * scale
        cut = levels.transform(
            (4 * cells, 4 * cells),
            Image.Transform.EXTENT,
            (x0, y0, x0 + side, y0 + side),
            Image.Resampling.BILINEAR,
        ).reduce(4)
    return np.asarray(cut) > 127  # noqa: PLR2004 - half


def _train(
    request: TrainingRequest,
    images: Sequence[LabelledImage],
    reporting: Reporting,
) -> keras.Model:
    loaded = 0

    def count() -> None:
        nonlocal loaded
        loaded += 1
        reporting.on_loaded(loaded, len(images))

    return train_network(
        load_samples(images, request.parameters, count),
        drawing_weights(images),
        request.parameters,
        request.plan,
        imagenet=request.imagenet,
        checkpoints=request.checkpoints,
        on_step=reporting.on_step,
        on_epoch=lambda report, _: reporting.on_epoch(report),
    )


def _threshold_in_words(choice: ThresholdChoice) -> str:
    return (
        f"Highest threshold that flags at least 99% of the calibration part's tumour slices: "
        f"sensitivity {choice.sensitivity:.4f}, specificity {choice.specificity:.4f}; "
        f"{choice.missed_groups} of {choice.groups} groups with a missed slice, so that with 95% "
        f"confidence at least {choice.group_sensitivity_bound:.3f} of the groups have none."
    )


def _discard(draft: Bundle) -> None:
    for path in draft.folder.iterdir():
        path.unlink()
    draft.folder.rmdir()


def _sigmoid(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), dtype=np.float64)
