"""The data of the comparison: one split for all rows, read when a row needs it and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from model.augmentation import Sample, decide_changes
from model.comparison_inputs import (
    WHOLE,
    ComparedPart,
    keep_background,
    load_whole_samples,
    prepare_compared,
)
from model.comparison_rows import ComparedRow, Sees
from model.comparison_training import DrawBatches, Recipe
from model.errors import TrainingDataError
from model.preprocessing import PreprocessingParameters
from model.training_data import (
    SPLIT_SEED,
    LabelledImage,
    Part,
    digest_of_split,
    read_index,
    split_by_group,
)
from model.training_samples import (
    Batch,
    add_healthy_twins,
    drawing_weights,
    load_samples,
    make_batches,
)

BATCHES_AT_ONCE: Final = 32
"""Batches of one call to the drawing: a budget ends between any two of them."""

OnRead = Callable[[int, int], None]
"""Called with how many pictures are read, and of how many."""


class ComparisonData:
    """The labelled images of a folder, split, and what the rows see of them."""

    def __init__(self, folder: Path, on_read: OnRead) -> None:
        """Read the folder's index and split it; pictures are read later.

        Raises:
            TrainingDataError: if the folder cannot be used, or a part lacks one of the labels.
        """
        self.parts = split_by_group(read_index(folder), SPLIT_SEED)
        _refuse_one_label(self.parts)
        self.digest = digest_of_split(self.parts, folder)
        self._on_read = on_read
        self._samples: tuple[Sees, list[LabelledImage], list[Sample]] | None = None
        self._prepared: dict[tuple[Part, Sees, int], ComparedPart] = {}

    def describe(self) -> dict[str, dict[str, float | int]]:
        """Return the number of slices and the share of tumours of each part."""
        return {
            part: {
                "n": len(images),
                "groups": len({image.group_id for image in images}),
                "tumors": float(np.mean([image.label for image in images])),
            }
            for part, images in self.parts.items()
        }

    def prepared(self, part: Part, row: ComparedRow) -> ComparedPart:
        """Return a part as a row's network sees it.

        Raises:
            TrainingDataError: if an image cannot be read.
        """
        key = (part, row.sees, row.size)
        if key not in self._prepared:
            images = self.parts[part]
            self._prepared[key] = prepare_compared(images, row, self._counter(len(images)))
        return self._prepared[key]

    def make_drawing(self, row: ComparedRow, recipe: Recipe) -> DrawBatches:
        """Make what draws a row's training pictures from the fit part.

        Raises:
            TrainingDataError: if an image or a mask cannot be used.
        """
        images, samples = self._load(row.sees)
        if row.drawing == "balanced":
            weights = drawing_weights(images)
        else:
            weights = even_weights(images, self.parts["fit"])
        whole = row.sees == "whole_picture"

        def draw(number: int) -> Iterator[Batch]:
            return make_batches(
                samples,
                weights,
                WHOLE if whole else PreprocessingParameters(),
                size=row.size,
                batch_size=recipe.batch_size,
                batches=BATCHES_AT_ONCE,
                seed=(recipe.seed, number),
                decide=keep_background if whole else decide_changes,
            )

        return draw

    def _load(self, sees: Sees) -> tuple[list[LabelledImage], list[Sample]]:
        """Read the fit part; only one way of seeing it is held, the others would not fit."""
        if self._samples is None or self._samples[0] != sees:
            self._samples = None
            images = self.parts["fit"]
            count = self._counter(len(images))
            if sees == "head":
                samples = load_samples(images, PreprocessingParameters(), count)
            else:
                samples = load_whole_samples(images, count)
            self._samples = (sees, *add_healthy_twins(images, samples))
        return self._samples[1], self._samples[2]

    def _counter(self, total: int) -> Callable[[], None]:
        read = 0

        def count() -> None:
            nonlocal read
            read += 1
            self._on_read(read, total)

        return count


def even_weights(
    images: list[LabelledImage],
    drawn: list[LabelledImage],
) -> npt.NDArray[np.float64]:
    """Return weights, (n,), that draw the first images, `drawn`, evenly and the others never.

    The others are healthy twins, which the first project did not have.
    """
    weights = np.zeros(len(images))
    weights[: len(drawn)] = 1.0 / len(drawn)
    return weights


def _refuse_one_label(parts: dict[Part, list[LabelledImage]]) -> None:
    for part, images in parts.items():
        if {image.label for image in images} != {0, 1}:
            message = (
                f"the {part} part holds {len(images)} slices and not both labels: a comparison "
                "needs tumours and normals of several groups in fit, calibration and test"
            )
            raise TrainingDataError(message)
