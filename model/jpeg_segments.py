"""Walking through a JPEG or JPEG-LS from marker to marker, and what its coded data may not hold.

Decoders fill up what is missing or damaged with gray and say nothing.
"""

from __future__ import annotations

import re
from typing import Final

from model.errors import UnreadableError
from model.image_headers import END_OF_IMAGE, JPEG_FRAMES, START_OF_SCAN, next_jpeg_marker

ZERO_GAP: Final = bytes(32)
"""A part of a file that was never written. No coded data hold it, where `_zeros_are_damage`."""

HUFFMAN_TABLES: Final = 0xC4
SEQUENTIAL_FRAMES: Final = frozenset({0xC0, 0xC1})
JPEG_LS_FRAME: Final = 0xF7

_WITHOUT_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers that are not followed by a length."""

_MARKER_IN_SCAN: Final = re.compile(rb"\xff\xff*([^\x00\xd0-\xd7\xff])")
"""The next marker after coded data: neither a stuffed zero, nor a restart, nor padding.

It begins with one plain byte, which Python looks for 20 times as fast as for a repeated one."""

_MARKER_IN_LS_SCAN: Final = re.compile(rb"\xff\xff*([\x80-\xcf\xd8-\xfe])")
"""As above; JPEG-LS stuffs one zero bit (ISO/IEC 14495-1, A.1), so that 0xFF7F may be data."""


def check_jpeg_segments(data: bytes) -> None:
    """Walk through all segments to the end-of-image marker; what follows it is not looked at.

    Args:
        data: a JPEG or JPEG-LS from its first marker on.

    Raises:
        UnreadableError: if the file breaks off, or coded data hold a gap of zeros.
    """
    position, frame = 2, 0
    first_symbols: dict[int, int] = {}
    while True:
        marker, position = next_jpeg_marker(data, position)
        if marker == END_OF_IMAGE:
            return
        if marker in _WITHOUT_LENGTH:
            continue
        body = position + 2
        position += max(2, int.from_bytes(data[position:body], "big"))
        if marker in JPEG_FRAMES:
            frame = marker
        elif marker == HUFFMAN_TABLES:
            first_symbols |= _first_symbols(data[body:position])
        elif marker == START_OF_SCAN:
            pattern = _MARKER_IN_LS_SCAN if frame == JPEG_LS_FRAME else _MARKER_IN_SCAN
            found = pattern.search(data, position)
            end = found.start() if found else len(data)
            zeros_are_damage = _zeros_are_damage(frame, data[body:position], first_symbols)
            if zeros_are_damage and data.find(ZERO_GAP, position, end) >= 0:
                message = "damaged: a part of the coded picture is all zeros"
                raise UnreadableError(message)
            position = end


def _first_symbols(tables: bytes) -> dict[int, int]:
    """Return, for each AC table by its number, the symbol whose code is all zeros."""
    found, position = {}, 0
    while position + 17 < len(tables):
        kind, number = divmod(tables[position], 16)
        if kind == 1:
            found[number] = tables[position + 17]
        position += 17 + sum(tables[position + 1 : position + 17])
    return found


def _zeros_are_damage(frame: int, scan: bytes, first_symbols: dict[int, int]) -> bool:
    """Tell whether 256 zero bits in a row cannot be coded data.

    JPEG-LS codes no more than 64 zeros in a row. In sequential JPEG it hangs on the code that is
    all zeros: where it ends a block (tables made for a picture with much black), zeros may go on
    for ever; where it is a coefficient, as in the usual tables, no picture does that.

    Args:
        frame: marker of the frame header.
        scan: body of the scan header (ISO/IEC 10918-1, B.2.3).
        first_symbols: see `_first_symbols`; a symbol's lower half is 0 if it is no coefficient.
    """
    if frame == JPEG_LS_FRAME:
        return True
    if frame not in SEQUENTIAL_FRAMES or not scan:
        return False
    tables = [selectors % 16 for selectors in scan[2 : 2 + 2 * scan[0] : 2]]
    return any(first_symbols.get(number, 0) % 16 for number in tables)
