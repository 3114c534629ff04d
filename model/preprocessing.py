"""From a decoded picture to what the network sees. Training and scoring both call `prepare_image`.

The head is cut out (`head_region`), what lies outside is set to black, the intensities are
stretched between two percentiles taken inside the head, and the square is scaled to one size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from model.head_region import HeadRegion, find_head
from model.images import DecodedImage, GrayPixels
from model.quick_filters import dilate, erode, mean_of_nine, mean_of_three, percentiles

_LEVELS: Final = np.arange(256) / 255.0
"""The 256 levels as shares of white."""

SAMPLED_SIDE: Final = 128
"""Pixels a side that the percentiles are taken from."""

BUSY_RIM: Final = 2
"""Pixels of the head's mask, from its edge, in which a busy background may show."""

NetworkInput = npt.NDArray[np.uint8]
"""(size, size), 0 black to 255 white; 0 outside the head."""

PICTURE_FEATURE_NAMES: Final = (
    "colourfulness",
    "head_found",
    "head_share",
    "mean_level",
    "level_spread",
    "edge_energy",
    "fine_edge_share",
    "left_right_likeness",
    "dark_share",
    "bright_share",
)
"""What `picture_features` measures, in order; see there."""


class PreprocessingParameters(BaseModel):
    """The parameters of `prepare_image`; they travel in the bundle's card.

    Attributes:
        size: pixels of the network's square input.
        margin: empty rim around the head, as a share of the head's longer side.
        low_percentile: of the levels inside the head, mapped to 0.
        high_percentile: of the levels inside the head, mapped to 255.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    size: int = Field(default=192, ge=32, multiple_of=32)
    margin: float = Field(default=0.04, ge=0.0, le=0.5)
    low_percentile: float = Field(default=0.5, ge=0.0, lt=50.0)
    high_percentile: float = Field(default=99.5, gt=50.0, le=100.0)


@dataclass(frozen=True)
class Region:
    """A square in pixels of the decoded picture; it may reach beyond the picture's edges."""

    x: float
    y: float
    side: float


@dataclass(frozen=True)
class PreparedImage:
    """What the network sees of one picture, and the way back to the picture.

    Attributes:
        network_input: see `NetworkInput`.
        picture_features: (10,) for the scope gate, in the order of `PICTURE_FEATURE_NAMES`.
        region: the square of the decoded picture that `network_input` shows.
        decoded_width: pixels of the decoded picture.
        decoded_height: pixels of the decoded picture.
        original_width: pixels of the object's own image.
        original_height: pixels of the object's own image.
        brightness: mean gray of the decoded picture, 0..1, before anything is stretched; the
            network never sees it. A scanner or an export that changes shows in it first.
    """

    network_input: NetworkInput
    picture_features: npt.NDArray[np.float32]
    region: Region
    decoded_width: int
    decoded_height: int
    original_width: int
    original_height: int
    brightness: float | None = None


def prepare_image(image: DecodedImage, parameters: PreprocessingParameters) -> PreparedImage:
    """Cut out the head, stretch its intensities, scale it to the network's size.

    Args:
        image: a decoded picture of any size; it is not changed.
        parameters: those of the bundle.

    Returns:
        The network's input, the picture's features, and the way back.
    """
    height, width = image.pixels.shape
    head, region, square = _cut_head(image, parameters)
    hull = cut_hull(head, region, parameters.size)
    network_input = np.where(hull, square, np.uint8(0)).astype(np.uint8)
    return PreparedImage(
        network_input=network_input,
        picture_features=picture_features(image, head, network_input, hull),
        region=region,
        decoded_width=width,
        decoded_height=height,
        original_width=image.original_width,
        original_height=image.original_height,
        brightness=float(image.pixels.mean(dtype=np.float64)),
    )


def prepare_unmasked(image: DecodedImage, parameters: PreprocessingParameters) -> NetworkInput:
    """Prepare a picture as `prepare_image` does, but leave what lies outside the head as it is.

    For explanations: only of a picture that still has its surroundings can be said that they do
    not matter.
    """
    return _cut_head(image, parameters)[2]


