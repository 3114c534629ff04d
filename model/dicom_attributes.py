"""Reading single DICOM attributes without trusting them.

Every function returns None (or nothing) for an attribute that is absent, empty or malformed.
Enhanced multi-frame objects keep many attributes a frame in functional groups (PS3.3 C.7.6.16);
`FrameAttributes` looks there too.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydicom import Dataset

LONGEST_TEXT: Final = 64
"""Characters of a DICOM long string (LO), the longest kind of text that is read."""

LONGEST_UID: Final = 64

_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")


def read_values(dataset: Dataset, keyword: str) -> list[Any]:
    """Return the values of an attribute as a list, empty if it is absent or malformed."""
    try:
        value = dataset.get(keyword)
    except Exception:  # noqa: BLE001 - pydicom raises what the malformed value happens to cause
        return []
    if value is None or value == "":
        return []
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return list(value)
    return [value]


def read_text(dataset: Dataset, keyword: str) -> str | None:
    """Return the first value as printable text of at most `LONGEST_TEXT` characters."""
    for value in read_values(dataset, keyword)[:1]:
        text = "".join(letter for letter in str(value) if letter.isprintable()).strip()
        return text[:LONGEST_TEXT] or None
    return None


def read_words(dataset: Dataset, keyword: str) -> list[str]:
    """Return the values of a code string, in capitals."""
    return [str(value).strip().upper() for value in read_values(dataset, keyword)]


def read_number(dataset: Dataset, keyword: str) -> float | None:
    """Return the first value as a finite number."""
    numbers = read_numbers(dataset, keyword)
    return numbers[0] if numbers else None


def read_numbers(dataset: Dataset, keyword: str) -> list[float]:
    """Return all values as finite numbers, or nothing if one of them is not."""
    try:
        numbers = [float(value) for value in read_values(dataset, keyword)]
    except (TypeError, ValueError, OverflowError):
        return []
    return numbers if all(math.isfinite(number) for number in numbers) else []


def read_count(dataset: Dataset, keyword: str) -> int | None:
    """Return the first value as a whole number of at least 0."""
    number = read_number(dataset, keyword)
    return int(number) if number is not None and number >= 0 else None


def read_uid(dataset: Dataset, keyword: str) -> str | None:
    """Return the first value if it has the form of a UID (PS3.5, chapter 9)."""
    text = read_text(dataset, keyword)
    return text if text and len(text) <= LONGEST_UID and _UID.fullmatch(text) else None


@dataclass(frozen=True)
class FrameAttributes:
    """The attributes that hold for one frame: its own, then the shared ones, then the object's.

    Attributes:
        dataset: the whole object.
        frame: index of the frame, from 0.
    """

    dataset: Dataset
    frame: int

    def number(self, keyword: str) -> float | None:
        """Return the attribute as `read_number` does."""
        numbers = self.numbers(keyword)
        return numbers[0] if numbers else None

    def numbers(self, keyword: str) -> list[float]:
        """Return the attribute as `read_numbers` does."""
        for place in self._places():
            found = read_numbers(place, keyword)
            if found:
                return found
        return []

    def words(self, keyword: str) -> list[str]:
        """Return the attribute as `read_words` does."""
        for place in self._places():
            found = read_words(place, keyword)
            if found:
                return found
        return []

    def _places(self) -> Iterator[Dataset]:
        for group in self._groups():
            for element in _sequences(group):
                yield from element
        yield self.dataset

    def _groups(self) -> Iterator[Dataset]:
        own = read_values(self.dataset, "PerFrameFunctionalGroupsSequence")
        if self.frame < len(own) and isinstance(own[self.frame], Dataset):
            yield own[self.frame]
        shared = read_values(self.dataset, "SharedFunctionalGroupsSequence")[:1]
        yield from (group for group in shared if isinstance(group, Dataset))


def _sequences(group: Dataset) -> Iterator[list[Dataset]]:
    """Yield the items of every functional group macro; each macro is a sequence of one item."""
    for tag in group.keys():  # noqa: SIM118 - a Dataset is iterated by element otherwise
        try:
            element = group[tag]
        except Exception:  # noqa: BLE001, S112 - a malformed element is one that is absent
            continue
        if element.VR == "SQ":
            yield [item for item in element.value[:1] if isinstance(item, Dataset)]
