"""The settings of a place: base.yaml, then the place's file, then the environment.

Secrets (storage credentials, the identifier key) are read from the environment where they are
needed and are never part of the settings.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

import yaml
from cronsim import CronSim, CronSimError
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
    model_validator,
)

ENVIRONMENT_PREFIX = "MRI_TRIAGE__"
"""``MRI_TRIAGE__ENGINE__CORES=4`` sets ``engine.cores``."""

Share = Annotated[float, Field(ge=0.0, le=1.0)]


class SettingsError(ValueError):
    """A setting is unknown or has a wrong value. The message names it and says what to do."""


class Section(BaseModel):
    """A frozen group of settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class LakeSettings(Section):
    """Where images arrive and results go."""

    url: str = Field(description="s3://bucket/prefix, file:///folder, or a plain folder")
    night_template: str = Field(description="folder of a night's images; {night} is YYYY-MM-DD")
    endpoint_url: str | None = Field(description="S3 endpoint, null for AWS")
    region: str | None = Field(description="S3 region")
    connect_timeout_seconds: float = Field(gt=0)
    read_timeout_seconds: float = Field(gt=0)
    attempts: int = Field(ge=1, description="tries of one request, with back-off")

    @field_validator("night_template")
    @classmethod
    def _holds_the_night(cls, value: str) -> str:
        # Without the closing slash the night 2026-11-2 would list 2026-11-20 as well.
        wrong = value.count("{night}") != 1 or not value.endswith("/") or value.startswith("/")
        if wrong:
            message = "must hold {night} once and be a folder, as in incoming/night={night}/"
            raise ValueError(message)
        return value

    @field_validator("url", "endpoint_url")
    @classmethod
    def _holds_no_secret(cls, value: str | None) -> str | None:
        if value is not None and "@" in urlsplit(value).netloc:
            message = "must not hold a user or a password: credentials come from the environment"
            raise ValueError(message)
        return value


class NightSettings(Section):
    """When a night is, and which nights a run looks at."""

    time_zone: str = Field(description="IANA name of the hospital's time zone")
    relist_nights: int = Field(ge=0, description="earlier nights listed again for late images")
    study_from: Literal["dicom_or_folder", "folder", "image"] = Field(
        description="what study an image belongs to",
    )
    step_retries: int = Field(ge=0, description="new tries of a step after a passing fault")
    retry_delay_seconds: float = Field(ge=0, description="pause before such a try")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            near = difflib.get_close_matches(value, sorted(available_timezones()), n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            message = f"no such time zone{hint}"
            raise ValueError(message)
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.time_zone)


class ScheduleSettings(Section):
    """When the nightly flow runs, and for how long at most."""

    cron: str = Field(description="when the nightly flow starts, in the hospital's time zone")
    night_hours: float = Field(gt=0, description="a run of one night is ended after so many hours")
    runs_at_once: int = Field(
        ge=2, description="runs of one `serve`; two at least, so that no backfill holds up a night"
    )
    backfill_niceness: int = Field(
        ge=0, le=19, description="of a backfill's processes: tonight's run gets the machine first"
    )

    @field_validator("cron")
    @classmethod
    def _five_fields(cls, value: str) -> str:
        try:
            CronSim(value, datetime(2026, 1, 1, tzinfo=UTC))
        except CronSimError as error:
            message = (
                f"is no cron line ({error}): write minute, hour, day, month and weekday, as in "
                "15 4 * * *"
            )
            raise ValueError(message) from None
        return value


class DecodingSettings(Section):
    """Limits that hold before and while an image is decoded."""

    maximum_bytes: int = Field(gt=0)
    maximum_pixels: int = Field(gt=0, description="of one frame")
    maximum_frames: int = Field(gt=0)
    timeout_seconds: float = Field(gt=0, description="for one object")
    memory_bytes: int = Field(gt=0, description="of the decoding process")


class EngineSettings(Section):
    """How Spark and the network share the machine."""

    master: str = Field(description="Spark master URL; local[*] for one machine")
    cores: int | None = Field(ge=1, description="cores used locally; null for all")
    driver_memory: str = Field(description="JVM heap of the driver, as Spark writes it (1g)")
    batch_size: int = Field(ge=1, description="images a call of the network")
    shard_objects: int = Field(ge=1, description="objects a Spark job")
    fetch_threads: int = Field(ge=1, description="objects fetched ahead by a worker")
    silence_seconds: float = Field(
        ge=60,
        description="a worker without progress for so long is ended, its images are tried again",
    )


class InferenceSettings(Section):
    """What runs the network."""

    engine: Literal["tensorflow", "openvino"] = Field(
        description="openvino needs pip install 'mri-triage[openvino]'",
    )
    precision: Literal["fp32", "bf16"] = Field(
        description="bf16: openvino only, on processors that have it, with limits of its own",
    )
    cache: str = Field(description="folder of this machine for what engines make of bundles")