def _cut_head(
    image: DecodedImage,
    parameters: PreprocessingParameters,
) -> tuple[HeadRegion, Region, NetworkInput]:
    """Return the head, the square around it, and that square stretched and scaled."""
    head = find_head(image.pixels)
    pixels = 1.0 - image.pixels if head.inverted else image.pixels
    region = choose_region(head, parameters.margin)
    window, region_in_window = _crop(pixels, region)
    levels = _map_levels(window, find_level_range(pixels, head, parameters))
    return head, region, cut_square(levels, region_in_window, parameters.size)


def choose_region(head: HeadRegion, margin: float) -> Region:
    """Return the square around the head, `margin` of its longer side wider on each side."""
    longer = max(head.width, head.height)
    side = longer * (1.0 + 2.0 * margin)
    return Region(
        x=head.x + head.width / 2 - side / 2,
        y=head.y + head.height / 2 - side / 2,
        side=side,
    )


def stretch_levels(
    pixels: GrayPixels,
    head: HeadRegion,
    parameters: PreprocessingParameters,
) -> npt.NDArray[np.uint8]:
    """Map two percentiles of the levels inside the head to 0 and 255.

    Returns:
        (height, width) of the picture, clipped; all 0 for a picture of one level.
    """
    return _map_levels(pixels, find_level_range(pixels, head, parameters))


