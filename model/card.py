"""The card of a bundle: what a model is, what it was measured to do, and how it decides."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from model.decision import DecisionLimits
from model.preprocessing import PICTURE_FEATURE_NAMES, PreprocessingParameters

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class ScopeCount(BaseModel):
    """How many pictures of a kind were called out of scope."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    n: int = Field(ge=0)
    out_of_scope: int = Field(ge=0)


class ScopeCheck(BaseModel):
    """What the scope gate was measured to do on pictures that it was not fitted on.

    Attributes:
        not_brain_mr: photographs, other body parts ..., by kind and ``all``; out of scope is right.
        brain_mr: of the test part, by source and ``all``; out of scope is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    not_brain_mr: dict[str, ScopeCount]
    brain_mr: dict[str, ScopeCount]


class ScopeStatistics(BaseModel):
    """What the scope gate needs besides the weights in ``model.keras``; see `scope_gate`.

    Attributes:
        embedding_limit: squared distance of the network's features that is half in scope.
        embedding_scale: how fast the score falls around it.
        evidence_weights: (d,) of the network's whitened features; their sum speaks for brain MR.
        evidence_limit: sum that is half in scope; it is in log-odds, so that its scale is 1.
        feature_mean: (p,) of the picture features of brain MR.
        feature_precision: (p, p) inverse covariance of the picture features.
        feature_limit: squared distance of the picture features that is half in scope.
        feature_scale: how fast the score falls around it.
        check: what the gate was measured to do, or None before it was.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_limit: float
    embedding_scale: float = Field(gt=0)
    evidence_weights: tuple[float, ...]
    evidence_limit: float
    feature_mean: tuple[float, ...]
    feature_precision: tuple[tuple[float, ...], ...]
    feature_limit: float
    feature_scale: float = Field(gt=0)
    check: ScopeCheck | None = None

    @field_validator("feature_mean", "feature_precision")
    @classmethod
    def _fits_the_picture_features(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        """Refuse statistics of other features than this code measures."""
        expected = len(PICTURE_FEATURE_NAMES)
        if len(value) != expected:
            message = f"holds {len(value)} picture features, this version measures {expected}"
            raise ValueError(message)
        return value


class EngineCalibration(BaseModel):
    """The limits of one engine at one precision, and how its decisions compare with fp32's.

    Attributes:
        threshold: probability at or above which an image is flagged.
        minimum_scope_score: scope score below which an image is `not_brain_mr`.
        compared: images of the calibration part.
        newly_flagged: of those, cleared in fp32 and flagged here.
        newly_cleared: of those, flagged in fp32 and cleared here.
        tumors_lost: of the latter, those with a tumour.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    threshold: float = Field(gt=0.0, le=1.0)
    minimum_scope_score: Share
    compared: int = Field(ge=1)
    newly_flagged: int = Field(ge=0)
    newly_cleared: int = Field(ge=0)
    tumors_lost: int = Field(ge=0)


class Card(BaseModel):
    """Everything about a bundle that is not a weight.

    Attributes:
        name: of the model; one folder of bundles.
        version: of this bundle.
        date: when it was trained, YYYY-MM-DD.
        intended_use: what it is for and what not, in words.
        preprocessing: parameters of `prepare_image`.
        threshold: probability at or above which an image is flagged.
        threshold_method: how the threshold was chosen, in words.
        minimum_scope_score: scope score below which an image is `not_brain_mr`.
        map_threshold: cells of the tumour map at or above it belong to a lesion.
        temperature: the logit is divided by it before it becomes a probability.
        scope: statistics of the scope gate.
        labels: names of the classes in the order of their numbers.
        data_digest: SHA-256 of the split: which file is in which part.
        training: the plan and the seeds.
        metrics: figures of the grouped test part, as `mri-triage train` printed them.
        code_version: of this project.
        engines: limits of engines that do not compute in fp32, by `EngineChoice.label`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str
    date: str
    intended_use: str
    preprocessing: PreprocessingParameters
    threshold: float = Field(gt=0.0, le=1.0)
    threshold_method: str
    minimum_scope_score: Share
    map_threshold: Share
    temperature: float = Field(gt=0.0)
    scope: ScopeStatistics
    labels: tuple[str, ...] = ("no_tumor", "tumor")
    data_digest: str
    training: dict[str, Any]
    metrics: dict[str, Any]
    code_version: str
    engines: dict[str, EngineCalibration] = Field(default_factory=dict)

    @property
    def limits(self) -> DecisionLimits:
        """The two numbers that a decision hangs on."""
        return DecisionLimits(
            threshold=self.threshold,
            minimum_scope_score=self.minimum_scope_score,
        )
