"""What an engine makes of a bundle's network: made once, kept by digest, verified when opened.

The folder holds ``network.pb``, for OpenVINO also ``network.xml`` and ``network.bin``, and
``manifest.json``, which names their digests and what they were made from.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from model import errors
from model.bundle import Bundle
from model.engine_choice import EngineChoice
from model.engine_tensorflow import RunNetwork
from model.errors import BundleError
from model.kept_folders import mark_used

LOG = logging.getLogger(__name__)

MANIFEST_FILE: Final = "manifest.json"
GRAPH_FILE: Final = "network.pb"
XML_FILE: Final = "network.xml"

FILES: Final = {
    "tensorflow": (GRAPH_FILE,),
    "openvino": (XML_FILE, "network.bin"),
}
"""What is kept, by engine."""

DERIVATION: Final = 1
"""Counts up when the same bundle would be turned into other files."""


@dataclass(frozen=True)
class DerivedNetwork:
    """A network as an engine reads it.

    Attributes:
        folder: where its files are; on a cluster a folder of the same name is shipped.
        digest: SHA-256 of the manifest, which holds the digests of the files.
    """

    folder: Path
    digest: str


def derive_or_find(
    bundle: Bundle,
    choice: EngineChoice,
    batch_size: int,
    cache: Path,
) -> DerivedNetwork:
    """Return the network for an engine, made now if the cache does not hold it.

    TensorFlow runs in a process of its own for that: the driver never loads it.

    Args:
        bundle: verified.
        choice: the engine.
        batch_size: images a call.
        cache: folder; made if need be.

    Raises:
        BundleError: if the network cannot be loaded, or the engine computes something else.
        ConfigurationError: if the engine is not installed, or the processor lacks its precision.
    """
    folder = cache / derived_name(bundle, choice, batch_size)
    if not _is_sound(folder):
        LOG.info("the network is made ready for %s, once on this machine", choice.label)
        _derive_apart(bundle, choice, batch_size, folder)
    mark_used(folder, "engine-*")
    return open_derived(folder)


def derived_name(bundle: Bundle, choice: EngineChoice, batch_size: int) -> str:
    """Name the folder by all that the files depend on."""
    versions = [metadata.version("tensorflow-cpu"), metadata.version("keras")]
    if choice.engine == "openvino":
        versions.append(_version("openvino"))
    terms = [bundle.digest, choice.label, batch_size, DERIVATION, *versions]
    digest = hashlib.sha256(json.dumps(terms).encode()).hexdigest()
    return f"engine-{choice.label}-{digest[:24]}"


def open_derived(folder: Path, expected_digest: str | None = None) -> DerivedNetwork:
    """Verify a folder.

    Raises:
        BundleError: if a file is absent or another one than the manifest says, or the digest is
            not the expected one.
    """
    manifest = folder / MANIFEST_FILE
    try:
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
        files = json.loads(manifest.read_bytes())["files"]
        damaged = [name for name, sha in files.items() if _digest(folder / name) != sha]
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"{folder} holds no network for an engine ({type(error).__name__}): remove it"
        raise BundleError(message) from None
    if damaged or expected_digest not in (None, digest):
        found = f"{', '.join(damaged)} of {folder} is damaged" if damaged else f"{folder} differs"
        message = f"{found}: expected what the driver made of the bundle; remove the folder"
        raise BundleError(message)
    return DerivedNetwork(folder, digest)


def load_runner(derived: DerivedNetwork, threads: int) -> RunNetwork:
    """Load a verified network into its engine.

    Raises:
        ConfigurationError: if the engine is not installed, or the processor lacks its precision.
    """
    choice = choice_of(derived.folder)
    if choice.engine == "openvino":
        from model.engine_openvino import make_runner as make_openvino  # noqa: PLC0415

        return make_openvino(derived.folder / XML_FILE, choice.precision, threads)
    from model.engine_tensorflow import make_runner  # noqa: PLC0415 - the other one is enough

    return make_runner((derived.folder / GRAPH_FILE).read_bytes(), threads)


def read_manifest(folder: Path) -> Mapping[str, Any]:
    """Return what a folder's network was made from, and how it was compared."""
    content: Mapping[str, Any] = json.loads((folder / MANIFEST_FILE).read_bytes())
    return content


def choice_of(folder: Path) -> EngineChoice:
    """Return the engine that a folder's network is for."""
    manifest = read_manifest(folder)
    return EngineChoice(manifest["engine"], manifest["precision"])


def write_manifest(folder: Path, choice: EngineChoice, notes: Mapping[str, Any]) -> None:
    """Write the manifest of the files that are in a folder."""
    files = {name: _digest(folder / name) for name in FILES[choice.engine]}
    content = {"engine": choice.engine, "precision": choice.precision, "files": files, **notes}
    (folder / MANIFEST_FILE).write_text(json.dumps(content, indent=1, sort_keys=True), "utf-8")


def _derive_apart(bundle: Bundle, choice: EngineChoice, batch_size: int, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="deriving-", dir=folder.parent) as made:
        command = [sys.executable, "-m", "model.derive_network", str(bundle.folder), bundle.digest]
        done = subprocess.run(  # noqa: S603 - our own interpreter and code
            [*command, choice.engine, choice.precision, str(batch_size), made],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        if done.returncode:
            raise _error_of(done, choice)
        shutil.rmtree(folder, ignore_errors=True)
        try:
            Path(made).rename(folder)
        except OSError:
            open_derived(folder)  # another process was faster, with the same files
        else:
            Path(made).mkdir()  # for the context to remove


def _error_of(done: subprocess.CompletedProcess[str], choice: EngineChoice) -> Exception:
    lines = done.stdout.strip().splitlines() or [""]
    kind, _, text = lines[-1].partition(": ")
    known = getattr(errors, kind, None)
    if isinstance(known, type) and issubclass(known, errors.TriageError):
        return known(text)
    last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
    message = f"the network cannot be made ready for {choice.label}: {last[:300]}"
    return BundleError(message)


def _is_sound(folder: Path) -> bool:
    try:
        open_derived(folder)
    except BundleError:
        return False
    return True


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "absent"  # the engine itself says so more clearly
