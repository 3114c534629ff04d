"""Limits for an engine that computes in fewer digits, and how its decisions compare with fp32's.

A missed tumour is the worst outcome: the threshold is never above the bundle's own, and low enough
that no tumour of the calibration part is lost that fp32 flags.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from model.bundle import CARD_FILE, MODEL_FILE, Bundle, open_bundle, refuse_existing
from model.card import EngineCalibration
from model.decision import DecisionLimits
from model.derived_network import derive_or_find
from model.engine_choice import EngineChoice
from model.errors import BundleError
from model.evaluated_part import EvaluatedPart
from model.inference import RawScores, load_scorer
from model.measurement import OnPrepared, decide_all, prepare_part
from model.reasons import CLEARED_REASONS

SAFETY: Final = 0.5
"""In log-odds, below the lowest score of a tumour that must stay flagged: the part is a sample."""

BATCH_SIZE: Final = 32


def calibrate_bundle(
    bundle: Bundle,
    part: EvaluatedPart,
    choice: EngineChoice,
    cache: Path,
    on_prepared: OnPrepared | None = None,
) -> EngineCalibration:
    """Score a calibration part in fp32 and on an engine, and choose that engine's limits.

    Args:
        bundle: verified.
        part: of `choose_calibration`.
        choice: the engine.
        cache: folder for what the engine makes of the bundle.
        on_prepared: told how many images are prepared.

    Raises:
        BundleError: if the network cannot be loaded.
        ConfigurationError: if the engine is not installed, or the processor lacks its precision.
    """
    derived = derive_or_find(bundle, choice, BATCH_SIZE, cache)
    prepared = prepare_part(part.images, bundle.card.preprocessing, on_prepared)
    reference = load_scorer(bundle, batch_size=BATCH_SIZE, threads=2)
    other = load_scorer(bundle, batch_size=BATCH_SIZE, threads=2, derived=derived)
    expected, found = (
        scorer.score(prepared.inputs, prepared.picture_features) for scorer in (reference, other)
    )
    return compare_scores(expected, found, prepared.labels, bundle.card.limits)


def compare_scores(
    expected: RawScores,
    found: RawScores,
    labels: npt.NDArray[np.int64],
    limits: DecisionLimits,
) -> EngineCalibration:
    """Choose the limits for an engine and count what it decides otherwise.

    Args:
        expected: scores of n images in fp32.
        found: scores of the same images on the engine.
        labels: (n,) 1 for tumour.
        limits: that fp32 decides by.
    """
    before = _flagged(expected, limits)
    kept = found.probabilities[(labels == 1) & (expected.probabilities >= limits.threshold)]
    lowest = float(kept.min()) if kept.size else limits.threshold
    own = replace(limits, threshold=min(limits.threshold, _below(lowest)))
    after = _flagged(found, own)
    return EngineCalibration(
        threshold=own.threshold,
        minimum_scope_score=own.minimum_scope_score,
        compared=len(labels),
        newly_flagged=int((after & ~before).sum()),
        newly_cleared=int((before & ~after).sum()),
        tumors_lost=int((before & ~after & (labels == 1)).sum()),
    )


def write_calibrated(
    bundle: Bundle,
    choice: EngineChoice,
    calibration: EngineCalibration,
    version: str,
    out: Path,
) -> Bundle:
    """Write a copy of a bundle whose card knows the engine's limits, under a version of its own.

    Raises:
        BundleError: if the folder exists, or the version is the bundle's own.
    """
    refuse_existing(out)
    if version == bundle.card.version:
        message = f"version {version} is the bundle's own: a changed card needs another version"
        raise BundleError(message)
    engines = {**bundle.card.engines, choice.label: calibration}
    card = bundle.card.model_copy(update={"engines": engines, "version": version})
    out.mkdir(parents=True)
    shutil.copyfile(bundle.folder / MODEL_FILE, out / MODEL_FILE)
    text = json.dumps(card.model_dump(mode="json"), indent=1, sort_keys=True)
    (out / CARD_FILE).write_text(text + "\n", encoding="utf-8")
    return open_bundle(out)


def _flagged(scores: RawScores, limits: DecisionLimits) -> npt.NDArray[np.bool_]:
    reasons = decide_all(scores, limits)
    return np.array([reason not in CLEARED_REASONS for reason in reasons], dtype=bool)


def _below(probability: float) -> float:
    odds = np.log(probability / (1.0 - probability)) - SAFETY if 0 < probability < 1 else -SAFETY
    return float(1.0 / (1.0 + np.exp(-odds)))
