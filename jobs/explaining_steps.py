"""What a worker does with an image to explain: fetch, decode, prepare, perturb, fit, draw.

Independent of Spark and TensorFlow, as `jobs.scoring_steps` is, with the same tools: what is
explained is fetched, decoded, prepared and scored exactly as it was for the night's row.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt

from jobs.lake import LakeObject
from jobs.scoring_steps import DecodedFrames, ScoringTools
from model.errors import ImageError, UnreadableError
from model.explanation import ScorePictures, explain_picture
from model.explanation_outline import outline_lesion
from model.explanation_quality import measure_quality
from model.explanation_record import encode_record
from model.images import DecodedImage
from model.overlay import Caption, draw_overlay
from model.overlay_panels import BLUE_ORANGE, Marking
from model.preprocessing import PreparedImage, PreprocessingParameters, prepare_unmasked

LOG = logging.getLogger(__name__)

LONGEST_DETAIL: Final = 300  # characters
WITHHELD: Final = "text is burned into the pixels, it may name the patient: no overlay is drawn"


@dataclass(frozen=True)
class ChosenImage:
    """One image of the sample.

    Attributes:
        source: the object that holds it.
        frame: index in the object, from 0.
        image_id: keyed hash.
        probability: as scored, 0..1.
        reason: that it is flagged for.
    """

    source: LakeObject
    frame: int
    image_id: str
    probability: float
    reason: str


@dataclass(frozen=True)
class ExplainedImage:
    """What became of one image of the sample; where the overlay is missing, the detail says why.

    Attributes:
        image_id: keyed hash.
        overlay: a PNG, or None.
        overlay_colour_blind: the same in blue and orange.
        weights: a JSON text, or None.
        r_squared: local fidelity, or None; this and the next three as in `ExplanationQuality`.
        stability: rank agreement of two halves, or None.
        inside_head: share of the positive weight inside the head, or None.
        map_agreement: with the model's own map, or None.
        doubts: what speaks against trusting it, in one line; empty for nothing.
        outlines: of the tumour map, each as x, y, x, y ... in pixels of the original.
        detail: why there is no overlay, or None.
        may_leave_lake: false where text may be burned into the overlay's pixels; None without
            an overlay.
    """

    image_id: str
    overlay: bytes | None = None
    overlay_colour_blind: bytes | None = None
    weights: bytes | None = None
    r_squared: float | None = None
    stability: float | None = None
    inside_head: float | None = None
    map_agreement: float | None = None
    doubts: str | None = None
    outlines: list[list[float]] | None = None
    detail: str | None = None
    may_leave_lake: bool | None = None


@dataclass(frozen=True)
class ExplainingTerms:
    """What holds for every explanation of a night.

    Attributes:
        threshold: from which probability an image is flagged.
        map_threshold: from which value the tumour map counts as lesion.
        bundle_digest: of the model.
        preprocessing: of the bundle.
        perturbations: pictures scored for one explanation.
        seed: of the sampling.
    """

    threshold: float
    map_threshold: float
    bundle_digest: str
    preprocessing: PreprocessingParameters
    perturbations: int
    seed: int


def explain_image(
    image: ChosenImage,
    tools: ScoringTools,
    terms: ExplainingTerms,
) -> ExplainedImage:
    """Explain one image; whatever goes wrong becomes a detail, for the night must go on."""
    try:
        return _explain(image, tools, terms)
    except ImageError as error:
        return ExplainedImage(image.image_id, detail=str(error)[:LONGEST_DETAIL])
    except Exception as error:  # noqa: BLE001 - an explanation is worth less than the night
        # The class only: the text of an exception may quote what the file says of the patient.
        LOG.error("%s while explaining image %s", type(error).__name__, image.image_id)  # noqa: TRY400
        detail = f"unexpected {type(error).__name__} while explaining the image"
        return ExplainedImage(image.image_id, detail=detail)


def _explain(image: ChosenImage, tools: ScoringTools, terms: ExplainingTerms) -> ExplainedImage:
    decoded = _decode_frame(tools.decode(tools.fetch(image.source)), image.frame)
    prepared = tools.prepare(decoded)
    explanation = explain_picture(
        prepare_unmasked(decoded, terms.preprocessing),
        _make_score_pictures(prepared, tools),
        perturbations=terms.perturbations,
        seed=terms.seed,
        batch_size=tools.batch_size,
    )
    marking = _mark(prepared, tools, terms.map_threshold)
    outlines = outline_lesion(marking.tumor_map, prepared, terms.map_threshold)
    quality = measure_quality(
        explanation, decoded.pixels, prepared.region, marking.tumor_map, terms.map_threshold
    )
    caption = Caption(
        image.image_id, terms.bundle_digest, image.probability, terms.threshold, image.reason
    )
    explained = ExplainedImage(
        image.image_id,
        weights=encode_record(explanation, quality, outlines, marking.box, prepared, caption),
        r_squared=quality.fidelity,
        stability=quality.stability,
        inside_head=quality.inside_head,
        map_agreement=quality.map_agreement,
        doubts="; ".join(quality.doubts),
        outlines=[[number for corner in outline for number in corner] for outline in outlines],
    )
    if decoded.burned_in_text:
        return replace(explained, detail=WITHHELD)
    draw = partial(draw_overlay, decoded.pixels, prepared, marking, explanation, quality, caption)
    return replace(
        explained,
        overlay=draw(),
        overlay_colour_blind=draw(palette=BLUE_ORANGE),
        # Only DICOM can say that there is none; raster files never say anything of it.
        may_leave_lake=decoded.burned_in_text is False or decoded.format != "dicom",
    )


def _decode_frame(frames: DecodedFrames, wanted: int) -> DecodedImage:
    for number, frame in enumerate(frames):
        if number == wanted:
            if isinstance(frame, ImageError):
                raise frame
            return frame
    message = f"frame {wanted} is no longer in the object"
    raise UnreadableError(message)


def _make_score_pictures(prepared: PreparedImage, tools: ScoringTools) -> ScorePictures:
    def score_pictures(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        # The features feed the scope gate only, which no perturbation is asked about.
        features = np.tile(prepared.picture_features, (len(pictures), 1))
        probabilities: npt.NDArray[np.float64] = tools.score(pictures, features).probabilities
        return probabilities

    return score_pictures


def _mark(prepared: PreparedImage, tools: ScoringTools, map_threshold: float) -> Marking:
    inputs = prepared.network_input[np.newaxis]
    tumor_map = tools.score(inputs, prepared.picture_features[np.newaxis]).tumor_maps[0]
    return Marking(tumor_map, map_threshold, tools.locate(tumor_map, prepared).box)
