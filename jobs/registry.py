"""The registry of models in the lake: bundles are registered once and never changed."""

from __future__ import annotations

import re
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from jobs.audit_log import record_event
from jobs.lake import Lake, PreconditionFailedError
from jobs.registry_bundles import fetch_bundle, read_file
from jobs.registry_keys import MODELS_PREFIX, bundle_key
from model.bundle import CARD_FILE, MODEL_FILE, Bundle
from model.card import Card
from model.errors import BundleError

UPLOAD_ORDER: Final = (MODEL_FILE, CARD_FILE)
"""The card last: a version without one is not complete."""

_BUNDLE_KEY_PARTS: Final = 4  # models, name, version, file


@dataclass(frozen=True)
class RegisteredVersion:
    """One version in the registry.

    Attributes:
        name: of the model.
        version: of the bundle.
        card: None if it is absent or cannot be read.
        problem: why there is no card, or None.
    """

    name: str
    version: str
    card: Card | None
    problem: str | None = None


def register_bundle(lake: Lake, bundle: Bundle, now: datetime) -> bool:
    """Upload a bundle as ``models/<name>/<version>/`` and verify there what arrived.

    A bundle that is there already, or in part, is completed; another one is never written over.

    Args:
        lake: that holds the registry.
        bundle: verified; its card says name and version.
        now: the time, for the audit log.

    Returns:
        Whether anything had to be uploaded.

    Raises:
        ConfigurationError: if its name or version cannot be a folder's.
        BundleError: if another bundle has this version, or what arrived has another digest.
        OutputError: if the lake cannot be written.
    """
    name, version = bundle.card.name, bundle.card.version
    keys = {file: bundle_key(name, version, file) for file in UPLOAD_ORDER}
    record_event(
        lake,
        "register",
        {"model": name, "version": version, "digest": bundle.digest},
        now,
    )
    uploaded = [_upload(lake, bundle, file, keys[file]) for file in UPLOAD_ORDER]
    with tempfile.TemporaryDirectory() as folder:
        fetch_bundle(lake, name, version, bundle.digest, Path(folder))
    return any(uploaded)


def list_versions(lake: Lake) -> list[RegisteredVersion]:
    """List what the registry holds, by name and version; what is damaged is listed as such."""
    files: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for found in lake.list_objects(MODELS_PREFIX):
        parts = found.key.split("/")
        if len(parts) == _BUNDLE_KEY_PARTS:
            files[parts[1], parts[2]].add(parts[3])
    return [
        _describe(lake, name, version, files[name, version])
        for name, version in sorted(files, key=lambda pair: (pair[0], _in_order(pair[1])))
    ]


def _upload(lake: Lake, bundle: Bundle, file: str, key: str) -> bool:
    data = (bundle.folder / file).read_bytes()
    try:
        lake.write(key, data, if_absent=True)
    except PreconditionFailedError:
        name, version = bundle.card.name, bundle.card.version
        if read_file(lake, name, version, file) == data:
            return False
        message = (
            f"version {version} of {name} is registered already, and its {file} is another one: "
            "expected a new version; a registered bundle is never changed"
        )
        raise BundleError(message) from None
    return True


def _describe(lake: Lake, name: str, version: str, files: set[str]) -> RegisteredVersion:
    missing = sorted(set(UPLOAD_ORDER) - files)
    if missing:
        problem = f"incomplete: no {' and no '.join(missing)}"
        return RegisteredVersion(name, version, None, problem)
    try:
        card = Card.model_validate_json(read_file(lake, name, version, CARD_FILE))
    except (BundleError, ValidationError):
        return RegisteredVersion(name, version, None, f"damaged: {CARD_FILE} cannot be read")
    return RegisteredVersion(name, version, card)


def _in_order(version: str) -> str:
    """Return a text that sorts 0.10.0 behind 0.9.0."""
    return re.sub(r"\d+", lambda number: number[0].zfill(10), version)
