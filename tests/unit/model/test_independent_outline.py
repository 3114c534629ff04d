from __future__ import annotations

import numpy as np
import pytest

from model.images import GrayPixels
from model.independent_outline import outline_brain, outline_head
from tests.unit.model.pictures import Mask, draw_head, ellipse


def overlap(one: Mask, other: Mask) -> float:
    return float((one & other).sum() / (one | other).sum())


def draw_layers(size: int = 240) -> tuple[GrayPixels, Mask, Mask]:
    """Draw scalp, dark skull and brain; returns the masks of head and brain."""
    middle = (size / 2, size / 2)
    head, skull, brain = (
        ellipse(size, size, middle, (share * size, 0.85 * share * size))
        for share in (0.42, 0.38, 0.35)
    )
    pixels = np.full((size, size), 0.02, dtype=np.float32)
    for mask, level in ((head, 0.9), (skull, 0.08), (brain, 0.5)):
        pixels[mask] = level
    return pixels, head, brain


@pytest.mark.parametrize(("height", "width"), [(200, 160), (96, 96), (900, 700)])
def test_a_drawn_head_is_outlined_with_a_narrow_rim(height: int, width: int) -> None:
    pixels, head = draw_head(height, width)

    outlined = outline_head(pixels)

    assert outlined is not None
    assert outlined.shape == pixels.shape
    assert (head & ~outlined).sum() <= 0.002 * head.sum()
    assert overlap(outlined, head) > 0.87


def test_a_negative_is_outlined_as_its_positive() -> None:
    pixels, head = draw_head()

    outlined = outline_head(1.0 - pixels)

    assert outlined is not None
    assert overlap(outlined, head) > 0.9


def test_a_bright_lesion_in_a_dim_head_is_not_taken_for_the_head() -> None:
    pixels, head = draw_head(240, 200)
    lesion = ellipse(240, 200, (110, 90), (22, 20))
    dim = np.where(lesion, 1.0, pixels * 0.25).astype(np.float32)

    outlined = outline_head(dim)

    assert outlined is not None
    assert overlap(outlined, head) > 0.85


def test_ventricles_belong_to_the_head() -> None:
    pixels, _ = draw_head(240, 200)
    ventricle = ellipse(240, 200, (120, 100), (30, 8))

    outlined = outline_head(np.where(ventricle, 0.0, pixels).astype(np.float32))

    assert outlined is not None
    assert outlined[ventricle].all()


@pytest.mark.parametrize("level", [0.0, 0.6])
def test_a_picture_of_one_level_has_no_head(level: float) -> None:
    assert outline_head(np.full((90, 110), level, dtype=np.float32)) is None


def test_a_small_bright_spot_is_no_head() -> None:
    pixels = np.zeros((200, 200), dtype=np.float32)
    pixels[90:110, 90:110] = 1.0

    assert outline_head(pixels) is None


def test_the_brain_is_outlined_in_the_skull() -> None:
    pixels, head, brain = draw_layers()

    outlined = outline_brain(pixels, head)

    assert overlap(outlined, brain) > 0.9
    assert not outlined[pixels > 0.8].any()


def test_the_pixels_are_not_changed() -> None:
    pixels, _, _ = draw_layers()
    before = pixels.copy()

    head = outline_head(pixels)
    assert head is not None
    outline_brain(pixels, head)

    np.testing.assert_array_equal(pixels, before)
