"""What a run of a night is given, what it holds while it works, and what it reports."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.identifiers import IdentifierKey
from jobs.lake import Lake, LakeAddress
from jobs.lease import NightLease
from jobs.night_engine import InferenceOptions
from jobs.night_keys import night_prefix
from jobs.publish import PublishLimits
from jobs.scoring_rows import StudyFrom
from jobs.scoring_udf import DecodingOptions, ScoringTask
from jobs.spark_session import EngineOptions
from jobs.stage_seconds import STAGES, StageWatch
from model.decision import DecisionLimits
from model.derived_network import DerivedNetwork

if TYPE_CHECKING:
    from jobs.explain_night import ExplanationOptions
    from jobs.registry_bundles import BundleSource
    from model.bundle import Bundle


@dataclass(frozen=True)
class PublishOptions:
    """What may be published.

    Attributes:
        lease_seconds: a lease that is not renewed for so long is void.
        maximum_failed_share: of unreadable, crashed and not retrieved images, 0..1.
        failed_share_from_objects: smallest night that the share is judged on.
        allow_fewer: publish though the night holds fewer objects than were published before.
        publish_anyway: publish though too many images failed.
    """

    lease_seconds: int = 300
    maximum_failed_share: float = 0.2
    failed_share_from_objects: int = 20
    allow_fewer: bool = False
    publish_anyway: bool = False

    @property
    def limits(self) -> PublishLimits:
        """The part that `jobs.publish` judges by."""
        return PublishLimits(
            maximum_failed_share=self.maximum_failed_share,
            failed_share_from_objects=self.failed_share_from_objects,
            allow_fewer=self.allow_fewer,
            publish_anyway=self.publish_anyway,
        )


@dataclass(frozen=True)
class NightRequest:
    """Everything that a run of a night needs to know.

    Attributes:
        night: whose objects are scored.
        lake: where they are, and where the results go.
        night_template: folder of a night's objects, with ``{night}``.
        study_from: what study an image belongs to.
        decoding: limits of decoding.
        engine: how Spark and the network share the machine.
        bundle: where the model is; `NightRun.bundle` is the one that it turned out to be.
        threshold: lower than the bundle's own, or None for that.
        explanation: which flagged images are explained.
        publish: what may be published.
        identifier_key: the key of the hashes.
        run_id: names this attempt; unique.
        now: the clock, with a time zone.
        inference: how the network is run.
    """

    night: date
    lake: LakeAddress
    night_template: str
    study_from: StudyFrom
    decoding: DecodingOptions
    engine: EngineOptions
    bundle: BundleSource
    threshold: float | None
    explanation: ExplanationOptions
    publish: PublishOptions
    identifier_key: IdentifierKey
    run_id: str
    now: Callable[[], datetime]
    inference: InferenceOptions = field(default_factory=InferenceOptions)


@dataclass(frozen=True)
class Progress:
    """How far a step is.

    Attributes:
        step: ``list``, ``score``, ``explain`` or ``publish``.
        done: objects, or images for ``explain``.
        total: of those.
    """

    step: str
    done: int
    total: int


OnProgress = Callable[[Progress], None]


@dataclass(frozen=True)
class NightOutcome:
    """What was published, in numbers.

    Attributes:
        night: which one.
        run_id: of this attempt.
        objects: listed.
        rows: images, and objects that could not be opened.
        by_decision: number of rows.
        by_reason: number of rows.
        studies_by_decision: number of studies.
        seconds: by step.
        images_per_second: of the shards scored by this run; 0 if all were reused.
        results_key: key of the rows in the lake.
        results_url: where a person finds them.
        studies_key: key of the studies.
        studies_url: where a person finds them.
        explanations_prefix: folder of the explanations.
        explanations_url: where a person finds it.
        warnings: what an operator should know.
        threshold: that was decided with.
        bundle: name and version of the model.
        bundle_digest: of the model.
        shards_reused: from an earlier attempt.
        shards_scored: by this one.
        stages: seconds of work by stage, over all workers; see `jobs.stage_seconds`.
    """

    night: date
    run_id: str
    objects: int
    rows: int
    by_decision: Mapping[str, int]
    by_reason: Mapping[str, int]
    studies_by_decision: Mapping[str, int]
    seconds: Mapping[str, float]
    images_per_second: float
    results_key: str
    results_url: str
    studies_key: str
    studies_url: str
    explanations_prefix: str
    explanations_url: str
    warnings: list[str]
    threshold: float
    bundle: str
    bundle_digest: str
    shards_reused: int
    shards_scored: int
    stages: Mapping[str, float] = field(default_factory=dict)


@dataclass
class NightRun:
    """One attempt at a night, between `open_night` and `close_night`.

    Attributes:
        request: see there.
        lake: open.
        bundle: verified.
        limits: that the night is decided with.
        lease: held.
        inventory: the night's objects, sorted by key.
        seen_etag: of the results that were published when the run began; None for none.
        started_at: of the run.
        seconds: by step, as far as they have run.
        derived: what was made of the bundle for the engine; see `jobs.night_engine`.
        watch: how long the stages of scoring took so far.
        outcome: once published.
        failed_because: why it was not, in a sentence without names or keys.
    """

    request: NightRequest
    lake: Lake
    bundle: Bundle
    limits: DecisionLimits
    lease: NightLease
    inventory: pa.Table
    seen_etag: str | None
    started_at: datetime
    seconds: dict[str, float] = field(default_factory=dict)
    derived: DerivedNetwork | None = None
    watch: StageWatch = field(default_factory=StageWatch)
    outcome: NightOutcome | None = None
    failed_because: str | None = None

    @property
    def bundle_name(self) -> str:
        """Name and version of the model, as every row says it."""
        return f"{self.bundle.card.name} {self.bundle.card.version}"

    @property
    def stages(self) -> dict[str, float]:
        """Seconds of work by stage so far, those of the driver's own steps included."""
        own = StageWatch()
        own.add({step: spent for step, spent in self.seconds.items() if step in STAGES})
        own.add(self.watch.seconds)
        return own.seconds

    @contextmanager
    def timed(self, step: str) -> Iterator[None]:
        """Add the time that the block takes to the step's seconds."""
        begin = time.monotonic()  # the other clock may be set in the middle of the night
        try:
            yield
        finally:
            self.seconds[step] = self.seconds.get(step, 0.0) + time.monotonic() - begin

    def make_task(self, scored_at: datetime) -> ScoringTask:
        """Return what the workers need to score objects of this night."""
        request = self.request
        return ScoringTask(
            lake=self.lake.address,
            bundle_folder=self.bundle.folder.absolute(),
            bundle_digest=self.bundle.digest,
            identifiers=request.identifier_key,
            night_folder=night_prefix(request.night_template, request.night),
            study_from=request.study_from,
            decoding=request.decoding,
            batch_size=request.engine.batch_size,
            fetch_threads=request.engine.fetch_threads,
            scored_at=scored_at,
            derived=self.derived,
            silence_seconds=request.engine.silence_seconds,
        )

    def describe(self, state: str) -> dict[str, Any]:
        """Return the content of run.json: settings, times and counts, no identities.

        Args:
            state: ``open``, ``published`` or ``stopped``.
        """
        request = self.request
        return {
            "run_id": request.run_id,
            "night": request.night.isoformat(),
            "state": state,
            "started_at": self.started_at.isoformat(),
            "written_at": request.now().isoformat(),
            "objects": self.inventory.num_rows,
            "bundle": self.bundle_name,
            "bundle_digest": self.bundle.digest,
            "limits": asdict(self.limits),
            "threshold_override": request.threshold,
            "identifier_key_id": request.identifier_key.key_id,
            "settings": {
                "night_template": request.night_template,
                "study_from": request.study_from,
                "decoding": asdict(request.decoding),
                "engine": asdict(request.engine),
                "inference": request.inference.choice.label,
                "explanation": asdict(request.explanation),
                "publish": asdict(request.publish),
            },
            "python": platform.python_version(),
            "failed_because": self.failed_because,
            "seconds": {step: round(spent, 3) for step, spent in self.seconds.items()},
            "stages": {stage: round(spent, 3) for stage, spent in self.stages.items()},
            "outcome": None if self.outcome is None else _without_repeats(self.outcome),
        }


def _without_repeats(outcome: NightOutcome) -> dict[str, Any]:
    told = {
        "night",
        "run_id",
        "seconds",
        "stages",
        "threshold",
        "objects",
        "bundle",
        "bundle_digest",
    }
    return {name: value for name, value in asdict(outcome).items() if name not in told}
