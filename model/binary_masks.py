"""Masks of pixels: the largest piece, its convex hull, closed gaps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

Mask = npt.NDArray[np.bool_]
"""(height, width)."""


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
    points = np.stack([np.concatenate([firsts, lasts]), np.concatenate([rows, rows])], axis=1)
    try:
        corners = points[ConvexHull(points).vertices]
    except QhullError:  # fewer than three points, or all on one line
        return piece
    image = Image.new("1", (piece.shape[1], piece.shape[0]))
    ImageDraw.Draw(image).polygon([(int(x), int(y)) for x, y in corners], fill=1, outline=1)
    return np.asarray(image, dtype=bool) | piece


def close_mask(mask: Mask, steps: int) -> Mask:
    """Dilate and erode by some pixels; a mask at the picture's edge does not shrink from it."""
    wide = ndimage.binary_closing(np.pad(mask, steps + 1), iterations=steps)
    return np.asarray(wide[steps + 1 : -steps - 1, steps + 1 : -steps - 1], dtype=bool)