def find_level_range(
    pixels: GrayPixels,
    head: HeadRegion,
    parameters: PreprocessingParameters,
) -> tuple[float, float]:
    """Return the two percentiles of the levels inside the head that become black and white.

    They are taken from every n-th pixel, about `SAMPLED_SIDE` a side: as good, and much faster.
    What of a busy background may lie within the head's rim does not count: white letters there
    would darken the whole brain.
    """
    height, width = pixels.shape
    step = max(1, min(height, width) // SAMPLED_SIDE)
    sample = pixels[::step, ::step]
    mask = erode(head.mask, BUSY_RIM) if head.before_busy else head.mask
    inside = sample[_mask_of_sample(mask, head.scale, (height, width), step)]
    low, high = percentiles(
        inside if inside.size else sample,
        parameters.low_percentile,
        parameters.high_percentile,
    )
    return low, high


def _mask_of_sample(
    mask: npt.NDArray[np.bool_],
    scale: float,
    shape: tuple[int, int],
    step: int,
) -> npt.NDArray[np.bool_]:
    """Look a mask of that scale up at every `step`-th pixel of a picture of that shape."""
    if scale == step and mask.shape == tuple(-(-side // step) for side in shape):
        return mask
    rows, columns = (
        np.minimum((np.arange(0, side, step) / scale).astype(int), cells - 1)
        for side, cells in zip(shape, mask.shape, strict=True)
    )
    looked_up: npt.NDArray[np.bool_] = mask[np.ix_(rows, columns)]
    return looked_up


def _map_levels(pixels: GrayPixels, level_range: tuple[float, float]) -> npt.NDArray[np.uint8]:
    low, high = level_range
    if high - low < 1e-4:  # noqa: PLR2004 - a picture of one level has nothing to stretch
        return np.zeros(pixels.shape, dtype=np.uint8)
    levels = pixels - np.float32(low)
    levels *= np.float32(255.0 / (high - low))
    levels += np.float32(0.5)
    return np.clip(levels, 0.0, 255.0, out=levels).astype(np.uint8)


def _crop(pixels: GrayPixels, region: Region) -> tuple[GrayPixels, Region]:
    """Return the part of a picture that a region covers, and the region within it."""
    height, width = pixels.shape
    left, top = max(0, int(np.floor(region.x))), max(0, int(np.floor(region.y)))
    right = min(width, int(np.ceil(region.x + region.side)))
    bottom = min(height, int(np.ceil(region.y + region.side)))
    window = pixels[top:bottom, left:right]
    return window, Region(region.x - left, region.y - top, region.side)


def cut_square(levels: npt.NDArray[np.uint8], region: Region, size: int) -> npt.NDArray[np.uint8]:
    """Cut a square that may reach over the edges (black there) and scale it, anti-aliased."""
    height, width = levels.shape
    left, top = int(np.floor(region.x)), int(np.floor(region.y))
    right, bottom = int(np.ceil(region.x + region.side)), int(np.ceil(region.y + region.side))
    canvas = np.zeros((max(1, bottom - top), max(1, right - left)), dtype=np.uint8)
    y0, y1, x0, x1 = max(top, 0), min(bottom, height), max(left, 0), min(right, width)
    canvas[y0 - top : y1 - top, x0 - left : x1 - left] = levels[y0:y1, x0:x1]
    box = (
        region.x - left,
        region.y - top,
        min(region.x - left + region.side, canvas.shape[1]),
        min(region.y - top + region.side, canvas.shape[0]),
    )
    scaled = Image.fromarray(canvas).resize((size, size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(scaled, dtype=np.uint8)


def cut_hull(head: HeadRegion, region: Region, size: int) -> npt.NDArray[np.bool_]:
    """Return (size, size): True inside the head's hull, one mask pixel widened, in `region`."""
    widened = dilate(head.mask)
    centres = (np.arange(size) + 0.5) * region.side / size
    rows = np.floor((region.y + centres) / head.scale).astype(int)
    columns = np.floor((region.x + centres) / head.scale).astype(int)
    height, width = widened.shape
    inside = ((rows >= 0) & (rows < height))[:, None] & ((columns >= 0) & (columns < width))[None]
    looked_up = widened[np.ix_(np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1))]
    hull: npt.NDArray[np.bool_] = looked_up & inside
    return hull


def picture_features(
    image: DecodedImage,
    head: HeadRegion,
    network_input: NetworkInput,
    hull: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float32]:
    """Measure what tells a brain slice from a photograph, a page of text, noise or a blank.

    Returns:
        (10,): colour; whether a head was found and its share of the picture; mean and spread of
        the levels inside the head; energy of its edges and the share of it at the finest scale
        (noise and print are fine, tissue is not); likeness of its left and right half; shares of
        darkest and brightest levels. All finite. Frames and negatives are not among them: brain
        MR comes with both.
    """
    levels = network_input.astype(np.float32) / np.float32(255.0)
    smooth = mean_of_three(levels)
    fine = _mean_square(levels - smooth, hull)
    coarse = _mean_square(smooth - mean_of_nine(smooth), hull)
    mean, spread, dark, bright = _measure_levels(network_input, hull)
    features = (
        image.colourfulness,
        float(head.found),
        float(head.mask.mean()),
        mean,
        spread,
        float(np.sqrt(fine + coarse)),
        fine / (fine + coarse + 1e-6),
        _likeness_of_halves(levels),
        dark,
        bright,
    )
    return np.nan_to_num(np.asarray(features, dtype=np.float32))


def _measure_levels(
    network_input: NetworkInput,
    hull: npt.NDArray[np.bool_],
) -> tuple[float, float, float, float]:
    """Return mean and spread of the levels inside the hull, and its shares of dark and bright.

    Those are the lowest and the highest tenth. An empty hull stands for the whole picture.
    """
    counts = np.bincount(network_input.ravel(), minlength=len(_LEVELS))
    inside = int(np.count_nonzero(hull))
    if inside:
        counts[0] -= hull.size - inside  # all that is outside is black
    total = int(counts.sum())
    mean = float(counts @ _LEVELS) / total
    spread = float(np.sqrt(counts @ (_LEVELS - mean) ** 2 / total))
    dark, bright = counts[_LEVELS < 0.1].sum(), counts[_LEVELS > 0.9].sum()  # noqa: PLR2004
    return mean, spread, dark / total, bright / total


def _mean_square(values: npt.NDArray[np.float32], hull: npt.NDArray[np.bool_]) -> float:
    """Return the mean of the squares inside the hull; 0 if it is empty."""
    inside = values * hull
    return float(np.vdot(inside, inside)) / max(1, int(np.count_nonzero(hull)))


def _likeness_of_halves(levels: npt.NDArray[np.float32]) -> float:
    """Return the correlation of a picture with its mirror image, -1..1; 0 if it is flat."""
    centred = levels - levels.mean()
    scale = float(np.vdot(centred, centred))
    return float(np.vdot(centred, centred[:, ::-1])) / scale if scale > 0.0 else 0.0
