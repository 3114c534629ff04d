"""The tumour map as outlines in the pixels of the original image."""

from __future__ import annotations

from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from skimage.measure import find_contours

from model.preprocessing import PreparedImage
from model.tumor_map import TumorMap

Contour: TypeAlias = list[list[float]]
"""Corners [x, y] of a closed line in pixels of the original, x to the right, y down; the upper
left pixel's middle is 0.5, 0.5. The last corner is joined to the first."""

OUTLINE_DECIMALS: Final = 1
FEWEST_CORNERS: Final = 3
LIFT: Final = 0.1


def outline_lesion(
    tumor_map: TumorMap,
    prepared: PreparedImage,
    map_threshold: float,
) -> list[Contour]:
    """Trace where a tumour map crosses its threshold.

    Args:
        tumor_map: (m, m), 0..1, over the region that the network saw.
        prepared: the way back to the original.
        map_threshold: from which value the map counts as lesion.

    Returns:
        Outlines, the longest first; none where no cell reaches the threshold. An outline within
        another one is a hole.
    """
    if not bool((tumor_map >= map_threshold).any()):
        return []
    # Lifted: around a cell that only just reaches the threshold the line would be a point.
    marked = np.where(
        tumor_map >= map_threshold, np.maximum(tumor_map, map_threshold + LIFT), tumor_map
    )
    # A rim of zeros closes the lines of a lesion at the edge of the map.
    traced = find_contours(np.pad(marked.astype(np.float64), 1), map_threshold)
    contours = [_to_original(line - 1.0, tumor_map.shape[0], prepared) for line in traced]
    kept = [contour for contour in contours if len(contour) >= FEWEST_CORNERS]
    return sorted(kept, key=len, reverse=True)


def fill_contours(contours: list[Contour], width: int, height: int) -> npt.NDArray[np.bool_]:
    """Return (height, width): True inside an odd number of outlines."""
    filled = np.zeros((height, width), dtype=bool)
    for contour in contours:
        image = Image.new("1", (width, height))
        # Pillow's pixel middles are whole numbers.
        corners = [(x - 0.5, y - 0.5) for x, y in contour]
        ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
        filled ^= np.asarray(image, dtype=bool)
    return filled


def _to_original(line: npt.NDArray[np.float64], cells: int, prepared: PreparedImage) -> Contour:
    """Turn (row, column) of cell middles into corners in the original, without repeats."""
    cell = prepared.region.side / cells
    across = prepared.original_width / prepared.decoded_width
    down = prepared.original_height / prepared.decoded_height
    x = (prepared.region.x + (line[:, 1] + 0.5) * cell) * across
    y = (prepared.region.y + (line[:, 0] + 0.5) * cell) * down
    corners = np.stack(
        [np.clip(x, 0, prepared.original_width), np.clip(y, 0, prepared.original_height)], axis=1
    ).round(OUTLINE_DECIMALS)
    rows: Contour = corners.tolist()
    # The traced line ends where it began; clipping and rounding make further repeats.
    return [one for one, before in zip(rows, [rows[-1], *rows[:-1]], strict=True) if one != before]
