from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.reader_quality import (
    NightAnswers,
    VerifiedTumor,
    estimate_missed_share,
    estimate_precision,
    estimate_sensitivity,
    exact_interval,
    propose_threshold,
)

NIGHT = NightAnswers(
    flagged=40,
    confirmed=30,
    rejected=10,
    unsure=0,
    cleared=200,
    sampled=20,
    missed=1,
    sampled_unsure=0,
    missed_elsewhere=0,
    disputed=0,
)


def test_misses_are_weighted_by_what_each_night_cleared() -> None:
    other = replace(NIGHT, cleared=800, sampled=10, missed=0)

    share = estimate_missed_share([NIGHT, other])

    assert share.value == pytest.approx((200 * 1 / 20 + 800 * 0) / 1000)


def test_without_a_miss_the_interval_is_the_exact_one_and_never_empty() -> None:
    share = estimate_missed_share([replace(NIGHT, sampled=30, missed=0)])

    assert share.value == 0.0
    assert share.low == 0.0
    # Clopper and Pearson's upper end without a success: 1 - (doubt / 2) ** (1 / n).
    assert share.high == pytest.approx(1 - 0.025 ** (1 / 30))


def test_what_was_left_open_may_be_a_miss() -> None:
    sure = estimate_missed_share([NIGHT])
    unsure = estimate_missed_share([replace(NIGHT, sampled_unsure=3)])

    assert unsure.value == sure.value
    assert unsure.high > sure.high


def test_the_sensitivity_counts_the_misses_that_the_sample_stands_for() -> None:
    found = estimate_sensitivity([NIGHT])

    assert found.value == pytest.approx(30 / (30 + 10))  # 1 of 20 of 200 cleared: 10 missed
    assert found.low < 30 / 40 < found.high <= 1.0


def test_a_miss_that_was_seen_is_one_though_the_sample_holds_none() -> None:
    found = estimate_sensitivity([replace(NIGHT, missed=0, missed_elsewhere=2)])

    assert found.value == pytest.approx(30 / 32)
    assert found.high == pytest.approx(30 / 32)


def test_nothing_is_known_of_misses_without_a_sample() -> None:
    night = replace(NIGHT, sampled=0, missed=0)

    assert estimate_sensitivity([night]).value is None
    assert estimate_missed_share([night]).value is None
    assert estimate_precision([night]).value == pytest.approx(0.75)


def test_the_interval_of_the_sensitivity_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(3)
    covered = 0
    for _ in range(400):
        tumors, normals = 100, 900
        flagged = int(random.binomial(tumors, 0.9))
        missed = tumors - flagged
        cleared = normals + missed
        in_sample = int(random.hypergeometric(missed, normals, 60))
        night = replace(NIGHT, confirmed=flagged, cleared=cleared, sampled=60, missed=in_sample)
        found = estimate_sensitivity([night])
        covered += found.low <= flagged / tumors <= found.high

    assert covered / 400 >= 0.95


def test_the_exact_interval_is_the_published_one() -> None:
    low, high = exact_interval(3, 20)  # Clopper and Pearson 1934: 0.0321 to 0.3789

    assert low == pytest.approx(0.0321, abs=1e-4)
    assert high == pytest.approx(0.3789, abs=1e-4)


def with_tumors(*tumors: VerifiedTumor) -> NightAnswers:
    return replace(NIGHT, tumors=tumors, cleared_probabilities=(0.05, 0.15, 0.25, 0.35))


def test_a_lower_threshold_is_proposed_where_tumors_were_missed() -> None:
    seen = [VerifiedTumor(0.9, 1.0)] * 30

    proposal = propose_threshold([with_tumors(*seen, VerifiedTumor(0.123456, 10.0))], 0.373)

    assert proposal.threshold is not None
    assert proposal.threshold == pytest.approx(0.1234)
    assert proposal.threshold <= 0.123456  # else the tumour would still be cleared
    assert proposal.flagged_more == pytest.approx(3 / 4)
    assert "nothing is changed" in proposal.in_words


def test_the_threshold_in_use_is_kept_where_it_misses_nothing_and_never_raised() -> None:
    proposal = propose_threshold([with_tumors(*[VerifiedTumor(0.9, 1.0)] * 30)], 0.373)

    assert proposal.threshold == 0.373
    assert proposal.flagged_more == 0.0


def test_a_tumor_without_a_score_is_flagged_whatever_the_threshold() -> None:
    seen = [VerifiedTumor(0.9, 1.0)] * 30

    proposal = propose_threshold([with_tumors(*seen, VerifiedTumor(None, 5.0))], 0.373)

    assert proposal.threshold == 0.373


def test_few_tumors_propose_nothing() -> None:
    proposal = propose_threshold([with_tumors(*[VerifiedTumor(0.1, 1.0)] * 19)], 0.373)

    assert proposal.threshold is None
    assert "19 studies" in proposal.in_words
