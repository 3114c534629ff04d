from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.comparison_inputs import (
    WHOLE,
    keep_background,
    load_whole_sample,
    load_whole_samples,
    prepare_input,
)
from model.errors import TrainingDataError
from model.training_data import LabelledImage, read_index
from model.training_samples import make_batches
from tests.drawn_slices import write_drawn_slices
from tests.unit.model.pictures import as_image, draw_head

SIZE = 32


@pytest.fixture
def images(tmp_path: Path) -> list[LabelledImage]:
    return read_index(write_drawn_slices(tmp_path, 6))


def test_a_mark_in_the_corner_is_seen_in_the_whole_picture_and_not_in_the_head() -> None:
    pixels, _ = draw_head(120, 100)
    pixels[:12, :12] = 1.0

    whole = prepare_input(as_image(pixels), "whole_picture", SIZE)
    head = prepare_input(as_image(pixels), "head", SIZE)

    assert whole.shape == head.shape == (SIZE, SIZE)
    assert whole[0, 0] > 200
    assert head[0, 0] == 0


def test_the_whole_picture_is_squeezed_with_its_outline(images: list[LabelledImage]) -> None:
    sample = load_whole_sample(images[1])

    assert sample.tumor is not None
    assert sample.levels.shape == sample.hull.shape == sample.tumor.shape == (256, 256)
    rows, columns = np.nonzero(sample.tumor)
    assert rows.mean() == pytest.approx(51 / 130 * 256, abs=2)
    assert columns.mean() == pytest.approx(43 / 110 * 256, abs=2)


def test_a_mask_of_another_size_is_refused(images: list[LabelledImage], tmp_path: Path) -> None:
    mask = tmp_path / "small.png"
    Image.new("1", (5, 4)).save(mask)

    with pytest.raises(TrainingDataError, match="draw it again"):
        load_whole_sample(replace(images[1], mask=mask))


def test_batches_of_whole_pictures_repeat_with_their_seed_and_keep_the_background(
    images: list[LabelledImage],
) -> None:
    samples = [
        replace(sample, levels=np.where(sample.hull, np.uint8(0), np.uint8(255)))  # black on white
        for sample in load_whole_samples(images, lambda: None)
    ]

    first, again = (
        list(
            make_batches(
                samples,
                np.full(len(samples), 1 / len(samples)),
                WHOLE,
                size=SIZE,
                batch_size=4,
                batches=2,
                seed=(1, 2),
                decide=keep_background,
            ),
        )
        for _ in range(2)
    )

    assert [batch.levels.shape for batch in first] == [(4, SIZE, SIZE, 1)] * 2
    assert all(
        np.array_equal(one.levels, other.levels) for one, other in zip(first, again, strict=True)
    )
    bright = [(picture > 100).mean() for batch in first for picture in batch.levels]
    assert np.mean([share > 0.2 for share in bright]) > 0.7
