from __future__ import annotations

import numpy as np
import pytest

from model.images import GrayPixels
from model.near_duplicates import find_clusters, make_thumbnail, measure_likeness


def _picture(seed: int, height: int = 96, width: int = 96) -> GrayPixels:
    """Draw soft blobs: unlike noise, they survive shrinking, as anatomy does."""
    random = np.random.default_rng(seed)
    coarse = random.random((6, 6))
    return np.asarray(np.kron(coarse, np.ones((height // 6, width // 6))), dtype=np.float32)


def _clusters(*pictures: GrayPixels) -> list[int]:
    numbers = find_clusters(np.stack([make_thumbnail(one) for one in pictures]))
    return [int(number) for number in numbers]


def test_all_eight_orientations_of_a_picture_are_one_cluster() -> None:
    picture = _picture(1, 96, 144)
    turned = [np.rot90(picture, quarters) for quarters in range(4)]
    mirrored = [np.rot90(picture[:, ::-1], quarters) for quarters in range(4)]

    clusters = _clusters(*turned, *mirrored)

    assert clusters == [0] * 8


@pytest.mark.parametrize("quarters", [1, 3])
def test_a_turned_picture_is_found_on_either_side(quarters: int) -> None:
    picture = _picture(1)

    assert _clusters(_picture(2), np.rot90(picture, quarters), picture) == [0, 1, 1]
    assert _clusters(_picture(2), picture, np.rot90(picture, quarters)) == [0, 1, 1]


def test_other_pictures_are_clusters_of_their_own() -> None:
    assert _clusters(*(_picture(seed) for seed in range(5))) == [0, 1, 2, 3, 4]


def test_a_brighter_resized_copy_is_a_near_duplicate() -> None:
    small, large = _picture(1), _picture(1, 192, 192)

    assert _clusters(small, large * 0.5 + 0.3) == [0, 0]


def test_what_is_linked_through_another_is_one_cluster() -> None:
    first, last = _picture(1), _picture(2)
    chain = [first * (1 - share) + last * share for share in (0.0, 0.125, 0.25)]

    assert _clusters(chain[0], chain[2]) == [0, 1]
    assert _clusters(chain[0], chain[1]) == [0, 0]
    assert _clusters(chain[1], chain[2]) == [0, 0]
    assert _clusters(chain[0], chain[2], chain[1]) == [0, 0, 0]


def test_near_duplicates_are_found_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.near_duplicates.BLOCK", 2)
    pictures = [_picture(seed) for seed in (1, 2, 3, 4, 1, 5, 2)]

    assert _clusters(*pictures) == [0, 1, 2, 3, 0, 4, 1]


def test_blank_pictures_are_one_cluster_and_join_no_other() -> None:
    black, gray = np.zeros((50, 50), np.float32), np.full((50, 50), 0.5, np.float32)

    assert _clusters(black, _picture(1), gray, _picture(2)) == [0, 1, 0, 2]


def test_blank_pictures_alone_are_one_cluster() -> None:
    assert find_clusters(np.zeros((3, 32, 32), dtype=np.float32)).tolist() == [0, 0, 0]


def test_a_turned_copy_is_as_like_as_can_be_and_a_blank_picture_like_none() -> None:
    first, other = np.random.default_rng(5).random((2, 32, 32)).astype(np.float32)
    blank = np.zeros((32, 32), dtype=np.float32)

    likeness = measure_likeness(np.stack([first, np.rot90(first), other, blank]))

    assert likeness[0, 1] == pytest.approx(1.0, abs=1e-5)
    assert likeness[0, 2] < 0.2
    assert likeness[3].tolist() == [0.0] * 4


def test_no_pictures_have_no_clusters() -> None:
    assert find_clusters(np.zeros((0, 32, 32), np.float32)).tolist() == []


def test_the_thumbnails_stay_as_they_are() -> None:
    thumbnails = np.stack([make_thumbnail(_picture(seed)) for seed in range(3)])
    before = thumbnails.copy()

    find_clusters(thumbnails)

    np.testing.assert_array_equal(thumbnails, before)
