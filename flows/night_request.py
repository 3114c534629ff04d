"""From settings and the environment to what a run of a night needs."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

from conf.settings import DecodingSettings, Settings
from flows.arguments import make_lake_address
from flows.bundle_choice import choose_bundle, choose_inference
from jobs.explain_night import ExplanationOptions
from jobs.identifiers import load_identifier_key
from jobs.lake import open_lake
from jobs.night_engine import choose_limits, limits_of
from jobs.night_keys import nights_parent
from jobs.night_run import NightRequest, PublishOptions
from jobs.registry_bundles import open_source
from jobs.scoring_udf import DecodingOptions
from jobs.spark_session import EngineOptions
from model.preflight import DecodingLimits


def make_night_request(
    settings: Settings,
    night: date,
    environ: Mapping[str, str],
    *,
    allow_fewer: bool = False,
    publish_anyway: bool = False,
) -> NightRequest:
    """Gather what a run of a night needs.

    Args:
        settings: of the place, the command's arguments put over them.
        night: whose objects are scored.
        environ: the environment; the identifier key is read from it.
        allow_fewer: publish though the night holds fewer objects than were published.
        publish_anyway: publish though too many images failed.

    Raises:
        ConfigurationError: if the identifier key is missing outside the demo.
    """
    return NightRequest(
        night=night,
        lake=make_lake_address(settings.lake, Path.cwd()),
        night_template=settings.lake.night_template,
        study_from=settings.night.study_from,
        decoding=make_decoding(settings.decoding),
        engine=EngineOptions(**settings.engine.model_dump()),
        bundle=choose_bundle(settings.bundle),
        threshold=settings.bundle.threshold,
        explanation=ExplanationOptions(**settings.explanation.model_dump()),
        publish=PublishOptions(
            **settings.publish.model_dump(),
            allow_fewer=allow_fewer,
            publish_anyway=publish_anyway,
        ),
        identifier_key=load_identifier_key(environ, demo=settings.demo),
        run_id=make_run_id(datetime.now(UTC)),
        now=utc_now,
        inference=choose_inference(settings.inference),
    )


def utc_now() -> datetime:
    """The clock of a real run."""
    return datetime.now(UTC)


def check_request(request: NightRequest) -> None:
    """Find out in a moment what would end the run at its start.

    Raises:
        TerminalError: if the lake, the bundle or the threshold cannot be used.
        StorageUnavailableError: if the storage does not answer.
    """
    lake = open_lake(request.lake)
    lake.require(nights_parent(request.night_template))
    bundle = open_source(lake, request.bundle)
    choose_limits(limits_of(bundle, request.inference), request.threshold)


def make_decoding(settings: DecodingSettings) -> DecodingOptions:
    """Return what decoding an object may take."""
    limits = DecodingLimits(
        maximum_bytes=settings.maximum_bytes,
        maximum_pixels=settings.maximum_pixels,
        maximum_frames=settings.maximum_frames,
    )
    return DecodingOptions(limits, settings.timeout_seconds, settings.memory_bytes)


def make_run_id(now: datetime) -> str:
    """Name a run: UTC time, so that names sort, and six random characters against twins."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"
