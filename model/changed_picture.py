"""A decoded picture, and a change that makes another one of it.

Each picture always gets the same change: the seed is made of its pixels and the change's name.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import numpy as np

from model.images import DecodedImage, GrayPixels
from model.independent_outline import Mask, outline_brain, outline_head

SEED: Final = 2026


@dataclass(frozen=True)
class OriginalPicture:
    """A picture before it is changed.

    Attributes:
        image: decoded.
        lesion: (height, width) of its pixels, the outline that people drew; None if there is none.
    """

    image: DecodedImage
    lesion: Mask | None

    @property
    def pixels(self) -> GrayPixels:
        """Return (height, width), 0..1."""
        return self.image.pixels

    @cached_property
    def head(self) -> Mask | None:
        """The head as `independent_outline` finds it."""
        return outline_head(self.pixels)

    @cached_property
    def brain(self) -> Mask | None:
        """The brain, the lesion included: no brain extraction worth its name cuts it off."""
        if self.head is None:
            return None
        brain = outline_brain(self.pixels, self.head)
        brain = brain if self.lesion is None else brain | self.lesion
        return brain if brain.any() else None


Apply = Callable[[OriginalPicture, np.random.Generator], GrayPixels | None]
"""Makes the changed pixels, of any size; None where the picture does not lend itself to it."""


@dataclass(frozen=True)
class Change:
    """One row of the shift table.

    Attributes:
        name: of the change.
        family: what it belongs to.
        description: what is done, for the reader of the table.
        apply: see `Apply`.
    """

    name: str
    family: str
    description: str
    apply: Apply


def apply_change(picture: OriginalPicture, change: Change) -> DecodedImage | None:
    """Return the changed picture in 256 levels of gray, or None where it cannot be changed so."""
    key = (SEED, zlib.crc32(change.name.encode()), zlib.crc32(picture.pixels.tobytes()))
    changed = change.apply(picture, np.random.default_rng(key))
    if changed is None:
        return None
    delivered = np.round(np.clip(changed, 0.0, 1.0) * 255.0) / 255.0
    height, width = changed.shape
    return replace(
        picture.image,
        pixels=delivered.astype(np.float32),
        original_width=width,
        original_height=height,
    )
