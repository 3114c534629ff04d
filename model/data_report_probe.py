"""A linear probe of simple features: a cheap reader that needs no trained network.

It is not good, and need not be: what it doubts most is where to look for wrong labels first.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import cross_val_predict

from model.metrics import Floats, Labels
from model.shortcuts import fold_by_group

CELLS: Final = 16
"""Of a side, both of the levels and of the halves' difference: a tumour is larger than one."""

LEAST: Final = 2
"""Pictures of a class to learn from: those of one do not spread."""


def probe_labels(
    head_views: npt.NDArray[np.uint8],
    labels: Labels,
    groups: npt.NDArray[np.str_],
    seed: int,
) -> Floats | None:
    """Let a linear probe of simple features say how probable a tumour is, out of fold.

    Its features are the head's levels, and the difference of its two halves, both coarsely.

    Args:
        head_views: (n, size, size), the heads alone.
        labels: (n,) 1 for tumour.
        groups: (n,); what is said of a picture was learnt from other groups.
        seed: of the folds.

    Returns:
        (n,) probabilities; None if there are too few groups or pictures of a class.
    """
    folds = fold_by_group(labels, groups, seed)
    if folds is None or any(np.bincount(labels[fit]).min() < LEAST for fit, _ in folds):
        return None
    # The mean of the whole collection is no prior for a single label: both classes weigh the same.
    probe = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=(0.5, 0.5))
    features = measure_heads(head_views)
    found = cross_val_predict(probe, features, labels, cv=folds, method="predict_proba")
    return np.asarray(found[:, 1], dtype=np.float64)


def measure_heads(head_views: npt.NDArray[np.uint8]) -> Floats:
    """Return the levels of each head, and how its two halves differ.

    Args:
        head_views: (n, size, size); `size` is a multiple of 2 x `CELLS`.

    Returns:
        (n, 2 x `CELLS` ** 2).
    """
    fine = _shrink(head_views / 255.0, 2 * CELLS)
    # Smoothed first: the halves of a tilted head never fit to the pixel.
    smooth = ndimage.gaussian_filter(fine, (0, 0.75, 0.75))
    halves = np.abs(smooth - smooth[:, :, ::-1])
    return np.hstack([_shrink(cells, CELLS).reshape(len(cells), -1) for cells in (fine, halves)])


def _shrink(pictures: Floats, side: int) -> Floats:
    factor = pictures.shape[1] // side
    cells = pictures.reshape(len(pictures), side, factor, side, factor)
    return np.asarray(cells.mean(axis=(2, 4)), dtype=np.float64)
