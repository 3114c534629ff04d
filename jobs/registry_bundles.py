"""From the registry to a folder of this machine: a registered bundle, fetched and verified."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from jobs.lake import Lake
from jobs.registry_current import read_current
from jobs.registry_keys import bundle_key
from model.bundle import BUNDLE_FILES, Bundle, digest_of, open_bundle
from model.errors import BundleError, NotRetrievedError, OutputError
from model.kept_folders import mark_used

DIGEST_PATTERN: Final = "[0-9a-f]" * 64
"""Of the names of the cache's folders."""


@dataclass(frozen=True)
class RegisteredBundle:
    """A bundle of the registry.

    Attributes:
        name: of the model.
        version: of the bundle; None for the one that ``CURRENT`` names when it is asked for.
        cache: folder of this machine that keeps fetched bundles, each in a folder of its digest.
    """

    name: str
    version: str | None
    cache: Path


BundleSource: TypeAlias = Path | RegisteredBundle
"""A folder, or a bundle of the registry."""


def open_source(lake: Lake, source: BundleSource) -> Bundle:
    """Open a bundle from where it is and verify it.

    ``CURRENT`` is read once: a promotion that comes later concerns the next call.

    Args:
        lake: that holds the registry.
        source: a folder, which need not be in the lake, or a bundle of the registry.

    Raises:
        BundleError: if it is absent, damaged, or has another digest than ``CURRENT`` says.
        OutputError: if the cache cannot be written.
        StorageUnavailableError: if the storage does not answer.
    """
    if isinstance(source, Path):
        return open_bundle(source)
    current = read_current(lake, source.name).current
    if source.version is not None:
        digest = current.digest_of(source.version) if current else None
        return fetch_bundle(lake, source.name, source.version, digest, source.cache)
    if current is None:
        message = (
            f"no bundle of the model {source.name!r} has been promoted in this lake: expected "
            f"models/{source.name}/CURRENT; run mri-triage model promote, or set bundle.version"
        )
        raise BundleError(message)
    return fetch_bundle(lake, source.name, current.version, current.digest, source.cache)


def fetch_bundle(
    lake: Lake,
    name: str,
    version: str,
    digest: str | None,
    cache: Path,
) -> Bundle:
    """Fetch a registered bundle into the cache, unless a sound copy lies there, and open it.

    Args:
        lake: that holds the registry.
        name: of the model.
        version: of the bundle.
        digest: that it must have; None to accept any.
        cache: folder; made if need be.

    Raises:
        BundleError: if it is absent, damaged, or has another digest.
        OutputError: if the cache cannot be written.
        StorageUnavailableError: if the storage does not answer.
    """
    bundle = _open_kept(cache / digest, digest) if digest is not None else None
    bundle = bundle or _fetch(lake, name, version, digest, cache)
    mark_used(bundle.folder, DIGEST_PATTERN)
    card = bundle.card
    if (card.name, card.version) != (name, version):
        message = (
            f"models/{name}/{version} holds the bundle {card.name} {card.version}: expected the "
            "one of its folder's name; register bundles, do not copy them"
        )
        raise BundleError(message)
    return bundle


def read_file(lake: Lake, name: str, version: str, file: str) -> bytes:
    """Return the bytes of one file of a registered bundle.

    Raises:
        BundleError: if it cannot be had.
    """
    try:
        return lake.read(bundle_key(name, version, file))
    except NotRetrievedError as error:
        message = (
            f"models/{name}/{version}/{file} is not to be had ({error}): expected a registered "
            "bundle; mri-triage model list shows which there are"
        )
        raise BundleError(message) from error


def _fetch(lake: Lake, name: str, version: str, digest: str | None, cache: Path) -> Bundle:
    files = {file: read_file(lake, name, version, file) for file in sorted(BUNDLE_FILES)}
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="fetched-", dir=cache) as beside:
            fetched = Path(beside) / "bundle"
            fetched.mkdir()
            for file, data in files.items():
                (fetched / file).write_bytes(data)
            found = _require_digest(fetched, f"models/{name}/{version}", digest)
            return _keep(fetched, cache / found, found)
    except OSError as error:
        message = (
            f"the bundle cannot be kept in {cache} ({error.strerror}): expected a folder that may "
            "be written, with space for it; set bundle.cache"
        )
        raise OutputError(message) from error


def _require_digest(folder: Path, place: str, digest: str | None) -> str:
    found = digest_of(folder)
    if digest is not None and found != digest:
        message = (
            f"the files of {place} have digest {found}, expected {digest}: they are not those "
            "that were registered and promoted; put the right files back, or promote another "
            "version"
        )
        raise BundleError(message)
    return found


def _open_kept(folder: Path, digest: str) -> Bundle | None:
    try:
        return open_bundle(folder, digest)
    except BundleError:
        return None  # absent, or damaged since: it is fetched again


def _keep(fetched: Path, place: Path, digest: str) -> Bundle:
    open_bundle(fetched)  # what is unsafe never reaches the cache
    if _open_kept(place, digest) is None:
        shutil.rmtree(place, ignore_errors=True)
        try:
            fetched.rename(place)
        except OSError:
            if not place.is_dir():  # else another process kept the same bundle just now
                raise
    return open_bundle(place, digest)
