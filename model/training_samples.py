"""Samples for training: read once, kept in memory as wide crops, drawn and changed by seed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.augmentation import Changes, Sample, apply_changes, decide_changes
from model.decoding import DecodingLimits, decode_object
from model.errors import ImageError, TrainingDataError
from model.head_region import find_head
from model.images import DecodedImage
from model.lesions import decide_painted_lesion, paint_lesion, paste_healthy_patch, paste_lesion
from model.mirrored_halves import remove_tumor
from model.preprocessing import (
    PreprocessingParameters,
    choose_region,
    cut_hull,
    cut_square,
    stretch_levels,
)
from model.training_data import LabelledImage

WIDE: Final = 256
"""Pixels of the wide crop; augmentation cuts smaller squares out of it."""

WIDE_MARGIN: Final = 0.25
"""Room around the head, so that shifts, turns and zooms show picture and not padding."""

TRAINING_LIMITS: Final = DecodingLimits(
    maximum_bytes=64 * 1024 * 1024,
    maximum_pixels=8192 * 8192,
    maximum_frames=2000,
)

PAINT_SHARE: Final = 0.18
PASTE_SHARE: Final = 0.16
HEALTHY_PATCH_SHARE: Final = 0.12
"""Shares of the drawn healthy slices that get a painted or pasted lesion, or a healthy patch."""


@dataclass(frozen=True)
class Batch:
    """What one training step sees.

    Attributes:
        levels: (n, size, size, 1) float32, 0..255.
        labels: (n, 1) float32, 0 or 1.
        outlines: (n, size / 4, size / 4, 1) float32, 0..1.
        outlined: (n,) float32, 1 where the outline is known.
    """

    levels: npt.NDArray[np.float32]
    labels: npt.NDArray[np.float32]
    outlines: npt.NDArray[np.float32]
    outlined: npt.NDArray[np.float32]


def head_share(margin: float) -> float:
    """Return the side of the square that scoring cuts, as a share of the wide crop."""
    return (1.0 + 2.0 * margin) / (1.0 + 2.0 * WIDE_MARGIN)


def decode_labelled(image: LabelledImage) -> DecodedImage:
    """Decode a labelled image the way a night does.

    Raises:
        TrainingDataError: if it cannot be read.
    """
    try:
        first = next(decode_object(image.path.read_bytes(), TRAINING_LIMITS))
        if isinstance(first, ImageError):
            raise first
    except (ImageError, OSError) as error:
        message = f"{image.path} cannot be read ({error}): mend it or take it out of index.csv"
        raise TrainingDataError(message) from error
    return first


def load_sample(image: LabelledImage, parameters: PreprocessingParameters) -> Sample:
    """Read one labelled image and cut the wide crop around its head.

    Raises:
        TrainingDataError: if the image cannot be read or its mask is not of its size.
    """
    pixels = decode_labelled(image).pixels
    head = find_head(pixels)
    region = choose_region(head, WIDE_MARGIN)
    upright = 1.0 - pixels if head.inverted else pixels
    tumor = None
    if image.mask is not None:
        with Image.open(image.mask) as opened:
            outline = np.asarray(opened.convert("1"), dtype=bool)
        if outline.shape != pixels.shape:
            message = f"{image.mask} is {outline.shape}, its image {pixels.shape}: draw it again"
            raise TrainingDataError(message)
        tumor = cut_square(np.where(outline, np.uint8(255), np.uint8(0)), region, WIDE) > 127  # noqa: PLR2004 - half
    elif image.label == 0:
        tumor = np.zeros((WIDE, WIDE), dtype=bool)
    return Sample(
        levels=cut_square(stretch_levels(upright, head, parameters), region, WIDE),
        hull=cut_hull(head, region, WIDE),
        tumor=tumor,
        label=image.label,
    )


def load_samples(
    images: Sequence[LabelledImage],
    parameters: PreprocessingParameters,
    on_loaded: Callable[[], None],
) -> list[Sample]:
    """Read many samples, in order; `on_loaded` is called after each."""

    def load(image: LabelledImage) -> Sample:
        sample = load_sample(image, parameters)
        on_loaded()
        return sample

    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(load, images))


def add_healthy_twins(
    images: Sequence[LabelledImage],
    samples: Sequence[Sample],
) -> tuple[list[LabelledImage], list[Sample]]:
    """Add the healthy twin of every tumour slice that has one; see `mirrored_halves`.

    Args:
        images: (n,) of the fit part.
        samples: (n,) of the same images.

    Returns:
        Images and samples, the twins last; a twin stays in its patient's group, and is of a
        source of its own, so that it is drawn beside the real healthy slices and not instead.
    """
    with ThreadPoolExecutor(max_workers=2) as pool:
        twins = list(pool.map(remove_tumor, samples))
    found = [(image, twin) for image, twin in zip(images, twins, strict=True) if twin is not None]
    twin_images = [
        replace(image, label=0, mask=None, tumor_type="none", source=f"{image.source} mirrored")
        for image, _ in found
    ]
    return [*images, *twin_images], [*samples, *(twin for _, twin in found)]


def drawing_weights(images: Sequence[LabelledImage]) -> npt.NDArray[np.float64]:
    """Return how often each image is drawn, (n,), summing to 1.

    Label by source with weights as the square root of their number, groups within them likewise:
    a large source or a patient of many slices counts for more, but not in proportion. The two
    labels together count the same.
    """
    cells: dict[tuple[int, str], list[int]] = defaultdict(list)
    groups: dict[tuple[int, str, str], list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        cells[image.label, image.source].append(index)
        groups[image.label, image.source, image.group_id].append(index)
    weights = np.zeros(len(images))
    for (label, source), members in cells.items():
        cell = np.zeros(len(images))
        for index in members:
            cell[index] = 1.0 / np.sqrt(len(groups[label, source, images[index].group_id]))
        weights += cell / cell.sum() * np.sqrt(len(members))
    labels = np.array([image.label for image in images])
    for label in (0, 1):
        weights[labels == label] /= weights[labels == label].sum()
    return np.asarray(weights / weights.sum(), dtype=np.float64)


def make_batches(  # noqa: PLR0913 - each is a separate decision of the plan
    samples: Sequence[Sample],
    weights: npt.NDArray[np.float64],
    parameters: PreprocessingParameters,
    *,
    size: int,
    batch_size: int,
    batches: int,
    seed: tuple[int, int],
    decide: Callable[[np.random.Generator], Changes] = decide_changes,
) -> Iterator[Batch]:
    """Draw an epoch's batches; the same seed gives the same batches on any number of threads.

    Args:
        samples: all samples of the fit part.
        weights: from `drawing_weights`.
        parameters: those of the bundle (the margin is used).
        size: pixels of the network's input.
        batch_size: samples a batch.
        batches: number of batches.
        seed: run's seed and epoch.
        decide: draws the numbers of one augmentation.
    """
    chosen = np.random.default_rng(seed).choice(len(samples), size=batches * batch_size, p=weights)
    donors = {
        "tumor": [i for i, s in enumerate(samples) if s.label == 1 and s.tumor is not None],
        "healthy": [i for i, s in enumerate(samples) if s.label == 0],
    }
    share = head_share(parameters.margin)

    def make(position: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None, int]:
        random = np.random.default_rng((*seed, position))
        sample = _vary_lesions(samples[chosen[position]], samples, donors, random)
        picture, outline = apply_changes(sample, decide(random), size, share)
        return picture, outline, sample.label

    with ThreadPoolExecutor(max_workers=2) as pool:
        pending = [
            pool.map(make, range(b * batch_size, (b + 1) * batch_size))
            for b in range(min(3, batches))
        ]
        for number in range(batches):
            made = list(pending.pop(0))
            ahead = number + 3
            if ahead < batches:
                pending.append(pool.map(make, range(ahead * batch_size, (ahead + 1) * batch_size)))
            yield _stack(made, size)


def _vary_lesions(
    sample: Sample,
    samples: Sequence[Sample],
    donors: dict[str, list[int]],
    random: np.random.Generator,
) -> Sample:
    if sample.label == 1:
        return sample
    drawn = random.random()
    if drawn < PAINT_SHARE:
        return paint_lesion(sample, decide_painted_lesion(random))
    if drawn < PAINT_SHARE + PASTE_SHARE and donors["tumor"]:
        return paste_lesion(sample, samples[int(random.choice(donors["tumor"]))], random)
    if drawn < PAINT_SHARE + PASTE_SHARE + HEALTHY_PATCH_SHARE:
        return paste_healthy_patch(sample, samples[int(random.choice(donors["healthy"]))], random)
    return sample


def _stack(
    made: Sequence[tuple[npt.NDArray[np.uint8], npt.NDArray[np.float32] | None, int]],
    size: int,
) -> Batch:
    cells = size // 4
    outlines = np.zeros((len(made), cells, cells, 1), dtype=np.float32)
    for index, (_, outline, _) in enumerate(made):
        if outline is not None:
            outlines[index, ..., 0] = outline.reshape(cells, 4, cells, 4).mean(axis=(1, 3))
    return Batch(
        levels=np.stack([picture for picture, _, _ in made])[..., None].astype(np.float32),
        labels=np.array([[label] for _, _, label in made], dtype=np.float32),
        outlines=outlines,
        outlined=np.array([outline is not None for _, outline, _ in made], dtype=np.float32),
    )