class BundleSettings(Section):
    """Which model scores: a folder, a model of the lake's registry, or the packaged one."""

    location: str | None = Field(description="folder of a bundle, or null")
    name: str | None = Field(description="a model of the registry, models/<name>, or null")
    version: str | None = Field(description="pinned version of it; null for its CURRENT")
    cache: str = Field(description="folder of this machine for bundles of the registry")
    threshold: float | None = Field(
        gt=0,
        le=1,
        description="lower than the bundle's own, or null; a higher one is refused",
    )

    @model_validator(mode="after")
    def _names_one_bundle(self) -> Self:
        if self.location is not None and self.name is not None:
            message = "has a location and a name: keep the folder or the model of the registry"
            raise ValueError(message)
        if self.version is not None and self.name is None:
            message = "has a version without a name: say which model of the registry it is of"
            raise ValueError(message)
        return self


class ExplanationMix(Section):
    """Parts of the sample of explained images; 0 leaves a way out."""

    highest_score: int = Field(ge=0, description="the highest probabilities")
    near_threshold: int = Field(ge=0, description="flagged, and nearest the threshold")
    each_reason: int = Field(ge=0, description="one of each reason that rests on a score")
    each_scanner: int = Field(ge=0, description="one of each scanner, the least shown first")
    random: int = Field(ge=0, description="by lot; also what the other ways leave over")


class ExplanationSettings(Section):
    """Which flagged images are explained, and how hard."""

    enabled: bool
    sample_size: int = Field(ge=0)
    mix: ExplanationMix = Field(description="parts of the sample by how its images are chosen")
    perturbations: int = Field(ge=10)
    seed: int


class PublishSettings(Section):
    """What may be published."""

    lease_seconds: int = Field(ge=30, description="a lease that is not renewed for so long is void")
    maximum_failed_share: Share = Field(description="of unreadable, crashed and not retrieved")
    failed_share_from_objects: int = Field(
        ge=1, description="smallest night the share is judged on"
    )


class ReportSettings(Section):
    """What the artifacts of a night show."""

    pictures: bool = Field(description="worst cases with pictures; no text is burned into them")
    worst_cases: int = Field(ge=0, le=24)
    history_nights: int = Field(ge=1, le=90, description="nights before that a night is held to")


class AlertSettings(Section):
    """Whom to tell, and what is unusual."""

    block: str | None = Field(
        description="notification block of the Prefect server as type/name, as in "
        "custom-webhook/hospital; null tells nobody",
    )
    least_nights: int = Field(ge=3, description="of history, before any night is called unusual")
    deviations: float = Field(gt=0, description="robust standard deviations that are unusual")
    late_objects: int = Field(ge=1, description="late images of one night that are unusual")
    crashed_seconds: int = Field(
        ge=10, description="a crashed run that nobody took up again for so long is told"
    )


