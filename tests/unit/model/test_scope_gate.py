from __future__ import annotations

import numpy as np

from model.card import ScopeStatistics
from model.preprocessing import PICTURE_FEATURE_NAMES
from model.scope_gate import (
    choose_limit,
    feature_distances,
    fit_picture_statistics,
    fit_whitening,
    logistic_score,
    scope_scores,
    squared_lengths,
)

FEATURES = len(PICTURE_FEATURE_NAMES)


def _statistics() -> ScopeStatistics:
    identity = np.eye(FEATURES).tolist()
    return ScopeStatistics(
        embedding_limit=10.0,
        embedding_scale=1.0,
        feature_mean=(0.0,) * FEATURES,
        feature_precision=tuple(tuple(row) for row in identity),
        feature_limit=10.0,
        feature_scale=1.0,
    )


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


def test_the_worse_of_the_two_distances_decides() -> None:
    embeddings = np.array([[0.0], [10.0], [0.0]], dtype=np.float32)
    pictures = np.zeros((3, FEATURES), dtype=np.float32)
    pictures[2, 4] = 10.0

    scores = scope_scores(embeddings, pictures, _statistics())

    assert scores[0] > 0.99
    assert scores[1] < 0.01
    assert scores[2] < 0.01


def test_a_score_that_is_not_a_number_stays_not_a_number() -> None:

    scores = scope_scores(
        np.array([[np.nan]], dtype=np.float32),
        np.zeros((1, FEATURES), dtype=np.float32),
        _statistics(),
    )

    assert np.isnan(scores[0])


def test_a_feature_that_never_varies_does_not_make_everything_infinitely_far() -> None:
    pictures = np.column_stack([np.zeros(200), np.random.default_rng(1).normal(0, 1, 200)])

    mean, precision = fit_picture_statistics(pictures.astype(np.float32))
    distances = feature_distances(np.array([[0.01, 0.0]], dtype=np.float32), mean, precision)

    assert 0.5 < distances[0] < 2.0
