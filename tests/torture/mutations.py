"""Ways in which files are damaged on their way, each with a seeded random generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final, TypeAlias

import numpy as np

from tests.torture.originals import Original

Random: TypeAlias = np.random.Generator
Mutate: TypeAlias = Callable[[bytes, bytes, Random], bytes]
"""The file's bytes, another file's bytes, and the source of all choices; returns new bytes."""

SAME_BYTES: Final = "wrong extension"
ENDINGS: Final = (".jpg", ".png", ".dcm", ".tif", ".nii", ".txt", "")


@dataclass(frozen=True)
class Mutant:
    """A damaged file.

    Attributes:
        kind: one of `KINDS`.
        name: of the file.
        data: its bytes.
        original: what it was made from.
    """

    kind: str
    name: str
    data: bytes
    original: Original


def mutate_all(originals: Sequence[Original], count: int, seed: int) -> list[Mutant]:
    """Make `count` damaged files, the kinds in turn; one seed gives the same files for ever."""
    kinds = list(KINDS)
    return [
        _mutate(
            kinds[number % len(kinds)], number, originals, np.random.default_rng([seed, number])
        )
        for number in range(count)
    ]


def _mutate(kind: str, number: int, originals: Sequence[Original], random: Random) -> Mutant:
    original, other = (originals[int(i)] for i in random.integers(0, len(originals), 2))
    name = f"{number:05d}-{original.name}"
    if kind == SAME_BYTES:
        endings = [ending for ending in ENDINGS if ending != PurePath(name).suffix]
        name = f"{PurePath(name).with_suffix('')}{endings[int(random.integers(len(endings)))]}"
    return Mutant(kind, name, KINDS[kind](original.data, other.data, random), original)


def _place(length: int, random: Random) -> int:
    return int(random.integers(0, max(1, length)))


def flip_one_bit(data: bytes, _: bytes, random: Random) -> bytes:
    """Turn one bit round, anywhere."""
    return _flip(data, 1, random)


def flip_many_bits(data: bytes, _: bytes, random: Random) -> bytes:
    """Turn 4 to 64 bits round."""
    return _flip(data, int(random.integers(4, 65)), random)


def flip_header_bits(data: bytes, _: bytes, random: Random) -> bytes:
    """Turn 1 to 8 bits of the first 512 bytes round."""
    return _flip(data[:512], int(random.integers(1, 9)), random) + data[512:]


def _flip(data: bytes, count: int, random: Random) -> bytes:
    changed = bytearray(data)
    for _ in range(count if data else 0):
        changed[_place(len(data), random)] ^= 1 << int(random.integers(0, 8))
    return bytes(changed)


def truncate(data: bytes, _: bytes, random: Random) -> bytes:
    """Keep a first part of any length, none included."""
    return data[: _place(len(data), random)]


def lose_last_bytes(data: bytes, _: bytes, random: Random) -> bytes:
    """Lose 1 to 64 bytes at the end."""
    return data[: max(0, len(data) - int(random.integers(1, 65)))]


def lose_first_bytes(data: bytes, _: bytes, random: Random) -> bytes:
    """Lose 1 to 600 bytes at the beginning."""
    return data[int(random.integers(1, 601)) :]


def zero_a_block(data: bytes, _: bytes, random: Random) -> bytes:
    """Leave a block of 64 to 4,096 bytes unwritten."""
    start, length = _place(len(data), random), int(random.integers(64, 4097))
    gap = bytes(len(data[start : start + length]))
    return data[:start] + gap + data[start + length :]


def zero_the_tail(data: bytes, _: bytes, random: Random) -> bytes:
    """Keep the length, but nothing after some place: a transfer into a file made beforehand."""
    start = _place(len(data), random)
    return data[:start] + bytes(len(data) - start)


def overwrite_a_block(data: bytes, _: bytes, random: Random) -> bytes:
    """Write noise over a block of 16 to 1,024 bytes."""
    start, length = _place(len(data), random), int(random.integers(16, 1025))
    return data[:start] + random.bytes(len(data[start : start + length])) + data[start + length :]


def lose_a_block(data: bytes, _: bytes, random: Random) -> bytes:
    """Leave a block of 1 to 1,024 bytes out: what follows moves up."""
    start = _place(len(data), random)
    return data[:start] + data[start + int(random.integers(1, 1025)) :]


def double_a_block(data: bytes, _: bytes, random: Random) -> bytes:
    """Write a block of 1 to 1,024 bytes twice, as a retry without a position does."""
    start = _place(len(data), random)
    end = start + int(random.integers(1, 1025))
    return data[:end] + data[start:]


def splice_header(data: bytes, other: bytes, random: Random) -> bytes:
    """Put the first 16 to 1,024 bytes of another file before the rest of this one."""
    length = int(random.integers(16, 1025))
    return other[:length] + data[length:]


def splice_tail(data: bytes, other: bytes, random: Random) -> bytes:
    """Go on with another file from some place."""
    start = _place(len(data), random)
    return data[:start] + other[start:]


def append_bytes(data: bytes, other: bytes, random: Random) -> bytes:
    """Append up to 2,048 bytes of another file."""
    return data + other[: int(random.integers(1, 2049))]


def replace_by_noise(data: bytes, _: bytes, random: Random) -> bytes:
    """Keep nothing but the length and the first 4 bytes."""
    return data[:4] + random.bytes(max(0, len(data) - 4))


def keep_all(data: bytes, _: bytes, __: Random) -> bytes:
    """Keep the bytes; the name is what changes."""
    return data


KINDS: Final[dict[str, Mutate]] = {
    "one bit flipped": flip_one_bit,
    "bits flipped": flip_many_bits,
    "header bits flipped": flip_header_bits,
    "truncated": truncate,
    "last bytes lost": lose_last_bytes,
    "first bytes lost": lose_first_bytes,
    "block zeroed": zero_a_block,
    "tail zeroed": zero_the_tail,
    "block overwritten": overwrite_a_block,
    "block lost": lose_a_block,
    "block doubled": double_a_block,
    "header spliced": splice_header,
    "tail spliced": splice_tail,
    "bytes appended": append_bytes,
    "noise": replace_by_noise,
    SAME_BYTES: keep_all,
}
