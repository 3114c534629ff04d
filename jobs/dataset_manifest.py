"""The manifest of a data set: what belongs to it, and that this project wrote it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any, Final

from jobs.lake import Lake
from model.errors import TrainingDataError

MANIFEST_KEY: Final = "dataset.json"
"""Written last: without it there is no data set."""

IMAGES_FOLDER: Final = "images/"
SET_ASIDE_KEY: Final = "set_aside.csv"
FORMAT: Final = "mri-triage dataset 1"

_NOT_OURS: Final = (
    "petastorm would unpickle what stands in its metadata, which can run any code, so that only "
    "data sets that `mri-triage dataset build` wrote are opened"
)


@dataclass(frozen=True)
class StoredFile:
    """A file of the data set.

    Attributes:
        key: below the data set's root.
        size_bytes: of the file.
        sha256: of the file.
    """

    key: str
    size_bytes: int
    sha256: str

    @classmethod
    def of(cls, key: str, content: bytes) -> StoredFile:
        """Describe a file by its content."""
        return cls(key, len(content), hashlib.sha256(content).hexdigest())


@dataclass(frozen=True)
class Manifest:
    """See the module.

    Attributes:
        files: below `IMAGES_FOLDER`.
        images: rows.
        parts: rows of each part.
        split_digest: which file is in which part.
    """

    files: tuple[StoredFile, ...]
    images: int
    parts: dict[str, int]
    split_digest: str

    def to_json(self) -> bytes:
        """Return the content of `MANIFEST_KEY`."""
        return json.dumps({"format": FORMAT, **asdict(self)}, indent=2).encode()


def read_manifest(lake: Lake) -> Manifest:
    """Read the manifest at a data set's root.

    Raises:
        TrainingDataError: if there is none, or none of this format.
    """
    if lake.head(MANIFEST_KEY) is None:
        message = f"{lake.address.url} holds no {MANIFEST_KEY}: {_NOT_OURS}"
        raise TrainingDataError(message)
    try:
        return _parse(json.loads(lake.read(MANIFEST_KEY)))
    except (ValueError, KeyError, TypeError) as error:
        message = f"the {MANIFEST_KEY} of {lake.address.url} is not of {FORMAT!r}: {_NOT_OURS}"
        raise TrainingDataError(message) from error


def _parse(content: dict[str, Any]) -> Manifest:
    if content.pop("format") != FORMAT:
        raise ValueError
    files = tuple(StoredFile(**file) for file in content.pop("files"))
    return Manifest(files=files, **content)
