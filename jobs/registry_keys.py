"""Where the registry of models lies in the lake: ``models/<name>/<version>/`` and ``CURRENT``."""

from __future__ import annotations

import re
from typing import Final

from model.errors import ConfigurationError

MODELS_PREFIX: Final = "models/"
CURRENT_NAME: Final = "CURRENT"

_PART: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
"""One folder's name, on any file system, and a fact that the audit log accepts."""


def require_part(text: str, what: str) -> str:
    """Return the name or the version of a model if it can be the name of a folder.

    Args:
        text: name or version.
        what: which of the two, for the message.

    Raises:
        ConfigurationError: if it cannot.
    """
    if _PART.fullmatch(text) is None or text == CURRENT_NAME:
        message = (
            f"the {what} {text!r} cannot name a folder of the registry: expected at most 64 "
            f"letters, digits and . _ + -, a letter or digit first, and not {CURRENT_NAME}"
        )
        raise ConfigurationError(message)
    return text


def current_key(name: str) -> str:
    """Return the key of the object that says which version of a model scores."""
    return f"{MODELS_PREFIX}{require_part(name, 'model name')}/{CURRENT_NAME}"


def bundle_key(name: str, version: str, file: str) -> str:
    """Return the key of one file of a registered bundle."""
    folder = f"{MODELS_PREFIX}{require_part(name, 'model name')}/{require_part(version, 'version')}"
    return f"{folder}/{file}"
