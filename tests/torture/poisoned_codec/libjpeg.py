"""The JPEG codec of pylibjpeg-libjpeg, found first on the path, that three pictures bring down.

It puts the real package in its own place and changes one function of it. Nothing of the project
knows: pydicom calls what it takes for the codec of JPEG-LS.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

CRASHING_WIDTH = 501
HANGING_WIDTH = 502
HUNGRY_WIDTH = 503
HUNGER_BYTES = 4 * 1024**3

FRAME_HEADER = b"\xff\xf7"
WIDTH_PLACE = slice(7, 9)
"""Bytes of the frame header: marker, length, precision, height, width (ISO/IEC 14495-1, C.2.2)."""

Decode = Callable[..., Any]


def read_width(codestream: bytes) -> int:
    """Return the width that a JPEG-LS codestream declares."""
    header = codestream[codestream.index(FRAME_HEADER) :]
    return int.from_bytes(header[WIDTH_PLACE], "big")


def poison(decode: Decode) -> Decode:
    """Return a function that decodes as `decode` does, but for pictures of three widths."""

    def decode_or_fail(codestream: bytes, *arguments: object, **options: object) -> object:
        width = read_width(codestream)
        if width == CRASHING_WIDTH:
            os.kill(os.getpid(), signal.SIGSEGV)
        if width == HANGING_WIDTH:
            time.sleep(3600)
        if width == HUNGRY_WIDTH:
            np.ones(HUNGER_BYTES, dtype=np.uint8)
        return decode(codestream, *arguments, **options)

    return decode_or_fail


def take_the_place_of_the_real_codec() -> None:
    """Load the package that would have been found, and change it."""
    here = str(Path(__file__).parent)
    paths = [path for path in sys.path if path != here]
    spec = importlib.machinery.PathFinder.find_spec("libjpeg", paths)
    assert spec is not None
    assert spec.loader is not None
    real: ModuleType = importlib.util.module_from_spec(spec)
    sys.modules["libjpeg"] = real
    spec.loader.exec_module(real)
    real.decode_pixel_data = poison(real.decode_pixel_data)  # type: ignore[attr-defined] # known at run time only


if __name__ == "libjpeg":  # found by its short name, not imported by a test
    take_the_place_of_the_real_codec()
