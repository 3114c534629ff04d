"""A night whose objects, folders and file names all name a person who does not exist."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

from tests.privacy.identity import (
    BIRTH_DATE,
    FAMILY,
    GIVEN,
    IDEOGRAPHIC,
    MIDDLE,
    PATIENT_ID,
    PERSON_NAME,
)
from tests.privacy.planted_dicom import planted_dicoms
from tests.privacy.planted_pictures import planted_pictures

NIGHT: Final = "2026-11-20"
NIGHT_FOLDER: Final = f"incoming/night={NIGHT}/"

FOLDERS: Final = (
    f"{FAMILY}^{GIVEN}",
    f"{FAMILY}, {GIVEN} ({BIRTH_DATE})",
    f"{PATIENT_ID}/{BIRTH_DATE}",
    unicodedata.normalize("NFC", f"{MIDDLE} {IDEOGRAPHIC}"),
    unicodedata.normalize("NFD", MIDDLE.upper()),
    quote(f"{MIDDLE}^{FAMILY}"),
    f"{FAMILY.lower()}\nWARNING {GIVEN.lower()}",
    PERSON_NAME,
)


def planted_objects() -> Iterator[tuple[str, bytes]]:
    """Yield a key below the lake's root and the bytes of each object."""
    files = itertools.chain(planted_dicoms(), planted_pictures())
    for folder, (name, data) in zip(itertools.cycle(FOLDERS), files, strict=False):
        yield f"{NIGHT_FOLDER}{folder}/{FAMILY}_{PATIENT_ID}_{name}", data
    # At the night's root: an object there is a study of its own.
    yield f"{NIGHT_FOLDER}{FAMILY}-{BIRTH_DATE}.dcm", next(planted_dicoms())[1]
