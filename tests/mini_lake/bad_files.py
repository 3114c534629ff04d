"""What a lake also holds: objects that are no readable brain slice."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from enum import StrEnum
from typing import Final

import numpy as np
import numpy.typing as npt
from skimage import data

from model.reasons import Reason
from tests.mini_lake.encoding import encode_photograph

_ABSURD_SIDE: Final = 100_000


class BadKind(StrEnum):
    """One way to be no readable brain slice."""

    TRUNCATED_JPEG = "truncated_jpeg"
    EMPTY = "empty"
    TEXT = "text_named_jpg"
    NO_PIXELS = "dicom_without_pixels"
    PHOTOGRAPH = "photograph"
    ABSURD_SIZE = "absurd_size"
    REPORT = "structured_report"
    PRESENTATION_STATE = "presentation_state"
    LOCALIZER = "localizer"


EXPECTED_REASONS: Final = {
    BadKind.TRUNCATED_JPEG: (Reason.UNREADABLE,),
    BadKind.EMPTY: (Reason.EMPTY_OBJECT,),
    BadKind.TEXT: (Reason.UNSUPPORTED, Reason.UNREADABLE),
    BadKind.NO_PIXELS: (Reason.UNREADABLE, Reason.UNSUPPORTED),
    BadKind.PHOTOGRAPH: (Reason.NOT_BRAIN_MR,),
    BadKind.ABSURD_SIZE: (Reason.TOO_LARGE,),
    BadKind.REPORT: (Reason.NON_DIAGNOSTIC,),
    BadKind.PRESENTATION_STATE: (Reason.NON_DIAGNOSTIC,),
    BadKind.LOCALIZER: (Reason.NON_DIAGNOSTIC,),
}
"""Reasons that the job may give for each kind; anything else, and above all clearing, is wrong."""

TEXT: Final = b"This object is a text, whatever its name says.\n" * 8

# Both CC0 by their photographers, says scikit-image, which carries them.
_PHOTOGRAPHS: Final[dict[str, Callable[[], npt.NDArray[np.uint8]]]] = {
    "coffee": data.coffee,
    "chelsea": data.chelsea,
}


def truncate(picture: bytes, share: float) -> bytes:
    """The first part of a file, as a broken transfer leaves it."""
    return picture[: int(len(picture) * share)]


def encode_bundled_photograph(name: str) -> bytes:
    """A small colour photograph: `coffee` or `chelsea`."""
    return encode_photograph(_PHOTOGRAPHS[name](), width=280, quality=85)


def encode_absurd_png() -> bytes:
    """A PNG with a valid header of 100,000 x 100,000 pixels and hardly any data."""
    header = struct.pack(">IIBBBBB", _ABSURD_SIDE, _ABSURD_SIDE, 8, 0, 0, 0, 0)
    # Stored uncompressed: the bytes must not depend on the zlib at hand.
    pixels = zlib.compress(bytes(64), 0)
    chunks = ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_frame_chunk(name, body) for name, body in chunks)


def _frame_chunk(name: bytes, body: bytes) -> bytes:
    checksum = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
