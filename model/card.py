"""The card of a bundle: what a model is, what it was measured to do, and how it decides."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from model.decision import DecisionLimits
from model.preprocessing import PICTURE_FEATURE_NAMES, PreprocessingParameters

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class ScopeStatistics(BaseModel):
    """What the scope gate needs besides the weights in ``model.keras``; see `scope_gate`.

    Attributes:
        embedding_limit: squared distance of the network's features that is half in scope.
        embedding_scale: how fast the score falls around it.
        feature_mean: (k,) of the picture features of brain MR.
        feature_precision: (k, k) inverse covariance of the picture features.
        feature_limit: squared distance of the picture features that is half in scope.
        feature_scale: how fast the score falls around it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding_limit: float
    embedding_scale: float = Field(gt=0)
    feature_mean: tuple[float, ...]
    feature_precision: tuple[tuple[float, ...], ...]
    feature_limit: float
    feature_scale: float = Field(gt=0)

    @field_validator("feature_mean", "feature_precision")
    @classmethod
    def _fits_the_picture_features(cls, value: tuple[object, ...]) -> tuple[object, ...]:
        """Refuse statistics of other features than this code measures."""
        expected = len(PICTURE_FEATURE_NAMES)
        if len(value) != expected:
            message = f"holds {len(value)} picture features, this version measures {expected}"
            raise ValueError(message)
        return value


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

    @property
    def limits(self) -> DecisionLimits:
        """The two numbers that a decision hangs on."""
        return DecisionLimits(
            threshold=self.threshold,
            minimum_scope_score=self.minimum_scope_score,
        )
