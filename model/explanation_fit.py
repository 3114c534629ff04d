"""The linear model of an explanation, and how far two of them agree.

The ``lime`` package supplies the model (`LimeBase`): a ridge regression whose rows are weighed by
their nearness to the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.stats import spearmanr

Switches: TypeAlias = npt.NDArray[np.bool_]
"""(perturbations, segments): True where a perturbation shows a segment; row 0 shows them all."""

HIDDEN_SHARE: Final = 0.2
KERNEL_WIDTH: Final = 0.25  # as lime's own image explainer
DECIMALS: Final = 6  # hides the last bits that another BLAS or thread count may change
NOT_DRAWN: Final = 0.1  # of the strongest weight
FEWEST_SWITCHED: Final = 3  # segments: a rank agreement of two is a coin


@dataclass(frozen=True)
class LinearModel:
    """LIME's fit; all in log-odds. See `Explanation`."""

    weights: npt.NDArray[np.float64]
    intercept: float
    r_squared: float
    local_prediction: float


def fit_linear_model(
    switches: Switches,
    log_odds: npt.NDArray[np.float64],
    switched: npt.NDArray[np.bool_],
) -> LinearModel:
    """Fit LIME's weighted ridge regression of the log-odds, (perturbations,), on the switches."""
    weights = np.zeros(switches.shape[1])
    if float(np.ptp(log_odds)) < 10.0**-DECIMALS or not switched.any():
        # R² of a constant is 0/0; nothing was hidden that mattered.
        constant = rounded(log_odds[0])
        return LinearModel(weights, constant, 0.0, constant)
    # Inside the function: lime loads scikit-learn, a second that only a worker should spend.
    from lime.lime_base import LimeBase  # noqa: PLC0415

    base = LimeBase(_proximity, random_state=0)  # ridge in closed form: the state is never drawn on
    intercept, pairs, r_squared, local_prediction = base.explain_instance_with_data(
        switches[:, switched].astype(np.float64),
        log_odds[:, np.newaxis],
        _cosine_distances(switches[:, switched]),
        label=0,
        num_features=int(switched.sum()),
        feature_selection="none",
    )
    places = np.flatnonzero(switched)
    for number, weight in pairs:
        weights[places[number]] = rounded(weight)
    return LinearModel(
        weights, rounded(intercept), rounded(r_squared), rounded(local_prediction[0])
    )


def rank_agreement(
    one: npt.NDArray[np.float64],
    other: npt.NDArray[np.float64],
) -> float | None:
    """Return Spearman's rank correlation of two sets of weights; None where one has no order.

    Weights below `NOT_DRAWN` of the strongest count as equal: they are what the sampling leaves
    over, no reader sees them, and their order means nothing.
    """
    if len(one) < FEWEST_SWITCHED:
        return None
    ranked = [np.where(np.abs(w) < NOT_DRAWN * np.abs(w).max(), 0.0, w) for w in (one, other)]
    if any(np.ptp(weights) == 0.0 for weights in ranked):
        return None
    return rounded(spearmanr(*ranked).statistic)


def agreement_of_halves(
    switches: Switches,
    log_odds: npt.NDArray[np.float64],
    switched: npt.NDArray[np.bool_],
) -> float | None:
    """Fit the first and the second half of the rounds apart: they share no perturbed picture."""
    hands = round(1 / HIDDEN_SHARE)
    middle = 1 + (len(switches) - 1) // (2 * hands) * hands
    halves = (
        fit_linear_model(switches[part], log_odds[part], switched).weights[switched]
        for part in (slice(1, middle), slice(middle, None))
        if len(log_odds[part])
    )
    weights = list(halves)
    return rank_agreement(*weights) if len(weights) == 2 else None  # noqa: PLR2004 - both halves


def _proximity(distances: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Weigh perturbations by nearness, as lime's image explainer does."""
    kernel: npt.NDArray[np.float64] = np.sqrt(np.exp(-(distances**2) / KERNEL_WIDTH**2))
    return kernel


def _cosine_distances(switches: Switches) -> npt.NDArray[np.float64]:
    """Distance of each row to the row of ones: 1 - sqrt(share of the segments shown)."""
    distances: npt.NDArray[np.float64] = 1.0 - np.sqrt(switches.mean(axis=1))
    return distances


def rounded(value: float) -> float:
    """Round to `DECIMALS`."""
    return round(float(value), DECIMALS) + 0.0  # + 0.0 turns -0.0 into 0.0
