"""Read every picture of a folder for a data report, in decoding processes, without Spark.

A picture that crashes its decoder or hangs costs itself only, as in a night.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Event
from typing import Final, TypeAlias, cast

import numpy as np
from PIL import Image

from jobs.decoding_messages import FrameResult, ImageFailure, PreparedFrame
from jobs.decoding_pool import DecodingPool
from jobs.inspect_images import find_mask_problem
from model.data_report import ReadFolder
from model.data_report_pictures import MeasuredPicture, PictureMeasures
from model.errors import ImageError, NotRetrievedError, UnreadableError, UnsupportedError
from model.gray_levels import robust_levels
from model.preflight import identify_format
from model.training_data import UNKNOWN, LabelledImage
from model.training_dataset import UNLABELLED, SetAside
from model.training_folders import LabelledFolder
from model.training_samples import TRAINING_LIMITS, decode_labelled

MEASURE: Final = "model.data_report_pictures:measure_picture"
"""What the decoding process does with a picture: only little comes back from it."""

HEAD_BYTES: Final = 2048
"""Enough of a file to tell its format."""

OnRead = Callable[[], None]
"""Called once for every file, from any thread."""

_Read: TypeAlias = tuple[str, FrameResult]
"""Digest of the file, and its first frame: of several the first is the labelled one."""


def find_unlisted_dicom(listed: LabelledFolder) -> list[Path]:
    """List the DICOM files below a folder that are none of its labelled images, by path."""
    known = {path for image in listed.images for path in (image.path, image.mask)}
    below = (path for path in sorted(listed.folder.rglob("*")) if path.is_file())
    return [path for path in below if path not in known and _is_dicom(path)]


def measure_folder(
    listed: LabelledFolder,
    unlisted: Sequence[Path],
    processes: int,
    on_read: OnRead,
) -> ReadFolder:
    """Read all pictures of a folder, their masks, and its unlisted DICOM files.

    Args:
        listed: the folder.
        unlisted: see `find_unlisted_dicom`.
        processes: that decode at once.
        on_read: see there.
    """
    paths = [image.path for image in listed.images]
    found = _measure_files([*paths, *unlisted], processes, on_read)
    pictures: list[MeasuredPicture] = []
    set_aside = [SetAside(listed.name_of(path), UNLABELLED) for path in listed.unlabelled]
    for image, (digest, result) in zip(listed.images, found, strict=False):
        picture = _judge(image, listed.name_of(image.path), digest, result)
        if isinstance(picture, SetAside):
            set_aside.append(picture)
        else:
            pictures.append(picture)
    beside = [result for _, result in found[len(paths) :]]
    readable = [result.acquisition for result in beside if isinstance(result, PreparedFrame)]
    return ReadFolder(pictures, sorted(set_aside), readable, len(beside) - len(readable))


def encode_preview(image: LabelledImage, height: int) -> bytes:
    """Return a labelled image as a gray JPEG of a given height in pixels, for a page.

    Raises:
        TrainingDataError: if it cannot be read any more.
    """
    pixels = robust_levels(decode_labelled(image).pixels)  # a dark slice hides its lesion
    levels = Image.fromarray((pixels * 255).astype(np.uint8))
    width = max(1, round(levels.width * height / levels.height))
    buffer = io.BytesIO()
    levels.resize((width, height), Image.Resampling.LANCZOS).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _measure_files(paths: Sequence[Path], processes: int, on_read: OnRead) -> list[_Read]:
    """Measure files, each process an equal share of them; in the order of the paths."""
    found: dict[int, _Read] = {}
    stopped = Event()

    def read_share(first: int) -> Iterator[tuple[tuple[int, str], bytes | ImageError]]:
        for number in range(first, len(paths), processes):
            if stopped.is_set():
                return
            digest, content = _read(paths[number])
            yield (number, digest), content

    def measure_share(first: int) -> None:
        with DecodingPool(TRAINING_LIMITS, None, prepare=MEASURE) as pool:
            for (number, digest), results in pool.decode_all(read_share(first)):
                found[number] = (digest, results[0])
                on_read()

    with ThreadPoolExecutor(processes) as threads:
        try:
            list(threads.map(measure_share, range(processes)))
        finally:
            stopped.set()  # otherwise Ctrl-C waits until every file is read
    return [found[number] for number in range(len(paths))]


def _read(path: Path) -> tuple[str, bytes | ImageError]:
    try:
        content = path.read_bytes()
    except OSError:
        return "", NotRetrievedError("the file is missing or cannot be opened")
    return hashlib.sha256(content).hexdigest(), content


def _judge(
    image: LabelledImage,
    name: str,
    digest: str,
    result: FrameResult,
) -> MeasuredPicture | SetAside:
    if isinstance(result, ImageFailure):
        return SetAside(name, f"{result.reason}: {result.detail}")
    measures = cast("PictureMeasures", result.prepared)
    if image.mask:
        problem = find_mask_problem(image.mask, image.label, measures.width, measures.height)
        if problem:
            return SetAside(name, problem)
    plane = result.acquisition.plane
    return MeasuredPicture(
        image=replace(image, plane=plane) if image.plane == UNKNOWN and plane else image,
        name=name,
        digest=digest,
        format=result.format,
        measures=measures,
        may_be_shown=result.format != "dicom" or result.burned_in_text is False,
    )


def _is_dicom(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return identify_format(file.read(HEAD_BYTES)) == "dicom"
    except (OSError, UnreadableError, UnsupportedError):
        return False
