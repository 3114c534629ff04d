from __future__ import annotations

import numpy as np

from model.card import ScopeStatistics
from model.preprocessing import PICTURE_FEATURE_NAMES
from model.scope_gate import scope_scores

FEATURES = len(PICTURE_FEATURE_NAMES)


def _statistics() -> ScopeStatistics:
    identity = np.eye(FEATURES).tolist()
    return ScopeStatistics(
        embedding_limit=10.0,
        embedding_scale=1.0,
        evidence_weights=(1.0,),
        evidence_limit=-8.0,
        feature_mean=(0.0,) * FEATURES,
        feature_precision=tuple(tuple(row) for row in identity),
        feature_limit=10.0,
        feature_scale=1.0,
    )


def _score(embedding: float, picture_feature: float = 0.0) -> float:
    pictures = np.zeros((1, FEATURES), dtype=np.float32)
    pictures[0, 4] = picture_feature
    embeddings = np.array([[embedding]], dtype=np.float32)
    return float(scope_scores(embeddings, pictures, _statistics())[0])


def test_a_typical_picture_is_in_scope() -> None:
    assert _score(0.0) > 0.99


def test_the_least_of_distance_evidence_and_picture_decides() -> None:
    statistics = _statistics().model_copy(update={"evidence_weights": (4.0,)})
    nothing_odd = np.zeros((1, FEATURES), dtype=np.float32)
    speaks_against = np.array([[-2.5]], dtype=np.float32)  # inside the distance's limit of 10

    assert _score(10.0) < 0.01  # far, though the evidence speaks for it
    assert _score(0.0, picture_feature=10.0) < 0.01
    assert _score(-2.5) > 0.9
    assert scope_scores(speaks_against, nothing_odd, statistics)[0] < 0.2


def test_evidence_is_half_in_scope_at_its_limit() -> None:
    statistics = _statistics().model_copy(update={"embedding_limit": 1000.0})
    pictures = np.zeros((1, FEATURES), dtype=np.float32)

    scores = scope_scores(np.array([[-8.0]], dtype=np.float32), pictures, statistics)

    np.testing.assert_allclose(scores, 0.5, atol=1e-6)


def test_a_score_that_is_not_a_number_stays_not_a_number() -> None:
    scores = scope_scores(
        np.array([[np.nan]], dtype=np.float32),
        np.zeros((1, FEATURES), dtype=np.float32),
        _statistics(),
    )

    assert np.isnan(scores[0])
