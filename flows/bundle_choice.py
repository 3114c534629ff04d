"""Which bundle the settings mean."""

from __future__ import annotations

from pathlib import Path

from conf.settings import BundleSettings
from jobs.registry_bundles import BundleSource, RegisteredBundle
from jobs.registry_keys import require_part
from model.bundle import packaged_bundle_folder
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
    try:
        return Path(settings.cache).expanduser().absolute()
    except RuntimeError as error:
        message = (
            f"bundle.cache is {settings.cache!r}, and there is no home folder: expected a folder "
            "that may be written; set bundle.cache"
        )
        raise ConfigurationError(message) from error
