"""How far an explanation may be trusted, measured on the explanation itself.

Four figures go with every artifact; what falls below a limit is said on the picture's face.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.explanation import Explanation
from model.explanation_fit import DECIMALS
from model.images import GrayPixels
from model.independent_outline import outline_head
from model.preprocessing import Region
from model.tumor_map import TumorMap

LOW_FIT: Final = 0.5  # the segments explain less than half of what the score did
LEAST_STABILITY: Final = 0.5
LEAST_INSIDE: Final = 0.9
LEAST_MAP_AGREEMENT: Final = 1.0
"""Of the mean weight inside the map's outline over that of the head: 1 is chance."""


@dataclass(frozen=True)
class ExplanationQuality:
    """What was measured of one explanation.

    Attributes:
        fidelity: R² of the linear model, at most 1.
        stability: see `Explanation`; None where nothing could be ranked.
        inside_head: share of the positive weight that lies inside the head, 0..1, the head being
            outlined by another method than the model's; None without positive weight or a head.
        map_agreement: share of the positive weight inside the outline of the model's tumour map,
            over that outline's share of the head; 1 is what a blind guess gets. None where the
            map marks nothing or no weight is positive.
    """

    fidelity: float
    stability: float | None
    inside_head: float | None
    map_agreement: float | None

    @property
    def doubts(self) -> list[str]:
        """Say what speaks against trusting the explanation, the gravest first."""
        found: list[str] = []
        if self.inside_head is not None and self.inside_head < LEAST_INSIDE:
            found.append(f"OUTSIDE THE HEAD: {1 - self.inside_head:.0%} of its positive weight")
        if self.stability is None:
            found.append("NOTHING MOVED THE SCORE: there is nothing to rank")
        elif self.stability < LEAST_STABILITY:
            found.append(f"UNSTABLE: two halves agree by {self.stability:.2f} only")
        if self.stability is not None and self.fidelity < LOW_FIT:
            found.append(f"LOW FIT: R2 {self.fidelity:.2f}, the regions explain little")
        if self.map_agreement is not None and self.map_agreement < LEAST_MAP_AGREEMENT:
            found.append("ELSEWHERE than the model's own tumor map")
        return found


def measure_quality(
    explanation: Explanation,
    pixels: GrayPixels,
    region: Region,
    tumor_map: TumorMap,
    map_threshold: float,
) -> ExplanationQuality:
    """Measure an explanation.

    Args:
        explanation: of the region of the decoded picture, best with its surroundings unmasked.
        pixels: the decoded picture, (height, width), 0..1.
        region: the square of it that was explained.
        tumor_map: (m, m), 0..1, over the same square.
        map_threshold: from which value the map counts as lesion.
    """
    size = explanation.segments.shape[0]
    head = outline_in_region(pixels, region, size)
    marked = _enlarge(tumor_map, size) >= map_threshold
    return ExplanationQuality(
        fidelity=explanation.r_squared,
        stability=explanation.stability,
        inside_head=None if head is None else share_of_positive(explanation, head),
        map_agreement=_concentration(explanation, marked),
    )


def share_of_positive(
    explanation: Explanation,
    mask: npt.NDArray[np.bool_],
) -> float | None:
    """Return the share of the positive weight that lies in a mask; None where none is positive.

    A segment counts with its weight, of which a part lies inside as its area does: a large segment
    does not count twice.
    """
    positive = np.maximum(explanation.weights, 0.0)
    total = float(positive.sum())
    if total <= 0.0:
        return None
    areas = np.bincount(explanation.segments.ravel())
    inside = np.bincount(explanation.segments.ravel(), weights=mask.ravel())
    return round(float((positive * inside / areas).sum()) / total, DECIMALS)


def outline_in_region(
    pixels: GrayPixels,
    region: Region,
    size: int,
) -> npt.NDArray[np.bool_] | None:
    """Return the head, outlined by `independent_outline`, in a square region, (size, size)."""
    head = outline_head(pixels)
    if head is None:
        return None
    levels = Image.fromarray(np.where(head, np.uint8(255), np.uint8(0)))
    cut = levels.transform(
        (size, size),
        Image.Transform.EXTENT,
        (region.x, region.y, region.x + region.side, region.y + region.side),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(cut) > 127  # noqa: PLR2004 - half


def _concentration(
    explanation: Explanation,
    marked: npt.NDArray[np.bool_],
) -> float | None:
    share = share_of_positive(explanation, marked)
    area = float((marked & explanation.head).sum()) / float(explanation.head.sum())
    return round(share / area, DECIMALS) if share is not None and area > 0.0 else None


def _enlarge(tumor_map: TumorMap, size: int) -> npt.NDArray[np.float32]:
    image = Image.fromarray(np.asarray(tumor_map, dtype=np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR), dtype=np.float32)
