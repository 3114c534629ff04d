"""A folder of drawn slices with an index, for tests that train."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

from tests.unit.model.pictures import draw_head, ellipse

HEIGHT, WIDTH = 130, 110


def write_drawn_slices(folder: Path, count: int) -> Path:
    """Draw slices, each of a group of its own; two of three have a bright, masked lesion."""
    rows = []
    for number in range(count):
        is_tumor = number % 3 != 0
        pixels, _ = draw_head(HEIGHT, WIDTH)
        lesion = ellipse(HEIGHT, WIDTH, (50 + number % 9, 42 + number % 7), (11, 9))
        levels = np.where(lesion & is_tumor, 0.98, pixels * 0.9)
        Image.fromarray((levels * 255).astype(np.uint8)).save(folder / f"{number}.png")
        if is_tumor:
            Image.fromarray(lesion).save(folder / f"{number}-mask.png")
        rows.append(
            {
                "path": f"{number}.png",
                "source": "drawn",
                "label": "tumor" if is_tumor else "no_tumor",
                "tumor_type": "unknown" if is_tumor else "none",
                "group_id": f"g{number}",
                "mask": f"{number}-mask.png" if is_tumor else "",
            },
        )
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return folder
