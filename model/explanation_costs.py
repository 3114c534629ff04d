"""What an explanation costs: ours beside lime's own image explainer, on one core, in one run."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2gray

from model.explanation import ScorePictures, explain_picture
from model.explanation_segments import segment_picture

TIMED_PERTURBATIONS: Final = 1000
STOCK_BATCH: Final = 10  # lime's own default


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time that one explanation took, and what it was asked for."""

    seconds: float
    perturbations: int


def time_ours(
    picture: npt.NDArray[np.uint8],
    score_pictures: ScorePictures,
    batch_size: int,
    perturbations: int = TIMED_PERTURBATIONS,
) -> Cost:
    """Time `explain_picture` of one picture, with a scorer that is warm."""
    return _time(
        lambda: explain_picture(
            picture, score_pictures, perturbations=perturbations, seed=1, batch_size=batch_size
        ),
        perturbations,
    )


def time_stock(
    picture: npt.NDArray[np.uint8],
    score_pictures: ScorePictures,
    perturbations: int = TIMED_PERTURBATIONS,
) -> Cost:
    """Time lime's image explainer with the same segments and size, calling Keras."""
    from lime.lime_image import LimeImageExplainer  # noqa: PLC0415 - loads scikit-learn

    def classify(pictures: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        probabilities = score_pictures(np.rint(pictures[..., 0]).astype(np.uint8))
        return np.stack([1.0 - probabilities, probabilities], axis=1)

    explainer = LimeImageExplainer(random_state=1, verbose=False)
    with contextlib.redirect_stderr(io.StringIO()):  # it would draw a bar of its own into ours
        return _time(
            lambda: explainer.explain_instance(
                np.repeat(picture[:, :, np.newaxis], 3, axis=2),
                classify,
                labels=(1,),
                top_labels=None,
                num_samples=perturbations,
                batch_size=STOCK_BATCH,
                segmentation_fn=lambda pixels: segment_picture(_to_gray(pixels))[0],
            ),
            perturbations,
        )


def _to_gray(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(rgb2gray(pixels) * 255.0), dtype=np.uint8)


def _time(explain: Callable[[], object], perturbations: int) -> Cost:
    before = time.process_time()
    explain()
    return Cost(round(time.process_time() - before, 3), perturbations)
