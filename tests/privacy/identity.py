"""A person who does not exist, and every way in which a program might write them down."""

from __future__ import annotations

import base64
import json
import re
import unicodedata
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

FAMILY: Final = "Quixottel"
GIVEN: Final = "Zephyruna"
MIDDLE: Final = "Ögmündrik"
"""Not ASCII, so that its bytes differ from encoding to encoding."""
IDEOGRAPHIC: Final = "鱻麤龘"
PATIENT_ID: Final = "PQX7734ZK"
BIRTH_DATE: Final = "18930217"

PERSON_NAME: Final = f"{FAMILY}^{GIVEN}^{MIDDLE}^Dr^Jr={IDEOGRAPHIC}^{IDEOGRAPHIC}"
"""As DICOM writes it: components parted by ``^``, groups by ``=`` (PS3.5, 6.2.1)."""

# Single words: whatever stands between them (caret, space, comma, slash) makes no difference.
WORDS: Final = (FAMILY, GIVEN, MIDDLE, IDEOGRAPHIC, PATIENT_ID)
DATES: Final = (BIRTH_DATE, "1893-02-17", "17.02.1893", "02/17/1893", "1893.02.17")

_ENCODINGS: Final = ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "gb18030", "shift_jis")


class Needles:
    """Finds words, however they are encoded; capitals make no difference."""

    def __init__(self, words: tuple[str, ...], dates: tuple[str, ...] = ()) -> None:
        """Take words that nothing else may contain, and dates that may stand within no number."""
        encoded = {spelt for word in words for spelt in _spellings(word)}
        digits = [rb"(?<![0-9a-f])" + re.escape(date.encode()) + rb"(?![0-9a-f])" for date in dates]
        wide = [re.escape(date.encode(name)) for date in dates for name in _ENCODINGS[1:3]]
        self._plain = re.compile(b"|".join([*map(re.escape, sorted(encoded)), *digits, *wide]))
        in_base64 = sorted({spelt for word in words for spelt in _in_base64(word)})
        self._base64 = re.compile(b"|".join(map(re.escape, in_base64)))

    def found_in(self, data: bytes) -> bytes | None:
        """Return what was found and a little around it, or None."""
        for pattern, text in ((self._plain, data.lower()), (self._base64, data)):
            match = pattern.search(text)
            if match:
                return data[max(0, match.start() - 60) : match.end() + 60]
        return None


def _cases(word: str) -> Iterator[str]:
    for form in ("NFC", "NFD"):
        text = unicodedata.normalize(form, word)
        yield from (text, text.lower(), text.upper())


def _spellings(word: str) -> Iterator[bytes]:
    """Yield encodings of a word, ASCII letters small, as in a text that was lowered."""
    for text in _cases(word):
        for encoding in _ENCODINGS:
            try:
                data = text.encode(encoding)
            except UnicodeEncodeError:
                continue
            yield data.lower()
            yield quote(data).encode().lower()
        yield json.dumps(text)[1:-1].encode().lower()
        yield text.encode("ascii", "xmlcharrefreplace").lower()


def _in_base64(word: str) -> Iterator[bytes]:
    for text in _cases(word):
        for encoding in ("utf-8", "utf-16-le"):
            data = text.encode(encoding)
            for before in range(3):
                # What stands before and behind shares a character with the word's ends.
                whole = base64.b64encode(bytes(before) + data).rstrip(b"=")
                yield whole[(0, 2, 3)[before] : -1]


PERSON: Final = Needles(WORDS, DATES)
