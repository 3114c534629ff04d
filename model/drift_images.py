"""The images of nights as `model.drift` judges them, and the pool of several nights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Texts = npt.NDArray[np.str_]
Codes = npt.NDArray[np.int64]

MOST_STUDIES: Final = 4000
"""Of a larger pool a random part is judged: a difference that such a part does not show is none."""


@dataclass(frozen=True)
class NightImages:
    """The images of a night, (n,) each.

    Attributes:
        night: which.
        studies: number of each image's study within the night, from 0.
        probability: 0..1; NaN where there is no score.
        flagged: whatever the reason.
        out_of_scope: by the scope gate.
        brightness: mean gray 0..1; NaN where it is not known.
        resolution: width and height, as ``256x256``; empty where the image was not opened.
        scanner: maker and model; empty where the image was not opened.
    """

    night: date
    studies: Codes
    probability: Floats
    flagged: Flags
    out_of_scope: Flags
    brightness: Floats
    resolution: Texts
    scanner: Texts

    @property
    def count(self) -> int:
        """How many images."""
        return len(self.studies)


@dataclass(frozen=True)
class Pool:
    """All images of tonight and of the nights before, and their studies.

    Attributes:
        images: of all nights.
        night_of: (n,) position of each image's night; tonight is the last.
        study_of: (n,) number of each image's study in the pool.
        night_of_study: (s,) position of each study's night.
    """

    images: NightImages
    night_of: Codes
    study_of: Codes
    night_of_study: Codes


def join_nights(nights: Sequence[NightImages]) -> Pool:
    """Put nights together, tonight last."""
    sizes = [night.count for night in nights]
    studies = [int(night.studies.max()) + 1 for night in nights]
    starts = np.concatenate([[0], np.cumsum(studies)[:-1]])
    joined = NightImages(
        nights[-1].night,
        np.concatenate([one.studies + start for one, start in zip(nights, starts, strict=True)]),
        np.concatenate([one.probability for one in nights]),
        np.concatenate([one.flagged for one in nights]),
        np.concatenate([one.out_of_scope for one in nights]),
        np.concatenate([one.brightness for one in nights]),
        np.concatenate([one.resolution for one in nights]),
        np.concatenate([one.scanner for one in nights]),
    )
    positions = np.arange(len(nights))
    return Pool(joined, np.repeat(positions, sizes), joined.studies, np.repeat(positions, studies))


def sample_studies(pool: Pool, random: np.random.Generator) -> Pool:
    """Return a random part of the studies of a pool that is very large."""
    count = len(pool.night_of_study)
    if count <= MOST_STUDIES:
        return pool
    kept = np.sort(random.choice(count, MOST_STUDIES, replace=False))
    number = np.full(count, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    chosen = number[pool.study_of] >= 0
    images = pool.images
    part = replace(
        images,
        **{
            name: getattr(images, name)[chosen]
            for name in (
                "studies",
                "probability",
                "flagged",
                "out_of_scope",
                "brightness",
                "resolution",
                "scanner",
            )
        },
    )
    return Pool(
        part, pool.night_of[chosen], number[pool.study_of[chosen]], pool.night_of_study[kept]
    )
