"""A test of drift in words: what is different, and where to look."""

from __future__ import annotations

import numpy as np

from model.drift_images import Floats, Pool
from model.drift_measures import (
    BRIGHTNESS,
    FLAGGED,
    PROBABILITY,
    RESOLUTION,
    SCOPE,
    Measured,
)


def tell_difference(measured: Measured, now: Floats, before: Floats, pool: Pool) -> str:
    """Say how tonight's images differ from those before.

    Args:
        measured: the test.
        now: (bins,) counts of tonight.
        before: (bins,) counts of the nights before.
        pool: all images.
    """
    of = "" if measured.scanner is None else f" of {measured.scanner}"
    shares, usual = now / max(1.0, now.sum()), before / max(1.0, before.sum())
    if measured.measure == PROBABILITY:
        here, there = _medians(pool.images.probability, measured, pool)
        return (
            f"probabilities{of} are spread differently: median {here:.3f}, usually {there:.3f}; "
            "look whether one kind of image is new, and at the images at both ends"
        )
    if measured.measure == BRIGHTNESS:
        here, there = _medians(pool.images.brightness, measured, pool)
        how = "darker" if here < there else "brighter" if here > there else "spread differently"
        return (
            f"images{of} are {how}: median brightness {here:.2f}, usually {there:.2f}; look at the "
            "window and the export of the scanners"
        )
    if measured.measure == FLAGGED:
        return f"{shares[1]:.0%} of the images{of} are flagged, usually {usual[1]:.0%}"
    if measured.measure == SCOPE:
        return (
            f"{shares[1]:.1%} of the images{of} are no brain MR to the scope gate, usually "
            f"{usual[1]:.1%}; look whether other parts of the body, or other pictures, come along"
        )
    most = int(np.argmax(np.abs(shares - usual)))
    name = measured.names[most]
    if measured.measure == RESOLUTION:
        return f"{shares[most]:.0%} of the images are {name} pixels, usually {usual[most]:.0%}"
    return (
        f"{shares[most]:.0%} of the images come from the scanner {name}, usually "
        f"{usual[most]:.0%}; ask what changed, and look at its images first"
    )


def _medians(values: Floats, measured: Measured, pool: Pool) -> tuple[float, float]:
    known = measured.codes >= 0
    tonight = pool.night_of == pool.night_of.max()
    here, there = values[known & tonight], values[known & ~tonight]
    return (
        float(np.median(here)) if here.size else float("nan"),
        float(np.median(there)) if there.size else float("nan"),
    )
