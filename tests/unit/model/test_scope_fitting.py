from __future__ import annotations

import numpy as np
import numpy.typing as npt

from model.preprocessing import PICTURE_FEATURE_NAMES
from model.scope_fitting import (
    DISTANCE_LOST_SHARE,
    EVIDENCE_LOST_SHARE,
    GateInputs,
    ScopeInputs,
    choose_limit,
    fit_evidence,
    fit_picture_statistics,
    fit_scope_gate,
    fit_whitening,
)
from model.scope_gate import (
    feature_distances,
    logistic_score,
    measure_evidence,
    scope_scores,
    squared_lengths,
)

Features = npt.NDArray[np.float32]
PICTURE_FEATURES = len(PICTURE_FEATURE_NAMES)
SIZE = 60


def test_a_picture_far_from_all_brain_mr_scores_low_and_a_typical_one_high() -> None:
    random = np.random.default_rng(5)
    features = random.normal(0, 1, (500, 60)).astype(np.float32)
    whitening = fit_whitening(features)

    lengths = squared_lengths(((features - whitening.mean) @ whitening.matrix).astype(np.float32))
    limit, scale = choose_limit(lengths, 0.01)
    strange = (np.full((1, 60), 9.0) - whitening.mean) @ whitening.matrix

    assert (logistic_score(lengths, limit, scale) < 0.5).mean() <= 0.012
    assert logistic_score(squared_lengths(strange.astype(np.float32)), limit, scale)[0] < 0.01


def test_a_direction_that_brain_mr_never_uses_counts() -> None:
    random = np.random.default_rng(6)
    features = np.zeros((400, 60), dtype=np.float32)
    features[:, :10] = random.normal(0, 1, (400, 10))
    whitening = fit_whitening(features)

    unused = np.zeros((1, 60))
    unused[0, 40] = 3.0
    used = np.zeros((1, 60))
    used[0, 2] = 3.0

    far = squared_lengths(((unused - whitening.mean) @ whitening.matrix).astype(np.float32))
    near = squared_lengths(((used - whitening.mean) @ whitening.matrix).astype(np.float32))
    assert far[0] > 20 * near[0]


def test_a_feature_that_never_varies_does_not_make_everything_infinitely_far() -> None:
    pictures = np.column_stack([np.zeros(200), np.random.default_rng(1).normal(0, 1, 200)])

    mean, precision = fit_picture_statistics(pictures.astype(np.float32))
    distances = feature_distances(np.array([[0.01, 0.0]], dtype=np.float32), mean, precision)

    assert 0.5 < distances[0] < 2.0


def _normal(random: np.random.Generator, count: int, size: int, mean: float = 0.0) -> Features:
    return random.normal(mean, 1.0, (count, size)).astype(np.float32)


def _inputs() -> GateInputs:
    """Brain MR varies in all features; strange pictures differ a little in half of them."""
    random = np.random.default_rng(11)
    strange = _normal(random, 300, SIZE)
    strange[:, ::2] += 1.0
    return GateInputs(
        fit=ScopeInputs(_normal(random, 900, SIZE), _normal(random, 900, PICTURE_FEATURES)),
        changed_features=_normal(random, 300, SIZE),
        held=ScopeInputs(_normal(random, 2000, SIZE), _normal(random, 2000, PICTURE_FEATURES)),
        strange_features=strange,
    )


def test_evidence_tells_apart_what_a_distance_cannot() -> None:
    inputs = _inputs()
    whitening = fit_whitening(inputs.fit.features)
    brain, strange = (
        whitening.apply(features) for features in (inputs.fit.features, inputs.strange_features)
    )

    weights = fit_evidence(brain[:450], strange[:150])

    limit, _ = choose_limit(squared_lengths(brain), 0.01)
    threshold = np.quantile(measure_evidence(brain[450:], weights), 0.01)
    assert (squared_lengths(strange[150:]) > limit).mean() < 0.9
    assert (measure_evidence(strange[150:], weights) < threshold).mean() > 0.95


def test_the_gate_loses_no_more_of_the_calibration_part_than_it_was_told() -> None:
    inputs = _inputs()

    whitening, statistics = fit_scope_gate(inputs)

    lost = scope_scores(whitening.apply(inputs.held.features), inputs.held.pictures, statistics)
    told = 2 * DISTANCE_LOST_SHARE + EVIDENCE_LOST_SHARE
    assert 0.0 < (lost < 0.5).mean() <= told + 0.001


def test_the_gate_catches_strange_pictures_that_it_was_not_fitted_on() -> None:
    inputs = _inputs()
    random = np.random.default_rng(12)
    unseen = _normal(random, 200, SIZE)
    unseen[:, ::2] += 1.0

    whitening, statistics = fit_scope_gate(inputs)

    pictures = np.zeros((200, PICTURE_FEATURES), dtype=np.float32)
    scores = scope_scores(whitening.apply(unseen), pictures, statistics)
    assert (scores < 0.5).mean() > 0.95
    assert statistics.check is None


def test_brain_mr_that_hospitals_change_counts_as_brain_mr() -> None:
    inputs = _inputs()
    shifted = inputs.changed_features.copy()
    shifted[:, 1] += 25.0
    changed = GateInputs(inputs.fit, shifted, inputs.held, inputs.strange_features)

    def lost_share(fitted_on: GateInputs) -> float:
        whitening, statistics = fit_scope_gate(fitted_on)
        pictures = np.zeros((len(shifted), PICTURE_FEATURES), dtype=np.float32)
        return float((scope_scores(whitening.apply(shifted), pictures, statistics) < 0.5).mean())

    assert lost_share(inputs) > 0.9
    assert lost_share(changed) < 0.1
