"""Figures of finished rows, as a comparison keeps them, for tests of what is made of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from model.comparison import measure_test, take_reading
from model.comparison_inputs import ComparedPart
from model.comparison_rows import find_row
from model.comparison_training import Stretch
from model.metrics import Floats

SLICES = 40
LABELS = np.array([1, 1, 1, 0] * (SLICES // 4), dtype=np.int64)

ALWAYS_TUMOR = np.full(SLICES, 0.7)


def scores_with_overlap(overlap: float) -> Floats:
    """Spread scores so that normals reach `overlap` into the tumours."""
    spread = np.linspace(0.0, 1.0, SLICES)
    return np.where(LABELS == 1, 0.5 + spread / 2, spread * (0.5 + overlap))


def make_part(size: int = 32) -> ComparedPart:
    """Make a part of black pictures, two slices a group."""
    return ComparedPart(
        inputs=np.zeros((SLICES, size, size), np.uint8),
        labels=LABELS,
        groups=np.array([f"g{number // 2}" for number in range(SLICES)]),
        sources=np.array(["drawn"] * SLICES),
    )


def make_figures(name: str, probabilities: Floats) -> dict[str, Any]:
    """Make a row's figures whose network gives these probabilities from the first epoch on."""
    row, part = find_row(name), make_part()
    readings = [
        take_reading(Stretch(epoch, 100 * epoch, 0.7 / epoch, 0.6), probabilities, part)
        for epoch in (1, 2, 3)
    ]
    return {
        "name": name,
        "title": row.title,
        "pretrained": False,
        "size": row.size,
        "sees": row.sees,
        "drawing": row.drawing,
        "parameters": 1234567,
        "pictures_seen": 300,
        "images_a_second": 98765.4,
        "threshold": 0.4,
        "readings": [reading.as_record() for reading in readings],
        "settings": {"first_weights": "none"},
        **measure_test(probabilities, part, 0.4),
    }


def make_content(*rows: dict[str, Any]) -> dict[str, Any]:
    """Make what stands in ``compare.json``."""
    part = {"n": SLICES, "groups": SLICES // 2, "tumors": 0.75}
    return {
        "data_digest": "d",
        "code_version": "test",
        "budget_minutes": 15.0,
        "parts": {"fit": part, "calibration": part, "test": part},
        "rows": list(rows),
    }
