from __future__ import annotations

import numpy as np
import pytest

from model.data_report_leakage import (
    BY_GROUP,
    BY_ROW,
    GIVEN,
    Relations,
    count_related,
    look_up_labels,
    measure_leakage,
)


def _relations(pictures: int, *, copies: int) -> Relations:
    """Make unlike pictures, each `copies` times, of one random label and one group each."""
    random = np.random.default_rng(1)
    scenes = np.repeat(np.arange(pictures), copies)
    labels = random.permutation(np.arange(pictures) % 2)
    thumbnails = random.random((pictures, 32, 32)).astype(np.float32)
    return Relations(
        labels=labels[scenes].astype(np.int64),
        clusters=scenes.astype(np.int64),
        groups=scenes.astype(str),
        thumbnails=thumbnails[scenes],
    )


def test_a_split_by_row_of_copies_leaks_and_one_by_group_does_not() -> None:
    by_row, by_group = measure_leakage(_relations(40, copies=4), None, seed=1)

    assert (by_row.split, by_group.split) == (BY_ROW, BY_GROUP)
    assert by_row.tested == by_group.tested == 160
    assert by_row.with_twin == by_row.with_group >= 155
    assert by_group.with_twin == by_group.with_group == 0
    assert by_row.accuracy is not None
    assert by_group.accuracy is not None
    # The labels are random: whatever is above a half was remembered.
    assert by_row.accuracy > 0.95
    assert by_group.accuracy < 0.7


def test_a_twin_in_another_group_is_found_in_the_split_by_group() -> None:
    copied = _relations(20, copies=2)
    groups = np.arange(40).astype(str)

    _, by_group = measure_leakage(
        Relations(copied.labels, copied.clusters, groups, copied.thumbnails), None, seed=1
    )

    assert by_group.with_group == 0
    assert by_group.with_twin > 20


def test_the_folders_own_split_stands_beside_the_two() -> None:
    relations = _relations(10, copies=2)
    tested = np.zeros(20, dtype=bool)
    tested[[0, 2, 3]] = True  # the first has its copy in training, the other two are copies

    found = {one.split: one for one in measure_leakage(relations, tested, seed=1)}

    assert list(found) == [BY_ROW, GIVEN, BY_GROUP]
    assert (found[GIVEN].tested, found[GIVEN].with_twin) == (3, 1)


def test_of_a_split_that_tests_one_class_no_accuracy_is_told() -> None:
    relations = _relations(10, copies=2)
    tested = np.zeros(20, dtype=bool)
    tested[0] = True

    found = {one.split: one for one in measure_leakage(relations, tested, seed=1)}

    assert found[GIVEN].accuracy is None


@pytest.mark.parametrize("labels", [[1, 1, 1, 1], [1, 1, 1, 0]])
def test_without_two_pictures_of_each_class_there_is_no_split(labels: list[int]) -> None:
    relations = Relations(
        np.array(labels), np.arange(4), np.arange(4).astype(str), np.ones((4, 32, 32), np.float32)
    )

    assert measure_leakage(relations, None, seed=1) == []


def test_only_tested_pictures_with_their_mark_in_training_are_counted() -> None:
    marks = ["a", "a", "b", "c", "c", "c"]
    split = (np.array([0, 3]), np.array([1, 2, 4, 5]))

    assert count_related(marks, [split]) == 3


def test_the_label_is_that_of_the_most_alike_whatever_its_brightness() -> None:
    first, second = np.random.default_rng(2).random((2, 32, 32)).astype(np.float32)
    thumbnails = np.stack([first, 0.1 * second + 0.8, 0.2 * first + 0.7])

    found = look_up_labels(thumbnails, np.array([1, 0, 0]), (np.array([0, 1]), np.array([2])))

    assert found.tolist() == [1]
