import subprocess
import sys

import pytest

from jobs.score_night import choose_limits
from model.decision import DecisionLimits
from model.errors import ConfigurationError

LIMITS = DecisionLimits(threshold=0.3, minimum_scope_score=0.5)


def test_without_an_override_the_bundle_decides() -> None:
    assert choose_limits(LIMITS, None) == LIMITS


@pytest.mark.parametrize("threshold", [0.3, 0.1, 1e-9])
def test_an_operator_may_lower_the_threshold_freely(threshold: float) -> None:
    assert choose_limits(LIMITS, threshold) == DecisionLimits(threshold, 0.5)


@pytest.mark.parametrize("threshold", [0.30001, 1.0, 2.0, 0.0, -0.1, float("nan")])
def test_a_threshold_that_clears_more_or_is_no_probability_is_refused(threshold: float) -> None:
    with pytest.raises(ConfigurationError, match=r"at most the bundle's own 0\.3"):
        choose_limits(LIMITS, threshold)


def test_the_driver_does_not_load_tensorflow() -> None:
    code = (
        "import sys, jobs.score_night, jobs.scoring_udf, model.bundle;"
        "print(*sorted({'tensorflow', 'keras', 'prefect', 'lime'} & sys.modules.keys()))"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == []
