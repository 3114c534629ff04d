"""Which pictures are nearly the same: copies, re-encoded, resized, turned or mirrored ones.

Public collections hold the same slice many times over. Two copies on two sides of a split make a
test part look easy, so that such pictures form one group.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from model.images import GrayPixels

THUMBNAIL_SIDE: Final = 32
"""Pixels. Enough to tell neighbouring slices apart, too few for re-encoding to show."""

SIMILARITY: Final = 0.97
"""Correlation above which two thumbnails show the same picture."""

FLAT: Final = 1e-4
"""Standard deviation below which a thumbnail shows nothing that could be correlated."""

BLOCK: Final = 512
"""Thumbnails compared at once with all later ones: 5,000 take a matrix of 10 MB an orientation."""

Thumbnail: TypeAlias = npt.NDArray[np.float32]
"""(32, 32), as bright as the picture."""


def make_thumbnail(pixels: GrayPixels) -> Thumbnail:
    """Shrink a picture to a square; its sides may change by different factors."""
    # A triangle filter is symmetric: the thumbnail of a turned picture is the turned thumbnail.
    small = Image.fromarray(pixels).resize(
        (THUMBNAIL_SIDE, THUMBNAIL_SIDE),
        Image.Resampling.BILINEAR,
    )
    return np.asarray(small, dtype=np.float32)


def find_clusters(thumbnails: npt.NDArray[np.float32]) -> npt.NDArray[np.int64]:
    """Number the clusters of near-duplicates.

    Two pictures are near-duplicates if one of the eight turns and mirrorings of the one correlates
    with the other by more than `SIMILARITY`. Whatever is linked through others is one cluster.
    Flat pictures, which correlate with nothing, are one cluster.

    Args:
        thumbnails: (n, 32, 32).

    Returns:
        (n,) number of the cluster of each, from 0; a picture without a double has one of its own.
    """
    if len(thumbnails) == 0:
        return np.zeros(0, dtype=np.int64)
    pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *_linked_pairs(thumbnails)])
    links = coo_array(
        (np.ones(len(pairs), dtype=bool), (pairs[:, 0], pairs[:, 1])),
        shape=(len(thumbnails), len(thumbnails)),
    )
    _, numbers = connected_components(links, directed=False)
    return np.asarray(numbers, dtype=np.int64)


def measure_likeness(thumbnails: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Correlate each of a few pictures with each, turned or mirrored as they are most alike.

    Args:
        thumbnails: (n, 32, 32).

    Returns:
        (n, n), -1 to 1; 0 for a flat picture.
    """
    with np.errstate(invalid="ignore"):
        upright = np.nan_to_num(_standardised(thumbnails))
        views = [np.nan_to_num(_standardised(view)) for view in _orientations(thumbnails)]
    return np.asarray(np.max([upright @ view.T for view in views], axis=0), dtype=np.float32)


def _linked_pairs(thumbnails: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.int64]]:
    deviations = thumbnails.std(axis=(1, 2))
    flat = np.flatnonzero(deviations < FLAT)
    yield np.stack([flat[:-1], flat[1:]], axis=1)
    structured = np.flatnonzero(deviations >= FLAT)
    for pairs in _similar_pairs(thumbnails[structured]):
        yield structured[pairs]


def _similar_pairs(thumbnails: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.int64]]:
    """Yield (m, 2) indices of similar thumbnails, block by block."""
    upright = _standardised(thumbnails)
    for view in _orientations(thumbnails):
        turned = _standardised(view)
        for start in range(0, len(upright), BLOCK):
            # Earlier ones met this block already: turning the one is turning back the other.
            similar = upright[start : start + BLOCK] @ turned[start:].T > SIMILARITY
            yield np.argwhere(similar) + start


def _orientations(thumbnails: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    for mirrored in (thumbnails, thumbnails[:, :, ::-1]):
        for quarter_turns in range(4):
            yield np.rot90(mirrored, quarter_turns, axes=(1, 2))


def _standardised(thumbnails: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (n, 1024) of mean 0 and length 1, whose products are correlations."""
    rows = thumbnails.reshape(len(thumbnails), THUMBNAIL_SIDE**2)  # there may be none
    centred = rows - rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    return np.asarray(centred / lengths, dtype=np.float32)
