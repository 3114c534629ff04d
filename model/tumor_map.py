"""From the network's coarse tumour map to a box and an area in the original picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.images import Box
from model.preprocessing import PreparedImage

TumorMap = npt.NDArray[np.float32]
"""(cells, cells), probability 0..1 that a cell of the head region shows tumour."""


@dataclass(frozen=True)
class Lesion:
    """Where the map sees a tumour.

    Attributes:
        box: of the strongest connected piece, in pixels of the original; None if there is none.
        area_fraction: of all cells above the threshold, as a share of the whole picture, 0..1.
    """

    box: Box | None
    area_fraction: float


def locate_lesion(tumor_map: TumorMap, prepared: PreparedImage, map_threshold: float) -> Lesion:
    """Find the strongest piece of a tumour map.

    Args:
        tumor_map: the network's map of one picture.
        prepared: the picture it was made of; gives the way back to the original's pixels.
        map_threshold: cells at or above it count as tumour.

    Returns:
        Box and area; no box where no cell reaches the threshold.
    """
    pieces, count = ndimage.label(tumor_map >= map_threshold)
    if count == 0:
        return Lesion(box=None, area_fraction=0.0)
    strengths = ndimage.sum_labels(tumor_map, pieces, index=np.arange(1, count + 1))
    rows, columns = ndimage.find_objects(pieces)[int(np.argmax(strengths))]
    cell = prepared.region.side / tumor_map.shape[0]
    to_original_x = prepared.original_width / prepared.decoded_width
    to_original_y = prepared.original_height / prepared.decoded_height
    x0 = (prepared.region.x + columns.start * cell) * to_original_x
    x1 = (prepared.region.x + columns.stop * cell) * to_original_x
    y0 = (prepared.region.y + rows.start * cell) * to_original_y
    y1 = (prepared.region.y + rows.stop * cell) * to_original_y
    area = (
        int((pieces > 0).sum()) * cell * cell / (prepared.decoded_width * prepared.decoded_height)
    )
    return Lesion(
        box=_clipped_box(x0, y0, x1, y1, prepared.original_width, prepared.original_height),
        area_fraction=float(min(1.0, area)),
    )


def _clipped_box(x0: float, y0: float, x1: float, y1: float, width: int, height: int) -> Box:  # noqa: PLR0913 - four edges, two limits
    left = min(max(0, round(x0)), width - 1)
    top = min(max(0, round(y0)), height - 1)
    right = min(max(left + 1, round(x1)), width)
    bottom = min(max(top + 1, round(y1)), height)
    return Box(x=left, y=top, width=right - left, height=bottom - top)