class WorklistSettings(Section):
    """The reading room: who may come in, and what is shown there.

    The secrets are read from the environment: MRI_TRIAGE_WORKLIST_KEY signs tokens,
    MRI_TRIAGE_PROXY_SECRET is what a reverse proxy proves itself by.
    """

    access: Literal["local", "token", "proxy"] = Field(
        description="local: this machine only, no token; else see the README",
    )
    local_roles: list[Literal["reader", "pacs"]] = Field(description="of whoever is at the machine")
    proxy_user_header: str = Field(description="header in which the proxy names the reader")
    proxy_roles_header: str = Field(description="header in which it names groups, by commas")
    proxy_roles: dict[str, Literal["reader", "pacs"]] = Field(
        description="what the proxy's groups mean",
    )
    pacs_url: str | None = Field(
        description="address of a study in the PACS viewer, with {study_uid}; null for no link",
    )
    show_unsure_pictures: bool = Field(
        description="show DICOM that leaves open whether text is burned in; with true it is shown",
    )
    double_readings: int = Field(ge=0, description="cleared studies of a night read once more")
    maximum_upload_bytes: int = Field(gt=0, description="of an image that is tried by hand")

    @field_validator("pacs_url")
    @classmethod
    def _names_the_study(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        usable = parts.scheme in {"http", "https"} and parts.netloc and "@" not in parts.netloc
        if not usable or value.count("{study_uid}") != 1 or "{" in parts.netloc:
            message = (
                "must be an http(s) address that holds {study_uid} once, behind the host's name, "
                "as in https://pacs.example/viewer?StudyInstanceUIDs={study_uid}"
            )
            raise ValueError(message)
        return value


class DriftSettings(Section):
    """What a night's distributions are held to."""

    history_nights: int = Field(ge=3, le=90, description="nights before that a night is held to")
    least_nights: int = Field(ge=3, description="of history, before anything is called drift")
    false_alarms: float = Field(
        gt=0, lt=0.5, description="share of usual nights that raise an alarm, all tests together"
    )


class RetentionSettings(Section):
    """For how many days after a night, or its last run, `mri-triage clean` keeps what; null: ever.

    There is none for results/, studies/ and audit/: what is published is never removed.
    """

    runs_days: int | None = Field(ge=1, description="inventories, shards and records of runs")
    explanations_days: int | None = Field(ge=1, description="pictures, weights and their index")
    feedback_days: int | None = Field(ge=1, description="what radiologists answered")
    backfills_days: int | None = Field(ge=1, description="what backfills set out to do and did")
    dicom_days: int | None = Field(ge=1, description="segmentations and reports for a PACS")


class Settings(Section):
    """All settings of one place."""

    place: str
    demo: bool = Field(description="true only for the mini lake: identifiers need no secret key")
    lake: LakeSettings
    night: NightSettings
    schedule: ScheduleSettings
    decoding: DecodingSettings
    engine: EngineSettings
    inference: InferenceSettings
    bundle: BundleSettings
    explanation: ExplanationSettings
    publish: PublishSettings
    reports: ReportSettings
    alerts: AlertSettings
    worklist: WorklistSettings
    drift: DriftSettings
    retention: RetentionSettings


def load_settings(place: str, environ: Mapping[str, str]) -> Settings:
    """Read base.yaml, then the place's file, then ``MRI_TRIAGE__*`` of the environment.

    Args:
        place: name of a file in this package (``demo``, ``hospital``) or a path to a YAML file.
        environ: the environment, `os.environ` in a real run.

    Returns:
        Frozen, validated settings.

    Raises:
        SettingsError: if the place is unknown, or a key or value is wrong.
    """
    merged = _merge(_read_yaml_text(_packaged("base").read_text("utf-8"), "base.yaml"), {})
    merged = _merge(merged, _read_place(place))
    merged = _merge(merged, _from_environment(environ))
    merged.setdefault("place", Path(place).stem)
    return _validate(merged)


def override_settings(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """Return settings with dotted keys (``lake.url``) replaced; None values are left alone.

    Raises:
        SettingsError: if a key or value is wrong.
    """
    nested: dict[str, Any] = {}
    for dotted, value in changes.items():
        if value is not None:
            _put(nested, dotted.split("."), value)
    return _validate(_merge(settings.model_dump(), nested))


def packaged_places() -> list[str]:
    """Names of the places that come with the package, without ``base``."""
    files = resources.files("conf").iterdir()
    names = (Path(file.name).stem for file in files if file.name.endswith(".yaml"))
    return sorted(name for name in names if name != "base")


def _packaged(place: str) -> Path:
    return Path(str(resources.files("conf").joinpath(f"{place}.yaml")))


def _read_place(place: str) -> dict[str, Any]:
    is_path = place.endswith((".yaml", ".yml")) or "/" in place
    path = Path(place) if is_path else _packaged(place)
    if not path.is_file():
        known = ", ".join(packaged_places())
        message = f"no settings for place {place!r}: name one of {known}, or a path to a YAML file"
        raise SettingsError(message)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"the settings in {path.name} cannot be read: {error}"
        raise SettingsError(message) from error
    return _read_yaml_text(text, path.name)


def _read_yaml_text(text: str, name: str) -> dict[str, Any]:
    content = _parse_yaml(text, name)
    if content is None:
        return {}
    if not isinstance(content, dict):
        message = f"{name} must hold keys and values, found {type(content).__name__}"
        raise SettingsError(message)
    return content


def _parse_yaml(text: str, name: str) -> Any:  # noqa: ANN401 - YAML holds anything
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        where = getattr(error, "problem_mark", None)
        line = f" at line {where.line + 1}" if where else ""
        message = f"{name} is not valid YAML{line}"
        raise SettingsError(message) from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    nested: dict[str, Any] = {}
    for name, text in sorted(environ.items()):
        if name.startswith(ENVIRONMENT_PREFIX):
            path = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
            _put(nested, path, _parse_yaml(text, name))
    return nested


def _put(nested: dict[str, Any], path: list[str], value: object) -> None:
    for part in path[:-1]:
        inner: Any = nested.setdefault(part, {})
        if not isinstance(inner, dict):
            message = f"setting {part!r} has a value and parts as well: keep one of the two"
            raise SettingsError(message)
        nested = inner
    nested[path[-1]] = value


def _merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[key] = _merge(old, value)
        else:
            merged[key] = value
    return merged


def _validate(content: Mapping[str, Any]) -> Settings:
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    lines = []
    for problem in error.errors():
        dotted = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            near = difflib.get_close_matches(dotted, known_keys(), n=1, cutoff=0.0)
            lines.append(f"unknown setting {dotted!r}; the nearest known one is {near[0]!r}")
        else:
            lines.append(f"setting {dotted!r}: {_told(problem['msg'])}{_found(problem)}")
    return "; ".join(lines)


def _told(message: str) -> str:
    return message.removeprefix("Value error, ")


def _found(problem: Mapping[str, Any]) -> str:
    value = problem.get("input")
    # A section's whole content, or an address with a password in it, does not belong in a log.
    if problem["type"] == "missing" or isinstance(value, Mapping | list) or "@" in str(value):
        return ""
    return f", found {value!r}"


def known_keys() -> list[str]:
    """All dotted keys that a settings file may hold."""
    keys: list[str] = []
    for name, field in Settings.model_fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, Section):
            keys.append(name)
            keys.extend(f"{name}.{inner}" for inner in section.model_fields)
        else:
            keys.append(name)
    return keys
