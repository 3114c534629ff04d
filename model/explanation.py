"""LIME of one image: which parts of the picture moved the model's score.

Read as a story by `explain_picture`: cut the picture into segments, decide which segments each
perturbation hides, score the perturbed pictures batch by batch, fit LIME's weighted linear model.

The ``lime`` package supplies that linear model (`LimeBase`). Its image explainer is not used: its
``random_seed`` seeds the segmentation but not the sampling, and it keeps every perturbed picture
in memory (1,000 pictures of 224 x 224 in three float channels are 1.2 GB). Two further changes,
both measured on images of the calibration part (docs/explanations.md): the log-odds are explained
instead of the probability, which hardly moves where the model is sure, and perturbations come in
rounds that hide every segment equally often.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.special import logit

from model.explanation_fit import (
    HIDDEN_SHARE,
    Switches,
    agreement_of_halves,
    fit_linear_model,
    rounded,
)
from model.explanation_segments import (
    DEFAULT_SEGMENTATION,
    Mask,
    NetworkPicture,
    SegmentationName,
    SegmentMap,
    segment_picture,
)

ScorePictures: TypeAlias = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float64]]
"""(n, size, size) pictures in, (n,) probabilities in 0..1 out."""

BLUR_SHARE: Final = 1 / 6  # of the picture's side; wider than a segment (about 1/10)
LEAST_PROBABILITY: Final = 1e-9  # log-odds of 0 and 1 are infinite
LEAST_CHANGE: Final = 1.0  # mean of a segment, in levels of 255


@dataclass(frozen=True)
class Explanation:
    """What LIME says of one picture.

    Attributes:
        segments: see `SegmentMap`.
        head: (size, size), the outline that the segments follow; see `mask_head`.
        weights: (segments,) change of the log-odds when a segment is shown instead of hidden;
            positive speaks for a tumour, negative against. 0 where hiding changes next to nothing.
        intercept: the linear model's log-odds with every segment hidden.
        r_squared: weighted R² of the linear model over the perturbations, at most 1 (local
            fidelity); 0 where the score did not move at all.
        stability: rank agreement (see `rank_agreement`) of the weights found by either half of
            the perturbations, -1..1. Two explanations with other seeds agree at least as well on
            average, because each of them rests on twice as many. None where nothing can be ranked.
        probability: of the unperturbed picture, 0..1.
        local_prediction: the log-odds that the linear model gives the unperturbed picture.
        perturbations: number of pictures scored, the unperturbed one included.
        seed: of the sampling.
    """

    segments: SegmentMap
    head: Mask
    weights: npt.NDArray[np.float64]
    intercept: float
    r_squared: float
    stability: float | None
    probability: float
    local_prediction: float
    perturbations: int
    seed: int

    @property
    def heat(self) -> npt.NDArray[np.float64]:
        """(size, size): the weight of the segment that a pixel belongs to."""
        return self.weights[self.segments]


def explain_picture(  # noqa: PLR0913 - the parts of an explanation's recipe
    picture: NetworkPicture,
    score_pictures: ScorePictures,
    *,
    perturbations: int,
    seed: int,
    batch_size: int,
    segmentation: SegmentationName = DEFAULT_SEGMENTATION,
) -> Explanation:
    """Explain one picture; the same input and seed give the same explanation.

    Args:
        picture: see `NetworkPicture`; left unchanged.
        score_pictures: the scorer; called with at most `batch_size` pictures.
        perturbations: pictures to score, the unperturbed one included; at least 2.
        seed: of the sampling; the segmentation has nothing random left to seed.
        batch_size: pictures a call, which also bounds the memory.
        segmentation: how the picture is cut.

    Raises:
        ValueError: if the scorer returns something that is not a probability.
    """
    segments, head = segment_picture(picture, segmentation)
    replacement = blur_within(picture, head)
    switched = find_switched(picture, replacement, segments)
    switches = choose_switches(perturbations, switched, seed)
    batches = hide_segments(picture, replacement, segments, switches, batch_size)
    probabilities = _score_batches(batches, score_pictures)
    log_odds = logit(np.clip(probabilities, LEAST_PROBABILITY, 1.0 - LEAST_PROBABILITY))
    fitted = fit_linear_model(switches, log_odds, switched)
    return Explanation(
        segments=segments,
        head=head,
        weights=fitted.weights,
        intercept=fitted.intercept,
        r_squared=fitted.r_squared,
        stability=agreement_of_halves(switches, log_odds, switched),
        probability=rounded(probabilities[0]),
        local_prediction=fitted.local_prediction,
        perturbations=perturbations,
        seed=seed,
    )


def blur_within(picture: NetworkPicture, head: Mask) -> NetworkPicture:
    """Return what a hidden segment shows: the mean of its surroundings, without structure.

    Black would be a hole in the brain with sharp edges, which no scan shows and which the network
    may itself take for a lesion (a cyst, a resection); the blurred mean has the local brightness
    and nothing to recognise. Head and background are blurred apart, so that the rim stays where
    it is.
    """
    sigma = BLUR_SHARE * picture.shape[0]
    blurred = np.zeros(picture.shape)
    for part in (head, ~head):
        summed = ndimage.gaussian_filter(np.where(part, picture, 0.0), sigma=sigma)
        weight = ndimage.gaussian_filter(part.astype(np.float64), sigma=sigma)
        mean = np.divide(summed, weight, out=np.zeros_like(summed), where=weight > 0)
        blurred[part] = mean[part]
    rounded: NetworkPicture = np.clip(np.rint(blurred), 0, 255).astype(np.uint8)
    return rounded


def find_switched(
    picture: NetworkPicture,
    replacement: NetworkPicture,
    segments: SegmentMap,
) -> npt.NDArray[np.bool_]:
    """Return (segments,): True where hiding a segment changes it visibly; see `LEAST_CHANGE`.

    A black corner has no say. Without this, black surroundings, and the faint noise that JPEG
    leaves in them, would get weights that are nothing but noise of the fit.
    """
    difference = np.abs(picture.astype(np.float64) - replacement)
    summed = np.bincount(segments.ravel(), weights=difference.ravel())
    switched: npt.NDArray[np.bool_] = summed >= LEAST_CHANGE * np.bincount(segments.ravel())
    return switched


def choose_switches(
    perturbations: int,
    switched: npt.NDArray[np.bool_],
    seed: int,
) -> Switches:
    """Decide all randomness of an explanation.

    Perturbations come in rounds: a round deals the segments out at random into equal hands, and
    each perturbation hides one hand, so that a round hides every segment exactly once. Hiding
    half of them independently, as lime does, makes pictures that are nothing like a head, and
    needs about twice as many for the same agreement between seeds.

    Args:
        perturbations: rows; the first shows everything.
        switched: (segments,); the others are always shown.
        seed: of the dealing.
    """
    generator = np.random.default_rng(seed)
    hands = round(1 / HIDDEN_SHARE)
    where = np.flatnonzero(switched)
    switches = np.ones((perturbations, len(switched)), dtype=bool)
    for start in range(1, perturbations, hands):
        hand_of = generator.permutation(len(where)) % hands
        for hand in range(min(hands, perturbations - start)):
            switches[start + hand, where[hand_of == hand]] = False
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
        shown = switches[start : start + batch_size]
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
