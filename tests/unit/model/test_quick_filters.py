import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull

from model.binary_masks import close_mask, convex_hull
from model.quick_filters import (
    dilate,
    erode,
    is_median_above,
    mean_of_nine,
    mean_of_three,
    open_levels,
    open_mask,
    percentiles,
    shrink_whole,
    smooth_by_one,
)

SHAPES = [(128, 128), (128, 97), (31, 64), (9, 5), (1, 1), (1, 7)]


def random_mask(shape: tuple[int, int], seed: int) -> npt.NDArray[np.bool_]:
    noise = np.random.default_rng(seed).normal(size=shape)
    smooth: npt.NDArray[np.bool_] = ndimage.gaussian_filter(noise, 1.5) > 0.02
    return smooth


def random_levels(shape: tuple[int, int], seed: int) -> npt.NDArray[np.float32]:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("steps", [1, 3])
def test_masks_grow_and_shrink_as_scipy_s_do(shape: tuple[int, int], steps: int) -> None:
    for seed in range(5):
        mask = random_mask(shape, seed)
        before = mask.copy()
        np.testing.assert_array_equal(
            dilate(mask, steps), ndimage.binary_dilation(mask, iterations=steps)
        )
        np.testing.assert_array_equal(
            erode(mask, steps), ndimage.binary_erosion(mask, iterations=steps)
        )
        np.testing.assert_array_equal(open_mask(mask), ndimage.binary_opening(mask))
        padded = ndimage.binary_closing(np.pad(mask, steps + 1), iterations=steps)
        closed = padded[steps + 1 : -steps - 1, steps + 1 : -steps - 1]
        np.testing.assert_array_equal(close_mask(mask, steps), closed)
        np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("shape", SHAPES)
def test_levels_are_opened_as_scipy_does(shape: tuple[int, int]) -> None:
    levels = random_levels(shape, 4)

    np.testing.assert_array_equal(open_levels(levels), ndimage.grey_opening(levels, size=3))


@pytest.mark.parametrize("count", [1, 2, 3, 200, 4096])
def test_percentiles_are_numpy_s_to_the_bit(count: int) -> None:
    for seed in range(20):
        doubles = np.random.default_rng(seed).normal(size=count)
        for values in (doubles, doubles.astype(np.float32)):
            expected = np.percentile(values, (0.5, 1.0, 50.0, 99.0, 99.5, 100.0))
            found = percentiles(values, 0.5, 1.0, 50.0, 99.0, 99.5, 100.0)
            assert found == tuple(float(value) for value in expected)


def test_the_median_is_compared_without_being_found() -> None:
    for seed in range(200):
        values = np.random.default_rng(seed).integers(0, 6, 1 + seed % 8).astype(np.float32)
        for level in (0.5, 2.0, 2.5, 3.0, 4.5):
            assert is_median_above(values, level) == bool(np.median(values) > level)


@pytest.mark.parametrize("shape", [(192, 192), (97, 64), (4, 4), (3, 9), (1, 1)])
def test_means_are_those_of_scipy(shape: tuple[int, int]) -> None:
    levels = random_levels(shape, 1)
    np.testing.assert_allclose(mean_of_three(levels), ndimage.uniform_filter(levels, 3), atol=1e-6)
    np.testing.assert_allclose(mean_of_nine(levels), ndimage.uniform_filter(levels, 9), atol=1e-6)


@pytest.mark.parametrize("shape", [(128, 128), (128, 97), (8, 40)])
def test_the_blur_is_that_of_scipy(shape: tuple[int, int]) -> None:
    levels = random_levels(shape, 2)
    np.testing.assert_allclose(smooth_by_one(levels), ndimage.gaussian_filter(levels, 1), atol=1e-6)


@pytest.mark.parametrize("scale", [1, 2, 4])
def test_blocks_are_averaged_as_pillow_does(scale: int) -> None:
    pixels = random_levels((32 * scale, 20 * scale), 3)
    box = Image.fromarray(pixels, mode="F").resize((20, 32), Image.Resampling.BOX)
    np.testing.assert_allclose(shrink_whole(pixels, scale), np.asarray(box), atol=1e-6)


def test_the_hull_of_a_piece_is_qhull_s() -> None:
    for seed in range(60):
        pieces, _ = ndimage.label(random_mask((96, 128), seed))
        piece = pieces == 1
        points = np.argwhere(piece)[:, ::-1]
        if len(points) < 3 or np.linalg.matrix_rank(points - points[0]) < 2:
            continue
        image = Image.new("1", (128, 96))
        corners = [(int(x), int(y)) for x, y in points[ConvexHull(points).vertices]]
        ImageDraw.Draw(image).polygon(corners, fill=1, outline=1)
        np.testing.assert_array_equal(convex_hull(piece), np.asarray(image, dtype=bool) | piece)


def test_the_hull_of_a_line_is_the_line() -> None:
    piece = np.zeros((9, 9), dtype=bool)
    piece[np.arange(2, 7), np.arange(2, 7)] = True
    np.testing.assert_array_equal(convex_hull(piece), piece)
