from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from model.evaluation import ScoredSlices
from model.evaluation_plots import draw_evaluation, reliability_bins


def _slices(probabilities: list[float], labels: list[int]) -> ScoredSlices:
    scores = np.array(probabilities)
    names = np.array(["s"] * len(labels))
    return ScoredSlices(scores, scores >= 0.5, np.array(labels), names, {"source": names})


def test_a_bin_holds_its_mean_its_share_of_tumours_and_its_count() -> None:
    slices = _slices([0.02, 0.04, 0.52, 0.58, 0.56, 1.0], [0, 0, 1, 0, 1, 1])

    given, found, counts = reliability_bins(slices)

    assert given == pytest.approx([0.03, 0.5533, 1.0], abs=1e-4)
    assert found == pytest.approx([0.0, 2 / 3, 1.0])
    assert counts.tolist() == [2, 3, 1]


def test_every_picture_is_a_png_with_words_for_whoever_cannot_see_it() -> None:
    pictures = draw_evaluation(_slices([0.0, 0.2, 0.7, 1.0], [0, 1, 0, 1]), 0.5)

    assert [picture.title for picture in pictures] == [
        "ROC curve",
        "Precision and recall",
        "Reliability",
        "Scores",
    ]
    assert all(len(picture.description) > 40 for picture in pictures)
    assert {Image.open(io.BytesIO(picture.png)).format for picture in pictures} == {"PNG"}


def test_without_normals_only_the_scores_are_drawn() -> None:
    pictures = draw_evaluation(_slices([0.6, 0.7], [1, 1]), 0.5)

    assert [picture.title for picture in pictures] == ["Scores"]
