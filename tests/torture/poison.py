"""`python -m tests.torture.poison`: what three poisonous images cost a night (`make bench-poison`).

One picture makes its codec crash, one makes it hang, one makes it ask for 4 GiB. The same night
is run with three harmless pictures in their place, and the times are compared.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from pydicom.uid import JPEGLSLossless
from rich.console import Console
from rich.table import Table

from tests.torture.night import FOLDER, read_night, run_night, write_lake
from tests.torture.originals import mini_lake_files
from tests.torture.poisoned_codec.libjpeg import CRASHING_WIDTH, HANGING_WIDTH, HUNGRY_WIDTH
from tests.unit.model.decoding_samples import make_slice, write

POISON: Final = {"crashes": CRASHING_WIDTH, "hangs": HANGING_WIDTH, "asks for 4 GiB": HUNGRY_WIDTH}
HARMLESS_WIDTH: Final = 500

WARM_UP: Final = 10
"""Objects of a night that is run first and not measured."""

POISONED_CODEC: Final = Path(__file__).parent / "poisoned_codec"


def list_night(images: int, *, poisonous: bool) -> dict[str, bytes]:
    """Return a night of `images` objects by key: slices of the mini lake, and three of DICOM."""
    pictures = [file.data for file in mini_lake_files() if file.name.endswith((".jpg", ".png"))]
    plain = images - len(POISON)
    night = {
        f"{FOLDER}study-{number // 20}/{number:04d}": pictures[number % len(pictures)]
        for number in range(plain)
    }
    for number, (name, width) in enumerate(POISON.items()):
        # Spread over the night, between other images.
        key = f"{FOLDER}study-{number * plain // len(POISON) // 20}/{name.replace(' ', '-')}"
        night[key] = encode_jpeg_ls(width if poisonous else HARMLESS_WIDTH)
    return night


def encode_jpeg_ls(width: int) -> bytes:
    """Encode a DICOM slice of that width by the real codec."""
    levels = np.random.default_rng(width).integers(0, 4096, (64, width)).astype(np.uint16)
    dataset = make_slice(levels, BitsStored=12, HighBit=11)
    dataset.compress(JPEGLSLossless, generate_instance_uid=False)
    return write(dataset)


def run_once(night: dict[str, bytes]) -> tuple[float, pd.DataFrame]:
    """Run a night in a lake of its own, with the poisoned codec on the path.

    Returns:
        Seconds, and the published rows.
    """
    with tempfile.TemporaryDirectory(prefix="poison-") as folder:
        lake = Path(folder) / "lake"
        write_lake(lake, night)
        seconds = run_night(lake, {"PYTHONPATH": str(POISONED_CODEC)})
        return seconds, read_night(lake)[0]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run both nights and print what the poison cost.

    Returns:
        0, or 1 if an object has no row or the codec was not brought down.
    """
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture.poison", description="What three poisonous images cost."
    )
    parser.add_argument("--images", type=int, default=500, help="objects of the night (500)")
    images: int = parser.parse_args(arguments).images
    run_once(list_night(WARM_UP, poisonous=False))  # the first run reads everything from the disk
    harmless_seconds, _ = run_once(list_night(images, poisonous=False))
    poisonous = list_night(images, poisonous=True)
    seconds, rows = run_once(poisonous)
    console = Console(width=100 if "COLUMNS" not in os.environ else None)
    table = Table("image", "decision", "reason", "detail", title="Poisonous images")
    found = {}
    for name in POISON:
        row = rows[rows["object_key"].str.endswith(f"/{name.replace(' ', '-')}")].iloc[0]
        table.add_row(name, row["decision"], row["reason"], row["detail"] or "")
        found[name] = row["reason"]
    console.print(table)
    published = rows["object_key"].nunique()
    console.print(f"{published} of {len(poisonous)} objects published")
    console.print(
        f"the same night without them: {harmless_seconds:.0f} s; with them: {seconds:.0f} s"
    )
    console.print(f"extra time: {seconds - harmless_seconds:.0f} s")
    brought_down = found["crashes"] == "decoder_crash" and found["hangs"] == "timed_out"
    return 0 if brought_down and published == len(poisonous) else 1


if __name__ == "__main__":
    raise SystemExit(main())
