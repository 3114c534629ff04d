from __future__ import annotations

import numpy as np
import pytest

from model.data_report_probe import measure_heads, probe_labels
from model.data_report_suspects import (
    find_contradictions,
    list_contradicted_labels,
    list_contradicted_types,
    list_doubted,
    rank_doubted,
)
from tests.unit.model.report_pictures import make_picture


def test_near_duplicates_with_opposite_labels_are_paired() -> None:
    pictures = [
        make_picture(0, label=1, scene=1),
        make_picture(1, label=0, scene=1),
        make_picture(2, label=1, scene=2),
        make_picture(3, label=1, scene=2),
    ]

    found = list_contradicted_labels(pictures, np.array([0, 0, 1, 1]))

    assert [entry.positions for entry in found.entries] == [(0, 1)]
    assert found.entries[0].note == "correlation 1.0000"


def test_types_that_are_not_told_contradict_nothing() -> None:
    pictures = [
        make_picture(0, label=1, scene=1, tumor_type="glioma"),
        make_picture(1, label=1, scene=1, tumor_type="unknown"),
        make_picture(2, label=0, scene=1),
        make_picture(3, label=1, scene=2, tumor_type="glioma"),
        make_picture(4, label=1, scene=2, tumor_type="meningioma"),
    ]

    found = list_contradicted_types(pictures, np.array([0, 0, 0, 1, 1]))

    assert [entry.positions for entry in found.entries] == [(3, 4)]


def test_of_a_cluster_the_most_alike_contradicting_pair_is_named_even_if_turned() -> None:
    first, other = np.random.default_rng(1).random((2, 32, 32)).astype(np.float32)
    near = first + 0.3 * other
    thumbnails = np.stack([first, near, np.rot90(first, 3)[:, ::-1]])

    pairs = find_contradictions(["a", "b", "b"], np.zeros(3, dtype=np.int64), thumbnails)

    assert [(pair.first, pair.second) for pair in pairs] == [(0, 2)]
    assert pairs[0].likeness == pytest.approx(1.0, abs=1e-4)


def test_blank_pictures_of_both_labels_contradict_each_other() -> None:
    blank = np.zeros((2, 32, 32), dtype=np.float32)

    pairs = find_contradictions([0, 1], np.array([0, 0]), blank)

    assert [(pair.first, pair.second, pair.likeness) for pair in pairs] == [(0, 1, 0.0)]


def test_the_most_doubted_come_first_and_a_cluster_once() -> None:
    labels = np.array([1, 1, 1, 1, 0])
    probabilities = np.array([0.3, 0.1, 0.2, 0.9, 0.0])

    assert rank_doubted(probabilities, labels, 1, np.array([0, 1, 1, 2, 3])) == [1, 0]
    assert rank_doubted(probabilities, labels, 0, np.array([0, 1, 1, 2, 3])) == []


def test_a_picture_that_was_not_judged_is_not_doubted() -> None:
    labels = np.array([1, 0, 1, 0])

    tumors, normals = list_doubted(
        np.array([np.nan, np.nan, 0.2, 0.9]), labels, np.arange(4), "somebody"
    )

    assert [entry.positions for entry in tumors.entries] == [(2,)]
    assert [entry.positions for entry in normals.entries] == [(3,)]
    assert "AUC of 0.000 on the 2 pictures" in tumors.words


def test_where_nothing_was_judged_that_is_said() -> None:
    tumors, _ = list_doubted(np.full(2, np.nan), np.array([0, 1]), np.arange(2), "somebody")

    assert tumors.entries == []
    assert tumors.words.startswith("It judged none of the pictures.")


def test_a_wrong_label_among_right_ones_is_the_most_doubted() -> None:
    random = np.random.default_rng(3)
    views = random.integers(90, 110, (60, 64, 64), dtype=np.uint8)
    bright = np.arange(60) % 2 == 1
    views[bright, 20:36, 8:24] += 100  # in one half, as a lesion
    labels = bright.astype(np.int64)
    labels[7] = 0

    found = probe_labels(views, labels, np.arange(60).astype(str), seed=1)

    assert found is not None
    assert rank_doubted(found, labels, 0, np.arange(60))[0] == 7


def test_with_one_group_of_a_class_the_probe_says_nothing() -> None:
    views = np.zeros((4, 64, 64), dtype=np.uint8)

    assert probe_labels(views, np.array([1, 0, 0, 0]), np.arange(4).astype(str), seed=1) is None


def test_a_symmetric_head_has_no_difference_of_its_halves() -> None:
    half = np.random.default_rng(4).integers(0, 256, (1, 64, 32), dtype=np.uint8)
    symmetric = np.concatenate([half, half[:, :, ::-1]], axis=2)
    lesion = symmetric.copy()
    lesion[:, 20:36, 8:24] = 255

    levels, halves = np.split(measure_heads(symmetric)[0], 2)

    assert levels.mean() == pytest.approx(symmetric.mean() / 255)
    assert np.abs(halves).max() == pytest.approx(0.0, abs=1e-9)
    assert np.split(measure_heads(lesion)[0], 2)[1].max() > 0.2
