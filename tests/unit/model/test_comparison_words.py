from __future__ import annotations

import pytest

from model.comparison_words import (
    compare_heads,
    describe_calls,
    describe_making,
    says_tumor_every_time,
)
from tests.unit.model.comparison_figures import (
    ALWAYS_TUMOR,
    make_content,
    make_figures,
    scores_with_overlap,
)


@pytest.mark.parametrize(
    ("two_headed", "single_headed", "said"),
    [(0.0, 0.45, "is ahead of"), (0.45, 0.0, "is not ahead of"), (0.1, 0.1, "is not ahead of")],
)
def test_it_is_said_which_head_is_ahead(
    two_headed: float,
    single_headed: float,
    said: str,
) -> None:
    rows = [
        make_figures("efficientnet_lite0", scores_with_overlap(single_headed)),
        make_figures("two_headed", scores_with_overlap(two_headed)),
    ]

    (sentence,) = compare_heads(rows)

    assert said in sentence


def test_nothing_is_said_of_the_heads_before_both_are_made() -> None:
    assert compare_heads([make_figures("two_headed", ALWAYS_TUMOR)]) == []


def test_a_network_that_says_tumour_every_time_is_named_with_the_share_of_tumours() -> None:
    failed = make_figures("dense_64", ALWAYS_TUMOR)
    learned = make_figures("cnn_dropout", scores_with_overlap(0.0))

    of_failed, of_learned = describe_calls([failed, learned])

    assert says_tumor_every_time(failed)
    assert not says_tumor_every_time(learned)
    assert "tumour every time in 3 of 3 epochs, the last among them" in of_failed
    assert "accuracy 0.750 where calling everything a tumour has 0.750" in of_failed
    assert "tumour every time in 0 of 3 epochs." in of_learned


def test_the_page_says_how_classes_are_balanced_and_how_long_each_row_was_trained() -> None:
    words = " ".join(describe_making(make_content()))

    assert "both labels together count the same" in words
    assert "15 minutes" in words
    assert "75.0% tumours" in words
