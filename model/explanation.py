"""LIME of one image: which parts of the head moved the model's probability.

Read as a story by `explain_picture`: cut the head into segments, decide which segments each
perturbation hides, score the perturbed pictures batch by batch, fit LIME's weighted linear model.

The ``lime`` package supplies that linear model (`LimeBase`). Its image explainer is not used: its
``random_seed`` seeds the segmentation but not the sampling, and it keeps every perturbed picture
in memory (1,000 pictures of 224 x 224 in three float channels are 1.2 GB).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.filters import threshold_otsu
from skimage.segmentation import slic

NetworkPicture: TypeAlias = npt.NDArray[np.uint8]
"""(size, size), 0..255: the head as the network sees it."""

SegmentMap: TypeAlias = npt.NDArray[np.int32]
"""(size, size): number of the segment from 0, `BACKGROUND` outside the head."""

Switches: TypeAlias = npt.NDArray[np.bool_]
"""(perturbations, segments): True where a perturbation shows a segment; row 0 shows them all."""

ScorePictures: TypeAlias = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float64]]
"""(n, size, size) pictures in, (n,) probabilities in 0..1 out."""

BACKGROUND: Final = -1
SEGMENTATION: Final = "slic"
SEGMENTS_WANTED: Final = 60
COMPACTNESS: Final = 0.1  # on gray 0..1: segments follow bright borders but stay blob-like
KERNEL_WIDTH: Final = 0.25  # as lime's own image explainer
MINIMUM_HEAD_SHARE: Final = 0.05  # a smaller "head" is a threshold that failed
BLUR_SHARE: Final = 1 / 6  # of the picture's side; wider than a segment (about 1/10)
DECIMALS: Final = 6  # hides the last bits that another BLAS or thread count may change


@dataclass(frozen=True)
class Explanation:
    """What LIME says of one picture.

    Attributes:
        segments: see `SegmentMap`.
        weights: (segments,) change of probability when a segment is shown instead of hidden;
            positive speaks for a tumour, negative against.
        intercept: the linear model's probability with every segment hidden.
        r_squared: weighted R² of the linear model over the perturbations, at most 1 (local
            fidelity); 0 where the probability did not move at all.
        probability: of the unperturbed picture, 0..1.
        local_prediction: what the linear model says of the unperturbed picture.
        perturbations: number of pictures scored, the unperturbed one included.
        seed: of the sampling.
    """

    segments: SegmentMap
    weights: npt.NDArray[np.float64]
    intercept: float
    r_squared: float
    probability: float
    local_prediction: float
    perturbations: int
    seed: int


def explain_picture(
    picture: NetworkPicture,
    score_pictures: ScorePictures,
    *,
    perturbations: int,
    seed: int,
    batch_size: int,
) -> Explanation:
    """Explain one picture; the same input and seed give the same explanation.

    Args:
        picture: see `NetworkPicture`; left unchanged.
        score_pictures: the scorer; called with at most `batch_size` pictures.
        perturbations: pictures to score, the unperturbed one included; at least 2.
        seed: of the sampling; the segmentation has nothing random left to seed.
        batch_size: pictures a call, which also bounds the memory.

    Raises:
        ValueError: if the scorer returns something that is not a probability.
    """
    segments = segment_head(picture)
    switches = choose_switches(perturbations, int(segments.max()) + 1, seed)
    replacement = blur_inside_head(picture, segments)
    batches = hide_segments(picture, replacement, segments, switches, batch_size)
    probabilities = _score_batches(batches, score_pictures)
    weights, intercept, r_squared, local_prediction = _fit_linear_model(switches, probabilities)
    return Explanation(
        segments=segments,
        weights=weights,
        intercept=intercept,
        r_squared=r_squared,
        probability=_rounded(probabilities[0]),
        local_prediction=local_prediction,
        perturbations=perturbations,
        seed=seed,
    )


def segment_head(picture: NetworkPicture) -> SegmentMap:
    """Cut the head into about `SEGMENTS_WANTED` pieces of similar brightness.

    The background is no segment: it is never hidden, because there is nothing to replace it with
    and a weight on it would tell a radiologist nothing. SLIC takes no seed: scikit-image places
    its starting points with a fixed one.
    """
    head = mask_head(picture)
    labels = slic(
        picture.astype(np.float64) / 255.0,
        n_segments=SEGMENTS_WANTED,
        compactness=COMPACTNESS,
        sigma=1.0,
        mask=head,
        start_label=1,
        channel_axis=None,
    )
    numbers = np.unique(labels[labels > 0])
    segments = np.full(picture.shape, BACKGROUND, dtype=np.int32)
    inside = labels > 0
    segments[inside] = np.searchsorted(numbers, labels[inside])
    return segments


def mask_head(picture: NetworkPicture) -> npt.NDArray[np.bool_]:
    """Mark the head, (size, size): the largest bright region with its holes filled.

    The whole picture is the answer where no such region stands out.
    """
    smooth = ndimage.gaussian_filter(picture.astype(np.float64), sigma=2.0)
    whole = np.ones(picture.shape, dtype=bool)
    # Half of Otsu's level: Otsu alone splits gray tissue from bright tissue on T1 pictures.
    level = float(threshold_otsu(smooth))
    bright = smooth > 0.5 * level
    regions, count = ndimage.label(bright)
    if count == 0:
        return whole
    sizes = np.bincount(regions.ravel())
    sizes[0] = 0
    head = np.asarray(ndimage.binary_fill_holes(regions == sizes.argmax()), dtype=bool)
    return head if head.mean() >= MINIMUM_HEAD_SHARE else whole


def blur_inside_head(picture: NetworkPicture, segments: SegmentMap) -> NetworkPicture:
    """Return what a hidden segment shows: the mean of the head around it, without structure.

    Black would be a hole in the brain with sharp edges, which no scan shows and which the network
    may itself take for a lesion (a cyst, a resection); the blurred mean has the local brightness
    and nothing to recognise. Only pixels of the head count, so that the rim stays bright.
    """
    head = (segments != BACKGROUND).astype(np.float64)
    sigma = BLUR_SHARE * picture.shape[0]
    summed = ndimage.gaussian_filter(picture * head, sigma=sigma)
    weight = ndimage.gaussian_filter(head, sigma=sigma)
    mean = np.divide(summed, weight, out=np.zeros_like(summed), where=weight > 0)
    blurred: NetworkPicture = np.clip(np.rint(mean), 0, 255).astype(np.uint8)
    return blurred


def choose_switches(perturbations: int, segments: int, seed: int) -> Switches:
    """Decide all randomness of an explanation: each segment is shown with probability one half."""
    generator = np.random.default_rng(seed)
    switches = generator.integers(0, 2, size=(perturbations, segments)).astype(bool)
    switches[0] = True
    return switches


def hide_segments(
    picture: NetworkPicture,
    replacement: NetworkPicture,
    segments: SegmentMap,
    switches: Switches,
    batch_size: int,
) -> Iterator[npt.NDArray[np.uint8]]:
    """Apply the switches: yield perturbed pictures, (n, size, size), `batch_size` at a time."""
    for start in range(0, len(switches), batch_size):
        rows = switches[start : start + batch_size]
        # One more column, always on, is what BACKGROUND (-1) indexes.
        shown = np.concatenate([rows, np.ones((len(rows), 1), dtype=bool)], axis=1)
        yield np.where(shown[:, segments], picture, replacement)


def _score_batches(
    batches: Iterator[npt.NDArray[np.uint8]],
    score_pictures: ScorePictures,
) -> npt.NDArray[np.float64]:
    scored = [np.asarray(score_pictures(batch), dtype=np.float64) for batch in batches]
    probabilities = np.concatenate(scored)
    if not bool(np.all((probabilities >= 0.0) & (probabilities <= 1.0))):
        message = "the model gave a perturbed picture a value that is no probability in 0..1"
        raise ValueError(message)
    return probabilities


def _fit_linear_model(
    switches: Switches,
    probabilities: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64], float, float, float]:
    """Return weights (segments,), intercept, R² and the prediction for the unperturbed picture."""
    if float(np.ptp(probabilities)) < 10.0**-DECIMALS:
        # R² of a constant is 0/0; nothing was hidden that mattered.
        constant = _rounded(probabilities[0])
        return np.zeros(switches.shape[1]), constant, 0.0, constant
    # Inside the function: lime loads scikit-learn, a second that only a worker should spend.
    from lime.lime_base import LimeBase  # noqa: PLC0415

    base = LimeBase(_proximity, random_state=0)  # ridge in closed form: the state is never drawn on
    intercept, pairs, r_squared, local_prediction = base.explain_instance_with_data(
        switches.astype(np.float64),
        probabilities[:, np.newaxis],
        _cosine_distances(switches),
        label=0,
        num_features=switches.shape[1],
        feature_selection="none",
    )
    weights = np.zeros(switches.shape[1])
    for segment, weight in pairs:
        weights[segment] = _rounded(weight)
    return weights, _rounded(intercept), _rounded(r_squared), _rounded(local_prediction[0])


def _proximity(distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weigh perturbations by nearness, as lime's image explainer does."""
    kernel: npt.NDArray[np.float64] = np.sqrt(np.exp(-(distances**2) / KERNEL_WIDTH**2))
    return kernel


def _cosine_distances(switches: Switches) -> npt.NDArray[np.float64]:
    """Distance of each row to the row of ones: 1 - sqrt(share of the segments shown)."""
    distances: npt.NDArray[np.float64] = 1.0 - np.sqrt(switches.mean(axis=1))
    return distances


def _rounded(value: float) -> float:
    return round(float(value), DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0
