"""The tumour map as something to lay over a picture: its outline, and a transparent heat layer."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.preprocessing import PreparedImage
from model.tumor_map import TumorMap

Outline: TypeAlias = tuple[tuple[float, float], ...]
"""A closed line of points (x, y) in pixels of the original image."""

HEAT: Final = (90, 200, 255)
"""The colour of the outline, so that the two read as one thing."""

STRONGEST_OPACITY: Final = 0.55
"""A heat layer must not hide the tissue that it lies on."""

DECIMALS: Final = 1


@dataclass(frozen=True)
class HeatLayer:
    """The map as a picture.

    Attributes:
        png: (cells, cells), one colour, opacity by the map's probability.
        x: left edge in pixels of the original image; may lie outside it.
        y: top edge.
        width: in pixels of the original image.
        height: in pixels of the original image.
    """

    png: bytes
    x: float
    y: float
    width: float
    height: float


def outline_lesion(
    tumor_map: TumorMap,
    prepared: PreparedImage,
    map_threshold: float,
) -> tuple[Outline, ...]:
    """Trace the map at its threshold, between the centres of its cells.

    Args:
        tumor_map: (cells, cells) of one picture.
        prepared: the picture it was made of.
        map_threshold: from which value a cell counts as lesion.

    Returns:
        One closed line a piece; none where no cell reaches the threshold.
    """
    # Inside the function: scikit-image takes a second that only whoever draws should spend.
    from skimage.measure import find_contours  # noqa: PLC0415

    # A rim of zeros closes a line that would leave the map.
    padded = np.pad(tumor_map, 1)
    lines = find_contours(padded, level=map_threshold)
    return tuple(_to_original(line - 1.0, prepared, tumor_map.shape[0]) for line in lines)


def draw_heat(tumor_map: TumorMap, prepared: PreparedImage) -> HeatLayer:
    """Draw the map as a transparent picture over the region that the network saw."""
    rgba = np.zeros((*tumor_map.shape, 4), dtype=np.uint8)
    rgba[..., :3] = HEAT
    rgba[..., 3] = np.rint(np.clip(tumor_map, 0.0, 1.0) * 255.0 * STRONGEST_OPACITY)
    buffer = io.BytesIO()
    Image.fromarray(rgba).save(buffer, "PNG")
    across, down = _scales(prepared)
    region = prepared.region
    return HeatLayer(
        buffer.getvalue(),
        x=round(region.x * across, DECIMALS),
        y=round(region.y * down, DECIMALS),
        width=round(region.side * across, DECIMALS),
        height=round(region.side * down, DECIMALS),
    )


def _to_original(line: npt.NDArray[np.float64], prepared: PreparedImage, cells: int) -> Outline:
    across, down = _scales(prepared)
    cell = prepared.region.side / cells
    x = (prepared.region.x + (line[:, 1] + 0.5) * cell) * across
    y = (prepared.region.y + (line[:, 0] + 0.5) * cell) * down
    x, y = np.clip(x, 0, prepared.original_width), np.clip(y, 0, prepared.original_height)
    pairs = zip(x.round(DECIMALS).tolist(), y.round(DECIMALS).tolist(), strict=True)
    return tuple(pairs)


def _scales(prepared: PreparedImage) -> tuple[float, float]:
    return (
        prepared.original_width / prepared.decoded_width,
        prepared.original_height / prepared.decoded_height,
    )
