"""Prepare a part of the labelled images as a night would, score it with a bundle, measure it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from model.bundle import Bundle
from model.decision import DecisionLimits, decide_reasons
from model.evaluation import DEFAULT_PREVALENCE, ScoredSlices, summarise
from model.images import DecodedImage
from model.inference import RawScores, load_scorer
from model.localisation import measure_maps, name_sizes
from model.preprocessing import PreparedImage, PreprocessingParameters, prepare_image
from model.reasons import CLEARED_REASONS, Reason
from model.training_data import SPLIT_SEED, UNKNOWN, LabelledImage
from model.training_samples import decode_labelled

OnPrepared = Callable[[int, int], None]
"""Called with how many images are prepared, and of how many."""


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


@dataclass(frozen=True)
class ScoredPart:
    """What a bundle says of a prepared part.

    Attributes:
        raw: scores and maps.
        reasons: (n,) what the whole chain decides.
        slices: the same for the metrics.
    """

    raw: RawScores
    reasons: npt.NDArray[np.object_]
    slices: ScoredSlices


def prepare_images(
    images: Sequence[LabelledImage],
    parameters: PreprocessingParameters,
) -> Iterator[tuple[LabelledImage, DecodedImage, PreparedImage]]:
    """Decode and prepare labelled images one by one, in order.

    Returns:
        Each image (its plane filled in from a DICOM file that says it), decoded, and prepared.

    Raises:
        TrainingDataError: if an image cannot be read.
    """
    for image in images:
        decoded = decode_labelled(image)
        plane = decoded.acquisition.plane
        known = replace(image, plane=plane) if image.plane == UNKNOWN and plane else image
        yield known, decoded, prepare_image(decoded, parameters)


def prepare_part(
    images: Sequence[LabelledImage],
    parameters: PreprocessingParameters,
    on_prepared: OnPrepared | None = None,
) -> PreparedPart:
    """Decode and prepare labelled images the way a night does."""
    known, prepared = [], []
    for image, _, one in prepare_images(images, parameters):
        known.append(image)
        prepared.append(one)
        if on_prepared is not None:
            on_prepared(len(prepared), len(images))
    return PreparedPart(images=known, prepared=prepared)


def score_part(bundle: Bundle, part: PreparedPart) -> ScoredPart:
    """Score a prepared part with a bundle.

    A slice without a finite score is flagged by the chain; it ranks as the surest tumour.
    """
    raw = load_scorer(bundle, threads=2).score(part.inputs, part.picture_features)
    reasons = decide_all(raw, bundle.card.limits)
    cleared = [reason in CLEARED_REASONS for reason in reasons]
    slices = ScoredSlices(
        probabilities=np.nan_to_num(raw.probabilities, nan=1.0),
        flagged=~np.array(cleared, dtype=bool),
        labels=part.labels,
        groups=part.groups,
        strata={
            "source": np.array([image.source for image in part.images]),
            "tumor_type": np.array([image.tumor_type or UNKNOWN for image in part.images]),
            "plane": np.array([image.plane for image in part.images]),
            "lesion_size": name_sizes(part.images, part.prepared),
        },
    )
    return ScoredPart(raw=raw, reasons=reasons, slices=slices)


def measure_part(bundle: Bundle, part: PreparedPart) -> dict[str, Any]:
    """Score a prepared part with a bundle and return its metrics, as plain values."""
    return measure_scores(bundle, part, score_part(bundle, part))


def measure_scores(
    bundle: Bundle,
    part: PreparedPart,
    scored: ScoredPart,
    prevalence: float = DEFAULT_PREVALENCE,
) -> dict[str, Any]:
    """Return the metrics of a scored part, as plain values for a card or for JSON."""
    return {
        **summarise(scored.slices, SPLIT_SEED, prevalence),
        "prevalence": prevalence,
        "out_of_scope": float((scored.reasons == str(Reason.NOT_BRAIN_MR)).mean()),
        "localisation": measure_maps(
            part.images,
            part.prepared,
            scored.raw.tumor_maps,
            bundle.card.map_threshold,
            SPLIT_SEED,
        ),
    }


def decide_all(scores: RawScores, limits: DecisionLimits) -> npt.NDArray[np.object_]:
    """Return the reason of each scored slice, (n,)."""
    failures = np.full(len(scores.probabilities), None, dtype=object)
    return decide_reasons(failures, scores.probabilities, scores.scope_scores, limits)
