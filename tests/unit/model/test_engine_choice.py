import numpy as np
import pytest

from model.card import EngineCalibration
from model.decision import DecisionLimits
from model.engine_calibration import compare_scores
from model.engine_choice import EngineChoice, limits_for
from model.errors import BundleError, ConfigurationError
from model.inference import RawScores
from tests.builders import make_card

BF16 = EngineChoice("openvino", "bf16")


def calibration(**changes: int) -> EngineCalibration:
    counts = {"compared": 1000, "newly_flagged": 5, "newly_cleared": 1, "tumors_lost": 0}
    return EngineCalibration(threshold=0.4, minimum_scope_score=0.5, **(counts | changes))


def scores(*probabilities: float) -> RawScores:
    count = len(probabilities)
    maps = np.zeros((count, 2, 2), dtype=np.float32)
    return RawScores(np.array(probabilities), np.ones(count), maps)


def test_tensorflow_computes_in_fp32_only() -> None:
    with pytest.raises(ConfigurationError, match="expected fp32"):
        EngineChoice("tensorflow", "bf16")


@pytest.mark.parametrize("engine", ["tensorflow", "openvino"])
def test_in_fp32_every_engine_decides_by_the_bundle_s_limits(engine: str) -> None:
    card = make_card()
    assert limits_for(card, EngineChoice(engine)) == card.limits  # type: ignore[arg-type]


def test_a_bundle_that_was_not_calibrated_for_bf16_does_not_start() -> None:
    with pytest.raises(BundleError, match="mri-triage engine calibrate"):
        limits_for(make_card(), BF16)


def test_a_calibrated_bundle_decides_by_the_engine_s_own_limits() -> None:
    card = make_card(engines={BF16.label: calibration()})
    assert limits_for(card, BF16) == DecisionLimits(0.4, 0.5)


@pytest.mark.parametrize(
    "changes",
    [{"newly_flagged": 21}, {"newly_cleared": 6}, {"tumors_lost": 1}],
)
def test_a_bundle_that_decides_too_differently_does_not_start(changes: dict[str, int]) -> None:
    card = make_card(engines={BF16.label: calibration(**changes)})
    with pytest.raises(BundleError, match=r"set inference\.precision to fp32"):
        limits_for(card, BF16)


def test_the_threshold_falls_until_no_tumour_is_lost_and_never_rises() -> None:
    labels = np.array([1, 1, 0, 0])
    limits = DecisionLimits(0.5, 0.5)

    lower = compare_scores(
        scores(0.9, 0.55, 0.2, 0.1), scores(0.9, 0.45, 0.43, 0.1), labels, limits
    )
    higher = compare_scores(
        scores(0.9, 0.55, 0.2, 0.1), scores(0.99, 0.95, 0.3, 0.1), labels, limits
    )

    assert lower.threshold < 0.45
    assert (lower.tumors_lost, lower.newly_flagged, lower.newly_cleared) == (0, 1, 0)
    assert higher.threshold == 0.5
    assert (higher.newly_flagged, higher.newly_cleared) == (0, 0)
