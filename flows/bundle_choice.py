"""Which bundle the settings mean, and what runs it."""

from __future__ import annotations

from pathlib import Path

from conf.settings import BundleSettings, InferenceSettings
from jobs.night_engine import InferenceOptions
from jobs.registry_bundles import BundleSource, RegisteredBundle
from jobs.registry_keys import require_part
from model.bundle import packaged_bundle_folder
from model.engine_choice import EngineChoice
from model.errors import ConfigurationError


def choose_bundle(settings: BundleSettings) -> BundleSource:
    """Return where the bundle is: a folder, in the lake's registry, or in the package.

    Raises:
        ConfigurationError: if the name or the version can be no model's.
    """
    if settings.location is not None:
        return Path(settings.location)
    if settings.name is None:
        return packaged_bundle_folder()
    require_part(settings.name, "model name")
    if settings.version is not None:
        require_part(settings.version, "version")
    return RegisteredBundle(settings.name, settings.version, cache_folder(settings))


def cache_folder(settings: BundleSettings) -> Path:
    """Return the absolute folder that keeps bundles of the registry on this machine.

    Raises:
        ConfigurationError: if it lies in a home folder that there is not.
    """
    return _expand(settings.cache, "bundle.cache")


def choose_inference(settings: InferenceSettings) -> InferenceOptions:
    """Return how the network is run.

    Raises:
        ConfigurationError: for a pair of engine and precision that there is not.
    """
    choice = EngineChoice(settings.engine, settings.precision)
    return InferenceOptions(choice, _expand(settings.cache, "inference.cache"))


def _expand(folder: str, setting: str) -> Path:
    try:
        return Path(folder).expanduser().absolute()
    except RuntimeError as error:
        message = (
            f"{setting} is {folder!r}, and there is no home folder: expected a folder "
            f"that may be written; set {setting}"
        )
        raise ConfigurationError(message) from error
