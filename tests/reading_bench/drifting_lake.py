"""Does drift name the night that came too dark, and the one of another scanner, from real images?

    python -m tests.reading_bench.drifting_lake [--nights 16] [--studies 66] [--clean 100]

Draws nights of DICOM studies from the mini lake's slices (turned, scaled, with other contrast and
noise, on three scanners), scores every image by the packaged bundle on the night's own code path,
publishes the rows, and runs `mri-triage drift --all`. Then many usual nights are drawn from the
usual studies, with their scores, and judged: how many raise an alarm?
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from scipy import ndimage

from jobs.lake import LakeAddress, open_lake
from jobs.night_drift import to_images
from jobs.night_keys import results_key
from jobs.parquet_objects import write_table
from jobs.schemas import RESULTS
from jobs.scoring_udf import DecodingOptions
from jobs.single_image import ImagePredictor, PredictionTerms
from model.bundle import open_bundle, packaged_bundle_folder
from model.decoding import decode_object
from model.drift import DriftLimits, judge_drift
from model.drift_images import NightImages
from model.errors import ImageError
from model.images import GrayPixels
from model.preflight import DecodingLimits
from tests.builders import MINI_LAKE
from tests.mini_lake.anatomy import Field, Plane
from tests.mini_lake.contrasts import Contrast
from tests.mini_lake.dicom_files import Examination, Scanner, SliceTags, encode_slice
from tests.reading_room import ROOT

FIRST: Final = date(2026, 10, 1)
DARK_NIGHT: Final = 11
FOREIGN_NIGHT: Final = 14
DARK_GAIN: Final = 0.65
FOREIGN_SHARE: Final = 0.5
HISTORY: Final = 14

# Maker, model, and pixels a side.
SCANNERS: Final = (
    (Scanner("SIEMENS", "Skyra", 3.0), 144),
    (Scanner("Philips", "Ingenia", 1.5), 160),
    (Scanner("GE MEDICAL SYSTEMS", "Signa", 1.5), 176),
)
SHARES: Final = (0.5, 0.3, 0.2)
FOREIGN: Final = (Scanner("TOSHIBA", "Titan", 1.5), 192)

Row = dict[str, Any]


def main() -> None:
    """Draw, score, publish, judge."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--nights", type=int, default=16)
    parser.add_argument("--studies", type=int, default=66)
    parser.add_argument("--clean", type=int, default=100)
    parser.add_argument("--keep", type=Path, help="folder of the lake, to look at it")
    options = parser.parse_args()
    begin = time.monotonic()
    slices, predictor = read_slices(), make_predictor()
    nights = [
        draw_night(number, options.studies, slices, predictor) for number in range(options.nights)
    ]
    sizes = [len(rows) for rows in nights]
    print(
        f"{len(nights)} nights of {min(sizes)} to {max(sizes)} images, scored in "
        f"{time.monotonic() - begin:.0f} s; too dark: {night_of(DARK_NIGHT)}, half of another "
        f"scanner: {night_of(FOREIGN_NIGHT)}",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="drifting-lake-") as folder:
        run_command((options.keep or Path(folder)).absolute(), nights)
    usual = [row for number, rows in enumerate(nights) if is_usual(number) for row in rows]
    alarms = count_alarms(usual, options.studies, options.clean)
    print(f"{alarms} of {options.clean} usual nights raise an alarm")


def read_slices() -> list[GrayPixels]:
    """Decode the brain slices of the mini lake."""
    limits = DecodingLimits(2**26, 2**24, 100)
    paths = sorted(MINI_LAKE.glob("incoming/*/neuro/*/**/*image-*.*"))
    frames = (frame for path in paths for frame in decode_object(path.read_bytes(), limits))
    return [frame.pixels for frame in frames if not isinstance(frame, ImageError)]


def make_predictor() -> ImagePredictor:
    """Load the packaged bundle."""
    bundle = open_bundle(packaged_bundle_folder())
    decoding = DecodingOptions(DecodingLimits(2**26, 2**24, 100), 20.0, 2**30)
    return ImagePredictor(PredictionTerms(bundle, bundle.card.limits, decoding, 32, 2, 100, 1))


