"""weights.json: what LIME found, in numbers, with all that it takes to find it again.

It holds no object key and nothing of the patient. Sorted keys and rounded numbers: the same
explanation is the same file, byte for byte.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Final, TypeAlias

import numpy as np

from model.explanation import BLUR_SHARE, Explanation
from model.explanation_fit import DECIMALS, HIDDEN_SHARE, KERNEL_WIDTH
from model.explanation_outline import Contour
from model.explanation_quality import ExplanationQuality
from model.explanation_segments import (
    BACKGROUND_SEGMENTS,
    DEFAULT_SEGMENTATION,
    FEWEST_SEGMENTS,
    SCALE,
    SEGMENTS_WANTED,
)
from model.images import Box
from model.overlay import Caption
from model.preprocessing import PreparedImage

FORMAT_VERSION: Final = 2

Record: TypeAlias = dict[str, object]


def encode_record(  # noqa: PLR0913 - the parts of the record
    explanation: Explanation,
    quality: ExplanationQuality,
    contours: list[Contour],
    box: Box | None,
    prepared: PreparedImage,
    caption: Caption,
) -> bytes:
    """Write an explanation as JSON in UTF-8, ending in a newline."""
    record: Record = {
        "format_version": FORMAT_VERSION,
        "image_id": caption.image_id,
        "bundle_digest": caption.bundle_digest,
        "probability": round(caption.probability, DECIMALS),
        "threshold": round(caption.threshold, DECIMALS),
        "reason": caption.reason,
        "explained": "log-odds of the picture with its surroundings",
        "explained_probability": explanation.probability,
        "seed": explanation.seed,
        "perturbations": explanation.perturbations,
        "hidden_share": HIDDEN_SHARE,
        "kernel": {"distance": "cosine", "width": KERNEL_WIDTH},
        "segmentation": {
            "method": DEFAULT_SEGMENTATION,
            "wanted": SEGMENTS_WANTED,
            "wanted_outside": BACKGROUND_SEGMENTS,
            "scale": SCALE,
            "below_so_many": {"segments": FEWEST_SEGMENTS, "method": "slic"},
            "hidden_as": "blurred mean of head or surroundings",
            "blur_share": round(BLUR_SHARE, DECIMALS),
        },
        "intercept": explanation.intercept,
        "local_prediction": explanation.local_prediction,
        "quality": {**asdict(quality), "doubts": quality.doubts},
        "segments": describe_segments(explanation, prepared),
        "tumor_map": {"outlines": contours, "box": None if box is None else asdict(box)},
    }
    return (json.dumps(record, sort_keys=True, indent=1, allow_nan=False) + "\n").encode("utf-8")


def describe_segments(explanation: Explanation, prepared: PreparedImage) -> list[Record]:
    """List the segments, strongest first: number, weight, and where they lie.

    Centres are in pixels of the original image, x to the right and y down; ``area_share`` is the
    part of the explained square that one covers, ``head_share`` how much of it is head, 0..1.
    """
    order = np.argsort(-np.abs(explanation.weights), kind="stable")
    return [_describe_segment(explanation, prepared, int(number)) for number in order]


def _describe_segment(explanation: Explanation, prepared: PreparedImage, number: int) -> Record:
    segment = explanation.segments == number
    rows, columns = np.nonzero(segment)
    cell = prepared.region.side / explanation.segments.shape[0]
    x = prepared.region.x + (float(columns.mean()) + 0.5) * cell
    y = prepared.region.y + (float(rows.mean()) + 0.5) * cell
    return {
        "segment": number,
        "weight": float(explanation.weights[number]),
        "area_share": round(rows.size / segment.size, DECIMALS),
        "head_share": round(float(explanation.head[segment].mean()), DECIMALS),
        "centre_x": round(x * prepared.original_width / prepared.decoded_width, 1),
        "centre_y": round(y * prepared.original_height / prepared.decoded_height, 1),
    }
