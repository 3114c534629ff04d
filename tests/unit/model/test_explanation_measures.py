"""Explanations against outlines and against the model's behaviour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit

from model.explanation import Explanation
from model.explanation_costs import time_ours, time_stock
from model.explanation_measures import (
    HEAT_SHARES,
    dice_by_share,
    draw_centre_prior,
    find_peak,
    points_at,
    trace_curves,
)
from model.explanation_quality import measure_quality, share_of_positive
from model.explanation_summary import choose_shares, judge_bars
from model.preprocessing import Region

Heat = npt.NDArray[np.float64]


def make_heat() -> Heat:
    heat = np.zeros((96, 96))
    heat[20:40, 60:80] = 1.0
    return heat


def make_explanation(weights: list[float], stability: float | None = 0.9) -> Explanation:
    """Left half, right half of 64 x 64; the left half and a quarter of the right are head."""
    segments = np.zeros((64, 64), dtype=np.int32)
    segments[:, 32:] = 1
    head = np.zeros((64, 64), dtype=bool)
    head[:, :40] = True
    return Explanation(segments, head, np.array(weights), 0.0, 0.8, stability, 0.7, 0.8, 100, 7)


def test_the_peak_of_a_step_lies_in_its_middle() -> None:
    row, column = find_peak(make_heat())

    assert abs(row - 29.5) < 2
    assert abs(column - 69.5) < 2


@pytest.mark.parametrize(("tolerance", "hit"), [(0.0, False), (0.05, False), (0.15, True)])
def test_a_near_miss_counts_only_within_the_tolerance(tolerance: float, hit: bool) -> None:
    outline = np.zeros((96, 96), dtype=bool)
    outline[20:40, 80:96] = True

    assert points_at(make_heat(), outline, tolerance=tolerance) is hit


def test_heat_that_is_the_outline_overlaps_it_wholly_at_every_share() -> None:
    heat = make_heat()

    assert dice_by_share(heat, heat > 0) == [1.0] * len(HEAT_SHARES)
    assert dice_by_share(-heat, heat > 0) == [0.0] * len(HEAT_SHARES)


def test_the_centre_prior_is_highest_in_the_middle_of_the_head() -> None:
    head = np.zeros((96, 96), dtype=bool)
    head[20:60, 40:90] = True

    peak = np.unravel_index(int(np.argmax(draw_centre_prior(head))), head.shape)

    assert tuple(int(one) for one in peak) in {(39, 64), (40, 64), (39, 65), (40, 65)}


def test_hiding_what_the_model_looks_at_first_lowers_the_curve_and_showing_it_raises_it() -> None:
    picture = np.full((96, 96), 100, dtype=np.uint8)
    picture[20:40, 60:80] = 250
    segments = np.arange(96 * 96).reshape(96, 96) // (96 * 8)  # twelve bands
    segments = segments.astype(np.int32)
    right, wrong = make_heat(), make_heat()[::-1]

    def score(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        return np.asarray(expit(pictures[:, 20:40, 60:80].mean(axis=(1, 2)) / 50.0 - 3.0))

    replacement = np.full_like(picture, 50)
    good, bad = trace_curves(picture, replacement, segments, [right, wrong], score)

    assert good[0] < bad[0] < 0.0
    assert good[1] > bad[1] > 0.0


def test_a_segments_weight_lies_inside_as_far_as_its_area_does() -> None:
    half_of_the_right = np.zeros((64, 64), dtype=bool)
    half_of_the_right[:, :48] = True

    assert share_of_positive(make_explanation([1.0, 1.0]), half_of_the_right) == 0.75
    assert share_of_positive(make_explanation([1.0, -1.0]), half_of_the_right) == 1.0
    assert share_of_positive(make_explanation([-1.0, 0.0]), half_of_the_right) is None


def test_an_explanation_outside_the_head_says_so() -> None:
    rows, columns = np.indices((256, 256))
    left_disc = (rows - 128) ** 2 + (columns - 70) ** 2 < 55**2
    pixels = np.where(left_disc, 0.6, 0.0).astype(np.float32)
    region = Region(0.0, 0.0, 256.0)
    tumor_map = np.zeros((16, 16), dtype=np.float32)

    inside, outside = (
        measure_quality(make_explanation(weights), pixels, region, tumor_map, 0.5)
        for weights in ([1.0, 0.0], [0.0, 1.0])
    )

    assert inside.inside_head is not None
    assert outside.inside_head is not None
    assert outside.inside_head < 0.05
    assert inside.inside_head > 0.3
    assert outside.doubts[0].startswith("OUTSIDE THE HEAD")
    assert outside.map_agreement is None


@pytest.mark.parametrize(("weights", "elsewhere"), [([1.0, 0.0], False), ([0.0, 1.0], True)])
def test_an_explanation_elsewhere_than_the_map_says_so(
    weights: list[float], elsewhere: bool
) -> None:
    tumor_map = np.zeros((16, 16), dtype=np.float32)
    tumor_map[4:8, 2:6] = 1.0
    pixels = np.full((256, 256), 0.5, dtype=np.float32)

    quality = measure_quality(
        make_explanation(weights), pixels, Region(0.0, 0.0, 256.0), tumor_map, 0.5
    )

    assert any(doubt.startswith("ELSEWHERE") for doubt in quality.doubts) is elsewhere


def test_the_share_of_heat_that_marks_is_the_best_on_average() -> None:
    def record(best: int) -> dict[str, object]:
        dice = [0.1] * len(HEAT_SHARES)
        dice[best] = 0.9
        return {"dice": {"lime": dice, "gradcam": dice, "map": dice}}

    shares = choose_shares([record(2), record(2), record(5)])

    assert shares == {"lime": 0.3, "gradcam": 0.3, "map": 0.3}


def test_a_bar_that_is_just_reached_is_met_and_one_that_is_not_is_said_to_be_missed() -> None:
    content = {
        "located": {"map": {"points": {"value": 0.94}}, "lime": {"points": {"value": 0.7499}}},
        "inside_head": 0.95,
        "agreement": 0.8,
        "costs": {"ours_seconds": 10.01, "times_less": 2.0},
    }

    assert [bar["met"] for bar in judge_bars(content)] == [True, False, True, True, False, True]


def test_both_explainers_are_timed_for_as_many_pictures(capsys: pytest.CaptureFixture[str]) -> None:
    generator = np.random.default_rng(3)
    picture = generator.integers(0, 255, (64, 64), dtype=np.uint8)
    seen: list[int] = []

    def score(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        assert pictures.shape[1:] == picture.shape
        seen.append(len(pictures))
        return np.asarray(pictures.mean(axis=(1, 2)) / 255.0, dtype=np.float64)

    for timed in (time_ours(picture, score, 32, 40), time_stock(picture, score, 40)):
        assert timed.perturbations == 40
        assert timed.seconds > 0
    assert seen == [32, 8, 10, 10, 10, 10]
    assert capsys.readouterr().err == ""