def draw_night(
    number: int,
    studies: int,
    slices: Sequence[GrayPixels],
    predictor: ImagePredictor,
) -> list[Row]:
    """Draw the images of a night, score them, and return their rows."""
    random = np.random.default_rng((20261124, number))
    contents, names = [], []
    for study in range(studies):
        scanner, side = SCANNERS[random.choice(len(SCANNERS), p=SHARES)]
        if number == FOREIGN_NIGHT and random.random() < FOREIGN_SHARE:
            scanner, side = FOREIGN
        gain = random.normal(1.0, 0.06) * (DARK_GAIN if number == DARK_NIGHT else 1.0)
        for image in range(random.integers(4, 8)):
            pixels = vary(slices[random.integers(len(slices))], side, gain, random)
            examination = Examination(f"{number}-{study}", "N^N", "0", "20261001", scanner)
            tags = SliceTags(1, image + 1, Plane.AXIAL, Contrast.T1, 1.0, float(image))
            contents.append(encode_slice(pixels, examination, tags))
            names.append(f"{number:04d}{study:020d}")
    predictions = predictor.predict(contents)
    rows = []
    for position, (name, found) in enumerate(zip(names, predictions, strict=True)):
        rows += [
            one.row | {"study_id": name, "image_id": f"{position:024x}", "run_id": f"{number}"}
            for one in found
        ]
    return rows


def vary(
    pixels: GrayPixels,
    side: int,
    gain: float,
    random: np.random.Generator,
) -> Field:
    """Turn, scale, brighten and disturb a slice."""
    square = ndimage.zoom(pixels, side / max(pixels.shape), order=1)
    turned = ndimage.rotate(square, random.uniform(-8, 8), reshape=False, order=1)
    bent = np.clip(turned, 0, 1) ** random.uniform(0.9, 1.1) * gain
    noisy: Field = np.clip(bent + random.normal(0, 0.01, turned.shape), 0, 1)
    return noisy


def run_command(lake: Path, nights: Sequence[list[Row]]) -> None:
    """Publish the rows and run the command on them."""
    store = open_lake(LakeAddress(lake.as_uri()))
    for number, rows in enumerate(nights):
        table = pa.Table.from_pylist(rows, schema=RESULTS)
        write_table(store, results_key(night_of(number)), table, {"run_id": f"{number}"})
    command = [sys.executable, "-m", "flows.cli", "drift", "--all", "--place", "demo"]
    done = subprocess.run(
        [*command, "--lake", str(lake)], cwd=ROOT, check=True, capture_output=True, text=True
    )
    print("\n".join(line for line in done.stdout.splitlines() if line.startswith("night ")))


def count_alarms(usual: Sequence[Row], studies: int, nights: int) -> int:
    """Draw usual nights, and count those that raise an alarm against the ones before."""
    random = np.random.default_rng(7)
    by_study: dict[str, list[Row]] = {}
    for row in usual:
        by_study.setdefault(row["study_id"], []).append(row)
    pool = list(by_study.values())

    def draw(number: int) -> NightImages:
        chosen = random.choice(len(pool), studies)
        rows = [
            row | {"study_id": f"{position:024d}"}
            for position, one in enumerate(chosen)
            for row in pool[one]
        ]
        return to_images(night_of(number), pa.Table.from_pylist(rows, schema=RESULTS))

    drawn = [draw(number) for number in range(nights + HISTORY)]
    verdicts = [
        judge_drift(drawn[number], drawn[number - HISTORY : number], DriftLimits())
        for number in range(HISTORY, nights + HISTORY)
    ]
    return sum(1 for verdict in verdicts if verdict.alarms)


def night_of(number: int) -> date:
    """Return a night's date."""
    return FIRST + timedelta(days=number)


def is_usual(number: int) -> bool:
    """Whether nothing was done to a night."""
    return number not in {DARK_NIGHT, FOREIGN_NIGHT}


if __name__ == "__main__":
    main()
