"""Names for images and studies that say nothing about the patient without the key."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from model.errors import ConfigurationError

IDENTIFIER_VARIABLE: Final = "MRI_TRIAGE_IDENTIFIER_KEY"
MINIMUM_SECRET_BYTES: Final = 16
IDENTIFIER_CHARACTERS: Final = 24  # 96 bits: a collision among 10^9 images has odds of 10^-11

_DEMO_SECRET: Final = b"mri-triage demo key, public on purpose"


@dataclass(frozen=True)
class IdentifierKey:
    """The secret behind `image_id` and `study_id`.

    Without it, whoever knows a file name could look it up in published tables; with a plain hash
    anyone could, by trying names.
    """

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """Short public name of the key, to see that two tables were made with the same one."""
        return self._hash("key", "")[:8]

    def image_id(self, object_key: str, etag: str, frame: int | None) -> str:
        """Return the id of a frame of one version of an object; frame None is the whole object."""
        return self._hash("image", object_key, etag, "" if frame is None else str(frame))

    def study_id(self, text: str) -> str:
        """Return the id of a study, given what tells studies apart (a UID, a folder, a key)."""
        return self._hash("study", text)

    def folder_id(self, folder: str) -> str:
        """Return the id of a folder below the night's root."""
        return self._hash("folder", folder)

    def _hash(self, *parts: str) -> str:
        encoded = (part.encode("utf-8", "surrogatepass") for part in parts)
        # Lengths first: otherwise ("ab", "c") and ("a", "bc") would share an id.
        message = b"".join(len(part).to_bytes(4, "big") + part for part in encoded)
        return hmac.digest(self.secret, message, "sha256").hex()[:IDENTIFIER_CHARACTERS]


def load_identifier_key(environ: Mapping[str, str], *, demo: bool) -> IdentifierKey:
    """Read the key from the environment; in the demo a fixed public one is used.

    Args:
        environ: the environment, `os.environ` in a real run.
        demo: whether this is the mini lake, which holds no patients.

    Raises:
        ConfigurationError: if the key is absent or too short outside the demo.
    """
    if demo:
        return IdentifierKey(_DEMO_SECRET)
    secret = environ.get(IDENTIFIER_VARIABLE, "").strip().encode("utf-8", "surrogateescape")
    if len(secret) < MINIMUM_SECRET_BYTES:
        found = f"{len(secret)} bytes" if secret else "nothing"
        message = (
            f"{IDENTIFIER_VARIABLE} holds {found}: expected a secret of at least "
            f"{MINIMUM_SECRET_BYTES} bytes; make one with `openssl rand -hex 32`, set it for "
            "every process, and keep it: another key gives every image another id (the mini lake "
            "needs none: --place demo)"
        )
        raise ConfigurationError(message)
    return IdentifierKey(secret)
