"""Measure explanations on images whose tumours people have outlined.

Each image is one record of plain numbers, so that a bench that was stopped goes on; the table is
made from the records. What has a free limit (from which heat on a pixel counts as marked, which
segmentation is the default) is chosen on the calibration part; the test part is only measured.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final, TypeAlias, get_args

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.explanation import Explanation, ScorePictures, blur_within, explain_picture
from model.explanation_fit import rank_agreement
from model.explanation_measures import (
    POINTING_TOLERANCE,
    dice_by_share,
    draw_centre_prior,
    points_at,
    trace_curves,
)
from model.explanation_quality import outline_in_region, share_of_positive
from model.explanation_segments import DEFAULT_SEGMENTATION, SegmentationName
from model.images import DecodedImage
from model.localisation import outline_in_cells, points_into, read_outline
from model.preprocessing import PreparedImage, PreprocessingParameters, prepare_unmasked
from model.training_data import LabelledImage
from model.tumor_map import TumorMap

Record: TypeAlias = dict[str, Any]

Heat: TypeAlias = npt.NDArray[np.float64]

SEEDS: Final = (1, 2, 3, 4, 5)
ORDERS: Final = ("lime", "gradcam", "map", "centre", "random")
"""What ranks the segments of the curves."""

SEGMENTATIONS: Final[tuple[SegmentationName, ...]] = get_args(SegmentationName)


@dataclass(frozen=True)
class Tools:
    """What scores and explains in a bench.

    Attributes:
        score_pictures: probabilities of the bundle.
        map_of: (size, size) picture in, tumour map out.
        gradcam: (size, size) picture in, heat out.
        parameters: of the bundle's preprocessing.
        perturbations: of each explanation.
        batch_size: pictures a call.
    """

    score_pictures: ScorePictures
    map_of: Callable[[npt.NDArray[np.uint8]], TumorMap]
    gradcam: Callable[[npt.NDArray[np.uint8]], Heat]
    parameters: PreprocessingParameters
    perturbations: int
    batch_size: int

    def explain(
        self,
        picture: npt.NDArray[np.uint8],
        seed: int,
        segmentation: SegmentationName = DEFAULT_SEGMENTATION,
    ) -> Explanation:
        """Explain a picture as a night would."""
        return explain_picture(
            picture,
            self.score_pictures,
            perturbations=self.perturbations,
            seed=seed,
            batch_size=self.batch_size,
            segmentation=segmentation,
        )


@dataclass(frozen=True)
class BenchImage:
    """An outlined image as a bench sees it.

    Attributes:
        labelled: of the index.
        decoded: its pixels.
        prepared: as a night prepares it.
    """

    labelled: LabelledImage
    decoded: DecodedImage
    prepared: PreparedImage

    def outline(self, size: int) -> npt.NDArray[np.bool_]:
        """Return what people drew, in the square that the network saw, (size, size)."""
        drawn = read_outline(self.labelled, self.prepared)
        assert drawn is not None  # noqa: S101 - only outlined images are chosen
        return outline_in_cells(drawn, self.prepared, size)


def choose_images(
    images: Sequence[LabelledImage],
    count: int,
    seed: int,
) -> list[LabelledImage]:
    """Draw outlined images by lot: by a hash of their names, so that others change nothing."""
    outlined = [image for image in images if image.mask is not None]

    def lot(image: LabelledImage) -> str:
        name = "/".join(image.path.parts[-3:])
        return hashlib.sha256(f"{seed}:{name}".encode()).hexdigest()

    return sorted(outlined, key=lot)[:count]


def measure_image(image: BenchImage, tools: Tools) -> Record:
    """Measure every explanation of one test image."""
    picture = prepare_unmasked(image.decoded, tools.parameters)
    outline = image.outline(len(picture))
    explanations = [tools.explain(picture, seed) for seed in SEEDS]
    first = explanations[0]
    tumor_map = tools.map_of(image.prepared.network_input)
    map_outline = image.outline(len(tumor_map))
    heats = _heats(picture, first, tumor_map, tools)
    head = outline_in_region(image.decoded.pixels, image.prepared.region, len(picture))
    pairs = list(combinations([one.weights for one in explanations], 2))
    curves = trace_curves(
        picture,
        blur_within(picture, first.head),
        first.segments,
        [heats[name] for name in ORDERS],
        tools.score_pictures,
    )
    located = ("lime", "gradcam", "map")
    return {
        "probability": first.probability,
        "segments": len(first.weights),
        "fidelity": [one.r_squared for one in explanations],
        "stability_of_halves": first.stability,
        "agreement": _mean([rank_agreement(*pair) for pair in pairs]),
        "inside_head": None if head is None else share_of_positive(first, head),
        # The map's own cells judge the map, as `mri-triage evaluate` does.
        "points": {name: points_at(heats[name], outline) for name in ("lime", "gradcam")}
        | {"map": points_into(tumor_map, map_outline)},
        "points_nearly": {
            name: points_at(heats[name], outline, tolerance=POINTING_TOLERANCE) for name in located
        },
        "dice": {name: dice_by_share(heats[name], outline) for name in located},
        "curves": dict(zip(ORDERS, curves, strict=True)),
    }


def measure_segmentations(image: BenchImage, tools: Tools) -> Record:
    """Measure every segmentation on one calibration image, and what its limits need."""
    picture = prepare_unmasked(image.decoded, tools.parameters)
    outline = image.outline(len(picture))
    head = outline_in_region(image.decoded.pixels, image.prepared.region, len(picture))
    measured: Record = {}
    for name in SEGMENTATIONS:
        one, other = (tools.explain(picture, seed, name) for seed in SEEDS[:2])
        measured[name] = {
            "segments": len(one.weights),
            "fidelity": one.r_squared,
            "agreement": rank_agreement(one.weights, other.weights),
            "points": points_at(one.heat, outline),
            "inside_head": None if head is None else share_of_positive(one, head),
            "dice": dice_by_share(one.heat, outline),
        }
    return {
        "segmentations": measured,
        "dice": {
            "lime": measured[DEFAULT_SEGMENTATION]["dice"],
            "gradcam": dice_by_share(tools.gradcam(picture), outline),
            "map": dice_by_share(
                enlarge_map(tools.map_of(image.prepared.network_input), len(picture)), outline
            ),
        },
    }


def measure_shuffled(image: BenchImage, tools: Tools, shuffled: ScorePictures) -> Record:
    """Compare the explanation of a picture with that of the shuffled network."""
    picture = prepare_unmasked(image.decoded, tools.parameters)
    learned, again = (tools.explain(picture, seed) for seed in SEEDS[:2])
    unlearned = explain_picture(
        picture,
        shuffled,
        perturbations=tools.perturbations,
        seed=SEEDS[0],
        batch_size=tools.batch_size,
    )
    return {
        "other_seed": rank_agreement(learned.weights, again.weights),
        "shuffled": rank_agreement(learned.weights, unlearned.weights),
    }


def enlarge_map(tumor_map: TumorMap, size: int) -> Heat:
    """Return a tumour map as (size, size)."""
    image = Image.fromarray(np.asarray(tumor_map, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float64)


def _heats(
    picture: npt.NDArray[np.uint8],
    explanation: Explanation,
    tumor_map: TumorMap,
    tools: Tools,
) -> dict[str, Heat]:
    generator = np.random.default_rng(SEEDS[0])
    lots = generator.random(len(explanation.weights))
    return {
        "lime": explanation.heat,
        "gradcam": tools.gradcam(picture),
        "map": enlarge_map(tumor_map, len(picture)),
        "centre": draw_centre_prior(explanation.head),
        "random": lots[explanation.segments],
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(float(np.mean(known)), 4) if known else None
