from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.decision import DecisionLimits, decide_reasons, decisions_of
from model.reasons import Decision, Reason

LIMITS = DecisionLimits(threshold=0.2, minimum_scope_score=0.5)
NAN = float("nan")


@pytest.mark.parametrize(
    ("failure", "probability", "scope_score", "expected"),
    [
        (None, 0.19, 0.9, "below_threshold"),
        (None, 0.2, 0.9, "tumor_suspected"),
        (None, 0.99, 0.9, "tumor_suspected"),
        (None, 0.01, 0.49, "not_brain_mr"),
        (None, 0.99, 0.1, "not_brain_mr"),
        (None, NAN, 0.9, "invalid_score"),
        (None, 0.1, NAN, "invalid_score"),
        (None, -0.1, 0.9, "invalid_score"),
        (None, 1.1, 0.9, "invalid_score"),
        (None, float("-inf"), 0.9, "invalid_score"),
        (None, 0.1, float("inf"), "invalid_score"),
        ("unreadable", 0.01, 0.99, "unreadable"),
        ("not_retrieved", NAN, NAN, "not_retrieved"),
        ("below_threshold", 0.01, 0.99, "invalid_score"),
        ("no such reason", 0.01, 0.99, "invalid_score"),
        ("", 0.01, 0.99, "invalid_score"),
    ],
)
def test_each_rule_gives_its_reason(
    failure: str | None,
    probability: float,
    scope_score: float,
    expected: str,
) -> None:
    reasons = decide_reasons(
        np.array([failure], dtype=object),
        np.array([probability]),
        np.array([scope_score]),
        LIMITS,
    )

    assert reasons.tolist() == [expected]


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.sampled_from([str(r) for r in Reason]), st.text(max_size=5)),
            st.floats(),
            st.floats(),
        ),
        max_size=20,
    ),
    st.floats(0.001, 1.0),
    st.floats(0.0, 1.0),
)
def test_cleared_always_means_no_failure_in_scope_and_below_the_threshold(
    rows: list[tuple[str | None, float, float]],
    threshold: float,
    minimum: float,
) -> None:
    failures = np.array([row[0] for row in rows], dtype=object)
    probabilities = np.array([row[1] for row in rows], dtype=np.float64)
    scopes = np.array([row[2] for row in rows], dtype=np.float64)

    limits = DecisionLimits(threshold=threshold, minimum_scope_score=minimum)
    decisions = decisions_of(decide_reasons(failures, probabilities, scopes, limits))

    for decision, (failure, probability, scope) in zip(decisions, rows, strict=True):
        may_be_cleared = (
            failure is None and 0.0 <= probability < threshold and minimum <= scope <= 1.0
        )
        assert (decision == Decision.CLEARED) == may_be_cleared


@pytest.mark.parametrize("threshold", [0.0, -0.1, 1.1, NAN, float("inf")])
def test_a_threshold_that_could_not_flag_is_refused(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        DecisionLimits(threshold=threshold, minimum_scope_score=0.5)


def test_a_scope_limit_that_is_no_share_is_refused() -> None:
    with pytest.raises(ValueError, match="minimum_scope_score"):
        DecisionLimits(threshold=0.5, minimum_scope_score=NAN)
