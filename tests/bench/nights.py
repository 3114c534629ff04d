"""Nights to measure with: 60% JPEG of 512 x 512, 20% PNG, 20% DICOM of 12 bits, uncompressed.

Their pictures are slices of the mini lake. So many files share so many keys: an object costs the
same whether its bytes are those of another one or not, and the disk is spared.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset

from tests.mini_lake.score import TRUTH
from tests.torture.originals import MINI_LAKE
from tests.unit.model.decoding_samples import encode, make_slice, write

NIGHT: Final = "2026-11-20"
FOLDER: Final = f"incoming/night={NIGHT}/"
SIDE: Final = 512
SLICES_A_STUDY: Final = 20

KINDS: Final = ("clean", "tumor")

FORMATS: Final = ("jpg", "jpg", "dcm", "jpg", "png")
"""Repeated along a night: three fifths, one fifth, one fifth, evenly mixed."""


def make_night(lake: Path, images: int) -> list[str]:
    """Make a night of single slices below a folder, and return the keys, in order.

    Files that are there already are kept.
    """
    samples = _write_samples(lake / "samples")
    keys = [name_slice(number) for number in range(images)]
    for number, key in enumerate(keys):
        of_format = samples[FORMATS[number % len(FORMATS)]]
        link(of_format[number // len(FORMATS) % len(of_format)], lake / key)
    return keys


def name_slice(number: int) -> str:
    """Return the key of the n-th slice of a night."""
    ending = FORMATS[number % len(FORMATS)]
    return f"{FOLDER}study-{number // SLICES_A_STUDY:05d}/{number:07d}.{ending}"


def add_series(lake: Path, count: int, frames: int) -> list[str]:
    """Add multi-frame objects of `frames` slices, 512 kB each, to a night; return their keys."""
    sample = lake / "samples" / f"series-{frames}.dcm"
    if not sample.exists():
        levels = np.stack([_deepen(pixels) for pixels in _pictures(12)])
        repeated = levels[np.arange(frames) % len(levels)]
        sample.write_bytes(write(_twelve_bits(repeated)))
    keys = [f"{FOLDER}series/{number:04d}.dcm" for number in range(count)]
    for key in keys:
        link(sample, lake / key)
    return keys


def link(sample: Path, path: Path) -> None:
    """Let a key share a sample's bytes."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(sample, path)


def _write_samples(folder: Path) -> dict[str, list[Path]]:
    folder.mkdir(parents=True, exist_ok=True)
    written: dict[str, list[Path]] = {"jpg": [], "png": [], "dcm": []}
    for number, pixels in enumerate(_pictures(60)):
        for ending, paths in written.items():
            path = folder / f"{number:02d}.{ending}"
            if not path.exists():
                path.write_bytes(_encode(pixels, ending))
            paths.append(path)
    return written


def _encode(pixels: npt.NDArray[np.uint8], ending: str) -> bytes:
    if ending == "dcm":
        return write(_twelve_bits(_deepen(pixels)))
    return encode(pixels, "JPEG", quality=90) if ending == "jpg" else encode(pixels, "PNG")


def _deepen(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint16]:
    return pixels.astype(np.uint16) * np.uint16(16)


def _twelve_bits(levels: npt.NDArray[np.uint16]) -> Dataset:
    return make_slice(levels, BitsStored=12, HighBit=11)


def _pictures(count: int) -> Iterator[npt.NDArray[np.uint8]]:
    """Yield slices of the mini lake at 512 x 512, with a scanner's noise."""
    with TRUTH.open(encoding="utf-8", newline="") as file:
        names = [row["object_key"] for row in csv.DictReader(file) if row["kind"] in KINDS]
    pictures = [name for name in names if name.endswith((".jpg", ".png"))]
    for number in range(count):
        with Image.open(MINI_LAKE / pictures[number % len(pictures)]) as image:
            gray = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        noise = np.random.default_rng(number).normal(0.0, 3.0, (SIDE, SIDE))
        yield np.clip(np.asarray(gray) + noise, 0, 255).astype(np.uint8)
