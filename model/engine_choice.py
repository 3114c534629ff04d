"""Which engine runs the network, at which precision, and what it may decide by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from model.card import Card
from model.decision import DecisionLimits
from model.errors import BundleError, ConfigurationError

EngineName = Literal["tensorflow", "openvino"]
Precision = Literal["fp32", "bf16"]

MOST_NEWLY_FLAGGED: Final = 0.02
MOST_NEWLY_CLEARED: Final = 0.005
"""Shares of the calibration part that another precision may decide otherwise. To flag more costs
a radiologist's time, to clear more may cost a tumour."""


@dataclass(frozen=True)
class EngineChoice:
    """An engine and its precision.

    Attributes:
        engine: ``tensorflow`` needs nothing more; ``openvino`` is an extra of the package.
        precision: ``bf16`` halves the numbers' digits: twice as fast on some processors, slower on
            others that have it (docs/sizing.md); it has limits of its own, which
            `mri-triage engine calibrate` writes into the bundle.

    Raises:
        ConfigurationError: for a pair that there is not.
    """

    engine: EngineName = "tensorflow"
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        """Refuse a pair that there is not."""
        if self.engine == "tensorflow" and self.precision != "fp32":
            message = (
                f"inference.engine tensorflow with precision {self.precision}: expected fp32; "
                "bf16 is the precision of inference.engine openvino"
            )
            raise ConfigurationError(message)

    @property
    def label(self) -> str:
        """Short name, as ``openvino-bf16``."""
        return f"{self.engine}-{self.precision}"


DEFAULT_ENGINE: Final = EngineChoice()


def limits_for(card: Card, choice: EngineChoice) -> DecisionLimits:
    """Return the limits that a bundle decides by on an engine.

    In fp32 all engines agree within 1e-3, so that the bundle's own hold. Another precision needs
    limits that were calibrated for it, and decisions that were compared.

    Raises:
        BundleError: if the bundle was not calibrated for it, or decides too differently on it.
    """
    if choice.precision == "fp32":
        return card.limits
    found = card.engines.get(choice.label)
    name = f"bundle {card.name} {card.version}"
    if found is None:
        message = (
            f"{name} was not calibrated for {choice.label}: expected limits of its own, because "
            "probabilities differ there; run mri-triage engine calibrate, or set "
            "inference.precision to fp32"
        )
        raise BundleError(message)
    flagged, cleared = (
        count / found.compared for count in (found.newly_flagged, found.newly_cleared)
    )
    if found.tumors_lost or flagged > MOST_NEWLY_FLAGGED or cleared > MOST_NEWLY_CLEARED:
        message = (
            f"on {choice.label}, {name} flags {flagged:.1%} of {found.compared} calibration images "
            f"more, clears {cleared:.1%} more and loses {found.tumors_lost} tumours: expected at "
            f"most {MOST_NEWLY_FLAGGED:.1%}, {MOST_NEWLY_CLEARED:.1%} and none; set "
            "inference.precision to fp32"
        )
        raise BundleError(message)
    return DecisionLimits(found.threshold, found.minimum_scope_score)
