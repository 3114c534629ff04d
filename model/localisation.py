"""Does the map point at the lesion: maps and boxes against the outlines that people drew."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.errors import TrainingDataError
from model.images import Box
from model.metrics import make_share, resample_groups, with_intervals
from model.preprocessing import PreparedImage
from model.training_data import LabelledImage
from model.tumor_map import TumorMap, locate_lesion

SIZE_LIMITS: Final = (0.005, 0.015, 0.04)
"""Share of the picture. Of 3,000 outlines about a tenth lies below the first and a twelfth above
the last; half lies below the second."""

SIZE_NAMES: Final = ("0-0.5%", "0.5-1.5%", "1.5-4%", "4-100%")
NO_LESION: Final = "no lesion"
NOT_OUTLINED: Final = "not outlined"

MAP_THRESHOLDS: Final = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
"""From 0.2 to 0.8."""

METRICS: Final = ("dice", "box_iou", "pointing_game")

Outline = npt.NDArray[np.bool_]
"""(height, width) of the original picture, True inside the lesion."""


@dataclass(frozen=True)
class MapScore:
    """How one map fits one outline.

    Attributes:
        dice: overlap of map and outline, 0..1.
        box_iou: overlap of the two boxes, 0..1; 0 where the map gives no box.
        pointing_game: 1 where the map's highest cell lies in the outline, else 0.
    """

    dice: float
    box_iou: float
    pointing_game: float


def read_outline(image: LabelledImage, prepared: PreparedImage) -> Outline | None:
    """Read the outline of a labelled image; None if there is none.

    Raises:
        TrainingDataError: if it cannot be read or is not of the image's size.
    """
    if image.mask is None:
        return None
    try:
        with Image.open(image.mask) as opened:
            outline = np.asarray(opened.convert("1"), dtype=bool)
    except OSError as error:
        message = f"{image.mask} cannot be read ({error}): draw it again or take it out"
        raise TrainingDataError(message) from error
    expected = (prepared.original_height, prepared.original_width)
    if outline.shape != expected:
        message = (
            f"{image.mask} is {outline.shape[1]}x{outline.shape[0]}, "
            f"its image {expected[1]}x{expected[0]}: draw it again"
        )
        raise TrainingDataError(message)
    return outline


def name_size(label: int, outline: Outline | None) -> str:
    """Name the size of a lesion by its share of the picture; see `SIZE_LIMITS`."""
    if label == 0:
        return NO_LESION
    if outline is None or not outline.any():
        return NOT_OUTLINED
    return SIZE_NAMES[int(np.searchsorted(SIZE_LIMITS, outline.mean(), side="right"))]


def name_sizes(
    images: Sequence[LabelledImage],
    prepared: Sequence[PreparedImage],
) -> npt.NDArray[np.str_]:
    """Name the size of the lesion of each image, (n,)."""
    pairs = zip(images, prepared, strict=True)
    return np.array([name_size(image.label, read_outline(image, one)) for image, one in pairs])


def measure_maps(
    images: Sequence[LabelledImage],
    prepared: Sequence[PreparedImage],
    tumor_maps: npt.NDArray[np.float32],
    map_threshold: float,
    seed: int,
) -> dict[str, Any]:
    """Compare maps, (n, cells, cells), with the outlines where there are outlines.

    Returns:
        For JSON: how many images are outlined, the mean of each of `METRICS`, and their 95%
        intervals over groups; None without outlines.
    """
    scores: list[MapScore] = []
    groups: list[str] = []
    for image, score in _score_maps(images, prepared, tumor_maps, map_threshold):
        scores.append(score)
        groups.append(image.group_id)
    every = np.ones(len(scores), dtype=bool)
    metrics = {
        name: make_share(np.array([getattr(score, name) for score in scores], dtype=float), every)
        for name in METRICS
    }
    intervals = with_intervals(metrics, resample_groups(np.array(groups, dtype=np.str_), seed))
    means = {name: one["value"] if one else None for name, one in intervals.items()}
    return {"n": len(scores), **means, "intervals": intervals}


def choose_map_threshold(
    images: Sequence[LabelledImage],
    prepared: Sequence[PreparedImage],
    tumor_maps: npt.NDArray[np.float32],
) -> float:
    """Choose the limit at which maps, (n, cells, cells), overlap the outlines best on average.

    Training weighs lesion cells more than others, so that 0.5 would draw lesions too large.

    Returns:
        One of `MAP_THRESHOLDS`; the middle one where no image has an outline.
    """
    sums = np.zeros(len(MAP_THRESHOLDS))
    for image, one, tumor_map in zip(images, prepared, tumor_maps, strict=True):
        outline = read_outline(image, one)
        if outline is None or not outline.any():
            continue
        cells = outline_in_cells(outline, one, tumor_map.shape[0])
        sums += [dice_of(tumor_map, cells, limit) for limit in MAP_THRESHOLDS]
    best = int(np.argmax(sums)) if sums.any() else len(MAP_THRESHOLDS) // 2
    return MAP_THRESHOLDS[best]


def outline_in_cells(outline: Outline, prepared: PreparedImage, cells: int) -> Outline:
    """Return an outline as (cells, cells) of the region that the network saw."""
    levels = Image.fromarray(np.where(outline, np.uint8(255), np.uint8(0)))
    scale = outline.shape[1] / prepared.decoded_width
    region = prepared.region
    x0, y0, side = region.x * scale, region.y * scale, region.side * scale
    cut = levels.transform(
        (4 * cells, 4 * cells),
        Image.Transform.EXTENT,
        (x0, y0, x0 + side, y0 + side),
        Image.Resampling.BILINEAR,
    ).reduce(4)
    return np.asarray(cut) > 127  # noqa: PLR2004 - half


def box_around(outline: Outline) -> Box:
    """Return the smallest box that holds all of an outline, which must not be empty."""
    rows, columns = np.flatnonzero(outline.any(axis=1)), np.flatnonzero(outline.any(axis=0))
    return Box(
        x=int(columns[0]),
        y=int(rows[0]),
        width=int(columns[-1] - columns[0] + 1),
        height=int(rows[-1] - rows[0] + 1),
    )


def box_iou_of(one: Box | None, other: Box | None) -> float:
    """Return the area that two boxes share over the area that they cover; 0 without a box."""
    if one is None or other is None:
        return 0.0
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = max(0, across) * max(0, down)
    return shared / (one.width * one.height + other.width * other.height - shared)


def dice_of(tumor_map: TumorMap, outline: Outline, limit: float) -> float:
    """Overlap of a map, (m, m), with an outline, (m, m): 0 none, 1 the same."""
    seen = tumor_map >= limit
    total = int(seen.sum()) + int(outline.sum())
    return 2.0 * int((seen & outline).sum()) / total if total else 1.0


def points_into(tumor_map: TumorMap, outline: Outline) -> bool:
    """Pointing game: does the map's highest cell lie in the outline, both (m, m)?"""
    return bool(outline.ravel()[int(np.argmax(tumor_map))])


def _score_maps(
    images: Sequence[LabelledImage],
    prepared: Sequence[PreparedImage],
    tumor_maps: npt.NDArray[np.float32],
    map_threshold: float,
) -> Iterator[tuple[LabelledImage, MapScore]]:
    for image, one, tumor_map in zip(images, prepared, tumor_maps, strict=True):
        outline = read_outline(image, one)
        if outline is None or not outline.any():
            continue
        cells = outline_in_cells(outline, one, tumor_map.shape[0])
        # A lesion outside the region that the network saw, or smaller than half a cell, has no
        # cells: the map cannot overlap it, and that counts against the map.
        found = locate_lesion(tumor_map, one, map_threshold).box
        score = MapScore(
            dice=dice_of(tumor_map, cells, map_threshold) if cells.any() else 0.0,
            box_iou=box_iou_of(found, box_around(outline)),
            pointing_game=float(points_into(tumor_map, cells)),
        )
        yield image, score
