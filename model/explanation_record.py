"""weights.json: what LIME found, in numbers, with all that it takes to find it again.

It holds no object key and nothing of the patient. Sorted keys and rounded numbers: the same
explanation is the same file, byte for byte.
"""

from __future__ import annotations

import json
from typing import Final, TypeAlias

import numpy as np

from model.explanation import (
    BACKGROUND,
    BLUR_SHARE,
    COMPACTNESS,
    DECIMALS,
    KERNEL_WIDTH,
    SEGMENTATION,
    SEGMENTS_WANTED,
    Explanation,
)
from model.overlay import Caption
from model.preprocessing import PreparedImage

FORMAT_VERSION: Final = 1

Record: TypeAlias = dict[str, object]


def encode_record(explanation: Explanation, prepared: PreparedImage, caption: Caption) -> bytes:
    """Write an explanation as JSON in UTF-8, ending in a newline."""
    record: Record = {
        "format_version": FORMAT_VERSION,
        "image_id": caption.image_id,
        "bundle_digest": caption.bundle_digest,
        "probability": round(caption.probability, DECIMALS),
        "threshold": round(caption.threshold, DECIMALS),
        "seed": explanation.seed,
        "perturbations": explanation.perturbations,
        "kernel": {"distance": "cosine", "width": KERNEL_WIDTH},
        "segmentation": {
            "method": SEGMENTATION,
            "wanted": SEGMENTS_WANTED,
            "compactness": COMPACTNESS,
            "hidden_as": "blurred mean inside the head",
            "blur_share": round(BLUR_SHARE, DECIMALS),
        },
        "intercept": explanation.intercept,
        "local_prediction": explanation.local_prediction,
        "explained_probability": explanation.probability,
        "r_squared": explanation.r_squared,
        "segments": describe_segments(explanation, prepared),
    }
    return (json.dumps(record, sort_keys=True, indent=1, allow_nan=False) + "\n").encode("utf-8")


def describe_segments(explanation: Explanation, prepared: PreparedImage) -> list[Record]:
    """List the segments, strongest first: number, weight, and where they lie.

    Centres are in pixels of the original image, x to the right and y down; ``area_share`` is the
    part of the head's segments that one covers, 0..1.
    """
    inside = int(np.count_nonzero(explanation.segments != BACKGROUND))
    order = np.argsort(-np.abs(explanation.weights), kind="stable")
    return [_describe_segment(explanation, prepared, int(number), inside) for number in order]


def _describe_segment(
    explanation: Explanation,
    prepared: PreparedImage,
    number: int,
    inside: int,
) -> Record:
    rows, columns = np.nonzero(explanation.segments == number)
    cell = prepared.region.side / explanation.segments.shape[0]
    x = prepared.region.x + (float(columns.mean()) + 0.5) * cell
    y = prepared.region.y + (float(rows.mean()) + 0.5) * cell
    return {
        "segment": number,
        "weight": float(explanation.weights[number]),
        "area_share": round(rows.size / inside, DECIMALS),
        "centre_x": round(x * prepared.original_width / prepared.decoded_width, 1),
        "centre_y": round(y * prepared.original_height / prepared.decoded_height, 1),
    }
