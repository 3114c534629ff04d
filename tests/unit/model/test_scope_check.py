from __future__ import annotations

import numpy as np

from model.card import ScopeCount
from model.scope_check import count_out_of_scope


def test_pictures_out_of_scope_are_counted_by_kind_and_over_all() -> None:
    scores = np.array([0.49, 0.5, 0.9, 0.0])

    counts = count_out_of_scope(["noise", "noise", "photograph", "photograph"], scores, 0.5)

    assert counts == {
        "all": ScopeCount(n=4, out_of_scope=2),
        "noise": ScopeCount(n=2, out_of_scope=1),
        "photograph": ScopeCount(n=2, out_of_scope=1),
    }
    assert next(iter(counts)) == "all"


def test_a_score_that_is_no_number_is_out_of_scope() -> None:
    counts = count_out_of_scope(["blank"], np.array([np.nan]), 0.5)

    assert counts["blank"] == ScopeCount(n=1, out_of_scope=1)


def test_no_pictures_give_no_counts() -> None:
    assert count_out_of_scope([], np.zeros(0), 0.5) == {}
