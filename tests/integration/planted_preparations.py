"""Functions that a test plants in the decoding process in place of the real preprocessing."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np

from model.errors import UnreadableError
from model.images import DecodedImage

CRASHING_WIDTH = 13
HANGING_WIDTH = 14
HUNGRY_WIDTH = 15
FAILING_WIDTH = 16
REFUSED_WIDTH = 17


def measure(image: DecodedImage, parameters: float) -> tuple[int, int, float]:
    """Return width, height and the parameters; misbehave on pictures of certain widths."""
    width = image.original_width
    if width == CRASHING_WIDTH:
        os.kill(os.getpid(), signal.SIGSEGV)
    if width == HANGING_WIDTH:
        time.sleep(3600)
    if width == HUNGRY_WIDTH:
        np.ones(2**30, dtype=np.uint8).sum()
    if width == FAILING_WIDTH:
        message = "Doe^Jane"
        raise ValueError(message)
    if width == REFUSED_WIDTH:
        message = "refused"
        raise UnreadableError(message)
    return width, image.original_height, parameters


def look_around(_: DecodedImage, __: object) -> tuple[set[str], bool, int]:
    """Return the environment's names, whether TensorFlow is loaded, and the process's parent."""
    return set(os.environ), "tensorflow" in sys.modules, os.getppid()


def tell_pid(_: DecodedImage, path: str) -> None:
    """Write the process id to a file, then hang."""
    Path(path).write_text(str(os.getpid()), "ascii")
    time.sleep(3600)


def return_much(_: DecodedImage, __: object) -> bytes:
    """Return far more than a pipe holds."""
    return bytes(8 * 2**20)
