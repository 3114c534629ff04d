"""What the networks of the comparison see: the head as a night prepares it, or the whole picture.

The whole picture is what the first project trained on, and why it wondered that its network looked
at the edges. Nothing is cut out or made black there; all else is as for the head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.augmentation import Changes, Sample, decide_changes
from model.comparison_rows import ComparedRow, Sees
from model.errors import TrainingDataError
from model.head_region import HeadRegion, find_head
from model.images import DecodedImage
from model.preprocessing import (
    NetworkInput,
    PreprocessingParameters,
    prepare_image,
    stretch_levels,
)
from model.training_data import LabelledImage
from model.training_samples import (
    WIDE,
    WIDE_MARGIN,
    decode_labelled,
)

WHOLE: Final = PreprocessingParameters(margin=WIDE_MARGIN)
"""Cuts all of the square that training holds."""


@dataclass(frozen=True)
class ComparedPart:
    """A part of the data as a network of the comparison sees it.

    Attributes:
        inputs: (n, size, size) uint8.
        labels: (n,) 1 for tumour.
        groups: (n,) group of each slice.
        sources: (n,) source of each slice.
    """

    inputs: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    groups: npt.NDArray[np.str_]
    sources: npt.NDArray[np.str_]


def prepare_input(image: DecodedImage, sees: Sees, size: int) -> NetworkInput:
    """Make the input of a network of the comparison, (size, size), of a decoded picture."""
    parameters = PreprocessingParameters(size=size)
    if sees == "head":
        return prepare_image(image, parameters).network_input
    head = find_head(image.pixels)
    return _shrink_whole(stretch_levels(image.pixels, head, parameters), size)


def prepare_compared(
    images: Sequence[LabelledImage],
    row: ComparedRow,
    on_prepared: Callable[[], None],
) -> ComparedPart:
    """Decode and prepare labelled images for a row, in order; `on_prepared` is called after each.

    Raises:
        TrainingDataError: if an image cannot be read.
    """
    inputs = []
    for image in images:
        inputs.append(prepare_input(decode_labelled(image), row.sees, row.size))
        on_prepared()
    return ComparedPart(
        inputs=np.stack(inputs),
        labels=np.array([image.label for image in images], dtype=np.int64),
        groups=np.array([image.group_id for image in images]),
        sources=np.array([image.source for image in images]),
    )


def load_whole_sample(image: LabelledImage) -> Sample:
    """Read one labelled image whole, squeezed into the square that training holds.

    Raises:
        TrainingDataError: if the image cannot be read or its mask is not of its size.
    """
    pixels = decode_labelled(image).pixels
    head = find_head(pixels)
    levels = stretch_levels(pixels, head, PreprocessingParameters())
    tumor = np.zeros((WIDE, WIDE), dtype=bool) if image.label == 0 else None
    if image.mask is not None:
        with Image.open(image.mask) as opened:
            outline = np.asarray(opened.convert("L"), dtype=np.uint8)
        if outline.shape != pixels.shape:
            message = f"{image.mask} is {outline.shape}, its image {pixels.shape}: draw it again"
            raise TrainingDataError(message)
        tumor = _shrink_whole(outline, WIDE) > 127  # noqa: PLR2004 - half
    return Sample(
        levels=_shrink_whole(levels, WIDE),
        hull=_stretch_hull(head),
        tumor=tumor,
        label=image.label,
    )


def load_whole_samples(
    images: Sequence[LabelledImage],
    on_loaded: Callable[[], None],
) -> list[Sample]:
    """Read many images whole, in order; `on_loaded` is called after each."""

    def load(image: LabelledImage) -> Sample:
        sample = load_whole_sample(image)
        on_loaded()
        return sample

    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(load, images))


def keep_background(random: np.random.Generator) -> Changes:
    """Decide an augmentation as `decide_changes` does, of a picture that keeps its background."""
    return replace(decide_changes(random), keep_background=True, clutter_reach=0.0)


def _shrink_whole(levels: npt.NDArray[np.uint8], size: int) -> NetworkInput:
    resized = Image.fromarray(levels).resize((size, size), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.uint8)


def _stretch_hull(head: HeadRegion) -> npt.NDArray[np.bool_]:
    mask = np.where(head.mask, np.uint8(255), np.uint8(0))
    return _shrink_whole(mask, WIDE) > 127  # noqa: PLR2004 - half
