"""Versions of one small bundle, made by writing its card anew: Keras is needed for the first."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from model.bundle import CARD_FILE, MODEL_FILE, Bundle, open_bundle


def make_version(tiny: Bundle, folder: Path, version: str, **changes: object) -> Bundle:
    """Write a bundle with the same network and a card of another version.

    Args:
        tiny: as `tests.builders.write_tiny_bundle` makes it.
        folder: below which the bundle's folder is made.
        version: of the new bundle.
        changes: of the card.
    """
    place = folder / version
    place.mkdir(parents=True)
    shutil.copyfile(tiny.folder / MODEL_FILE, place / MODEL_FILE)
    card = tiny.card.model_copy(update={"version": version, **changes})
    text = json.dumps(card.model_dump(mode="json"), indent=1)
    (place / CARD_FILE).write_text(text, encoding="utf-8")
    return open_bundle(place)


def make_metrics(auc: float, sensitivity: float = 0.99, margin: float = 0.01) -> dict[str, object]:
    """Make what a card says of the test part, each figure with an interval of `margin`."""

    def interval(value: float) -> dict[str, float]:
        return {"value": value, "low": value - margin, "high": min(1.0, value + margin)}

    overall = {
        "auc": interval(auc),
        "sensitivity": interval(sensitivity),
        "specificity": interval(0.8),
        "specificity_at_sensitivity": {"0.99": interval(0.8)},
    }
    return {"overall": overall}
