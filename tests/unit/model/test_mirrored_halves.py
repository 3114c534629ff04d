from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from model.augmentation import Sample
from model.mirrored_halves import find_midline, remove_tumor
from tests.unit.model.pictures import ellipse

SIZE = 256
HEAD = ellipse(SIZE, SIZE, (128, 128), (100, 80))


def _slice_with_tumor(column: int, *, tilt: float = 0.0, size: int = 14) -> Sample:
    """A symmetric head with two ventricles and a tumour, turned by some degrees."""
    levels = HEAD * 110.0
    levels[HEAD & ~ellipse(SIZE, SIZE, (128, 128), (92, 72))] = 220
    for middle in (112, 144):
        levels[ellipse(SIZE, SIZE, (115, middle), (30, 8))] = 30
    tumor = ellipse(SIZE, SIZE, (150, column), (size, size))
    levels[tumor] = 250
    turned = [
        ndimage.rotate(picture.astype(float), tilt, reshape=False, order=1)
        for picture in (levels, HEAD, tumor)
    ]
    return Sample(
        levels=np.clip(turned[0], 0, 255).astype(np.uint8),
        hull=turned[1] > 0.5,
        tumor=turned[2] > 0.5,
        label=1,
    )


@pytest.mark.parametrize("tilt", [-10, 0, 8])
def test_the_midline_of_a_tilted_head_is_found(tilt: int) -> None:
    midline = find_midline(_slice_with_tumor(180, tilt=tilt))

    assert midline.angle_degrees == pytest.approx(-tilt, abs=2)
    assert midline.offset == pytest.approx(0, abs=3)
    assert midline.likeness > 0.9


@pytest.mark.parametrize("column", [75, 180])
def test_the_twin_of_a_tumour_slice_shows_no_tumour_and_both_halves(column: int) -> None:
    sample = _slice_with_tumor(column, tilt=6)

    twin = remove_tumor(sample)

    assert twin is not None
    assert twin.label == 0
    assert twin.tumor is not None
    assert not twin.tumor.any()
    assert sample.levels.max() > 240
    inner = ndimage.binary_erosion(HEAD, iterations=20)
    assert twin.levels[inner].max() < 130
    np.testing.assert_array_equal(twin.levels, twin.levels[:, ::-1])
    assert twin.hull.sum() == pytest.approx(HEAD.sum(), rel=0.05)


def test_a_tumour_at_the_midline_has_no_twin() -> None:
    assert remove_tumor(_slice_with_tumor(132)) is None


def test_a_tumour_that_has_pushed_the_other_half_aside_has_no_twin() -> None:
    assert remove_tumor(_slice_with_tumor(180, size=34)) is None


def test_a_slice_that_is_not_symmetric_has_no_twin() -> None:
    sample = _slice_with_tumor(180)
    ramp = np.linspace(0.05, 1.0, SIZE)[None, :] ** 2
    sagittal = Sample((sample.levels * ramp).astype(np.uint8), sample.hull, sample.tumor, 1)

    assert remove_tumor(sagittal) is None


def test_a_slice_without_an_outline_has_no_twin() -> None:
    sample = _slice_with_tumor(180)

    assert remove_tumor(Sample(sample.levels, sample.hull, None, 1)) is None
