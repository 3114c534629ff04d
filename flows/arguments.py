"""What the arguments of a command mean: a night, a lake, settings. Nothing heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from conf.settings import LakeSettings, Settings, load_settings, override_settings
from jobs.lake import LakeAddress, StorageOptions
from model.errors import ConfigurationError


def parse_night(text: str) -> date:
    """Read a night written as YYYY-MM-DD.

    Raises:
        ConfigurationError: if it is not such a date. The other forms of ISO 8601 are refused: a
            week number that reads like a date would score a night that nobody meant.
    """
    try:
        night = date.fromisoformat(text)
    except ValueError:
        night = None
    if night is None or night.isoformat() != text:
        message = f"night {text!r} is no date: write year, month and day as in 2026-11-20"
        raise ConfigurationError(message)
    return night


def choose_last_night(now: datetime, zone: ZoneInfo) -> date:
    """Yesterday in the hospital's time zone, whatever the zone of this machine.

    Args:
        now: a time that knows its zone.
        zone: the hospital's.
    """
    return now.astimezone(zone).date() - timedelta(days=1)


def resolve_settings(
    place: str,
    environ: Mapping[str, str],
    *,
    lake: str | None = None,
    threshold: float | None = None,
    bundle_version: str | None = None,
) -> Settings:
    """Load the settings of a place and put the arguments of the command over them.

    Raises:
        SettingsError: if the place, a key or a value is wrong.
        ConfigurationError: if a version is asked for and no model of the registry is in use.
    """
    loaded = load_settings(place, environ)
    if bundle_version is not None and loaded.bundle.name is None:
        message = (
            f"bundle version {bundle_version} was asked for, but this place scores with a bundle "
            "of the package or of a folder: expected bundle.name in its settings; set it, or leave "
            "the version empty"
        )
        raise ConfigurationError(message)
    changes = {
        "lake.url": lake,
        "bundle.threshold": threshold,
        "bundle.version": bundle_version,
    }
    return override_settings(loaded, changes)


def make_lake_address(settings: LakeSettings, working_folder: Path) -> LakeAddress:
    """Turn the settings of a lake into an address that every process understands.

    Args:
        settings: the lake's.
        working_folder: absolute; what a relative folder is relative to.
    """
    return LakeAddress(
        url=lake_url(settings.url, working_folder),
        options=StorageOptions(
            endpoint_url=settings.endpoint_url,
            region=settings.region,
            connect_timeout_seconds=settings.connect_timeout_seconds,
            read_timeout_seconds=settings.read_timeout_seconds,
            attempts=settings.attempts,
        ),
    )


def lake_url(text: str, working_folder: Path) -> str:
    """Return a URL as it is, and a plain folder as the ``file://`` URL of its absolute path."""
    if "://" in text:
        return text
    return (working_folder / Path(text).expanduser()).resolve().as_uri()
