"""Masks of pixels: the largest piece, its convex hull, closed gaps."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from model.quick_filters import Mask, dilate, erode


def largest_piece(mask: Mask, least_share: float) -> Mask | None:
    """Return the largest connected piece; None if it covers less than a share of the picture."""
    pieces, count = ndimage.label(mask)
    if count == 0:
        return None
    sizes = np.bincount(pieces.ravel())[1:]
    if sizes.max() < least_share * mask.size:
        return None
    return np.asarray(pieces == 1 + int(np.argmax(sizes)), dtype=bool)


def convex_hull(piece: Mask) -> Mask:
    """Return the convex hull of a piece; the piece itself if its pixels lie on one line."""
    rows = np.flatnonzero(piece.any(axis=1))
    firsts = piece[rows].argmax(axis=1)
    lasts = piece.shape[1] - 1 - piece[rows, ::-1].argmax(axis=1)
    left = _bulge(rows.tolist(), firsts.tolist(), -1)
    right = _bulge(rows.tolist(), lasts.tolist(), 1)
    corners = list(dict.fromkeys([*right, *reversed(left)]))
    if len(corners) < 3:  # noqa: PLR2004 - all on one line
        return piece
    image = Image.new("1", (piece.shape[1], piece.shape[0]))
    ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
    return np.asarray(image, dtype=bool) | piece


def close_mask(mask: Mask, steps: int) -> Mask:
    """Dilate and erode by some pixels; a mask at the picture's edge does not shrink from it."""
    rim = steps + 1
    height, width = mask.shape
    wide = np.zeros((height + 2 * rim, width + 2 * rim), dtype=bool)
    wide[rim:-rim, rim:-rim] = mask
    return erode(dilate(wide, steps), steps)[rim:-rim, rim:-rim]


def _bulge(rows: list[int], columns: list[int], side: int) -> list[tuple[int, int]]:
    """Return the corners (x, y) of one side's outline that bulge outwards: Andrew's chain.

    Args:
        rows: ascending.
        columns: the outermost of each row.
        side: 1 for the right side, -1 for the left.
    """
    chain: list[tuple[int, int]] = []
    for y, x in zip(rows, columns, strict=True):
        while len(chain) > 1:
            (x0, y0), (x1, y1) = chain[-2:]
            if side * ((x1 - x0) * (y - y0) - (x - x0) * (y1 - y0)) > 0:
                break
            chain.pop()
        chain.append((x, y))
    return chain
