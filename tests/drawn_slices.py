"""Folders of drawn slices with an index, and random first weights, for tests that train."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.architectures import build_backbone
from tests.unit.model.pictures import draw_head, ellipse

HEIGHT, WIDTH = 130, 110
LESION_FROM_RIGHT = 68  # pixels
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def write_drawn_slices(folder: Path, count: int) -> Path:
    """Draw slices, each of a group of its own; two of three have a bright, masked lesion."""
    rows = [
        draw_slice(folder, number, is_tumor=number % 3 != 0, shape=(HEIGHT, WIDTH))
        for number in range(count)
    ]
    return write_index(folder, rows)


def draw_slice(
    folder: Path,
    number: int,
    *,
    is_tumor: bool,
    shape: tuple[int, int] = (120, 120),
    brightness: float = 0.9,
    **columns: str,
) -> dict[str, str]:
    """Draw a slice, with a bright lesion and its mask if it has a tumour.

    Args:
        folder: for the two files.
        number: of the slice; moves the lesion by some pixels.
        is_tumor: whether it has a lesion.
        shape: (height, width).
        brightness: of the head, 0..1.
        columns: of the index, other than the usual ones.

    Returns:
        Its row of the index.
    """
    height, width = shape
    pixels, _ = draw_head(height, width)
    lesion = ellipse(
        height, width, (50 + number % 9, width - LESION_FROM_RIGHT + number % 7), (11, 9)
    )
    levels = np.where(lesion & is_tumor, 0.98, pixels * brightness)
    Image.fromarray((levels * 255).astype(np.uint8)).save(folder / f"{number}.png")
    if is_tumor:
        Image.fromarray(lesion).save(folder / f"{number}-mask.png")
    usual = {
        "path": f"{number}.png",
        "source": "drawn",
        "label": "tumor" if is_tumor else "no_tumor",
        "tumor_type": "unknown" if is_tumor else "none",
        "group_id": f"g{number}",
        "mask": f"{number}-mask.png" if is_tumor else "",
    }
    return usual | columns


def write_index(folder: Path, rows: list[dict[str, str]]) -> Path:
    """Write the index of a folder; returns the folder."""
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder


def write_random_weights(folder: Path, size: int) -> Path:
    """Write a file of random weights in the format of the ImageNet backbone; returns the file."""
    arrays: dict[str, npt.NDArray[np.float32]] = {}
    for layer in build_backbone(size).layers:
        values = layer.get_weights()
        names = NORM_PARTS if len(values) == len(NORM_PARTS) else ("weight",) * len(values)
        named = zip(names, values, strict=True)
        arrays |= {f"{layer.name}.{name}": value for name, value in named}
    file = folder / "weights.npz"
    np.savez(file, **arrays)
    return file
