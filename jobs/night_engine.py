"""What a night computes with: the engine of the network, and the limits that go with it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from model.bundle import Bundle
from model.decision import DecisionLimits
from model.derived_network import DerivedNetwork, derive_or_find
from model.engine_choice import EngineChoice, limits_for
from model.errors import ConfigurationError


@dataclass(frozen=True)
class InferenceOptions:
    """How the network is run.

    Attributes:
        choice: the engine and its precision.
        cache: folder of this machine for what engines make of bundles; None lets every worker
            make a graph of TensorFlow by itself, which takes some seconds each.
    """

    choice: EngineChoice = field(default_factory=EngineChoice)
    cache: Path | None = None


def limits_of(bundle: Bundle, options: InferenceOptions) -> DecisionLimits:
    """Return the limits that the bundle decides by on the engine.

    Raises:
        BundleError: if it was not calibrated for it.
    """
    return limits_for(bundle.card, options.choice)


def make_ready(
    bundle: Bundle,
    options: InferenceOptions,
    batch_size: int,
) -> DerivedNetwork | None:
    """Make the network ready for the engine, or find it ready.

    Raises:
        BundleError: if the network cannot be loaded, or the engine computes something else.
        ConfigurationError: if the engine is not installed, has no cache, or the processor lacks
            its precision.
    """
    if options.cache is not None:
        return derive_or_find(bundle, options.choice, batch_size, options.cache)
    if options.choice.engine != "tensorflow":
        message = f"{options.choice.label} needs a folder for its files: set inference.cache"
        raise ConfigurationError(message)
    return None


def choose_limits(limits: DecisionLimits, threshold: float | None) -> DecisionLimits:
    """Put an operator's threshold in the place of the bundle's.

    Raises:
        ConfigurationError: if it is above the bundle's, or no probability: whatever would let
            more images pass than the bundle was validated for is refused.
    """
    if threshold is None:
        return limits
    if not 0.0 < threshold <= limits.threshold:
        message = (
            f"the threshold is {threshold}: expected more than 0 and at most the bundle's own "
            f"{limits.threshold}; a higher one would clear images that the bundle was never "
            "validated to clear; lower it or leave it out"
        )
        raise ConfigurationError(message)
    return replace(limits, threshold=threshold)
