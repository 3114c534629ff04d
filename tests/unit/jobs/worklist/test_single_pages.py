from __future__ import annotations

from jobs.single_image import Prediction
from jobs.worklist.single_pages import MOST_FRAMES, choose_shown


def frames(*probabilities: float | None) -> list[Prediction]:
    return [
        Prediction({"frame": number, "probability": value}, None, None)
        for number, value in enumerate(probabilities)
    ]


def test_of_a_long_series_the_likeliest_frames_are_shown_in_order() -> None:
    many = frames(*[0.1] * 50, None, 0.9, *[0.1] * 50, 0.8)

    shown = [one.row["frame"] for one in choose_shown(many)]

    assert len(shown) == MOST_FRAMES
    assert {51, 102} <= set(shown)
    assert shown == sorted(shown)


def test_a_single_slice_is_shown_whatever_it_is() -> None:
    assert len(choose_shown(frames(None))) == 1
