"""Which flagged images are explained."""

from __future__ import annotations

import pyarrow as pa
import pytest

from jobs.sampling import choose_sample, split_sample_size
from model.decision import DecisionLimits

LIMITS = DecisionLimits(threshold=0.3, minimum_scope_score=0.5)


def make_scores(rows: list[tuple[str, str | None, float | None, float | None]]) -> pa.Table:
    """Build scores from (image id, failure, probability, scope score)."""
    ids = [row[0] for row in rows]
    return pa.table(
        {
            "image_id": pa.array(ids, pa.string()),
            "object_key": pa.array([f"night/{image_id}.png" for image_id in ids], pa.string()),
            "etag": pa.array(["e"] * len(rows), pa.string()),
            "size_bytes": pa.array([1] * len(rows), pa.int64()),
            "frame": pa.array([0] * len(rows), pa.int32()),
            "study_id": pa.array(["s"] * len(rows), pa.string()),
            "failure": pa.array([row[1] for row in rows], pa.string()),
            "probability": pa.array([row[2] for row in rows], pa.float64()),
            "scope_score": pa.array([row[3] for row in rows], pa.float64()),
        },
    )


TWELVE = make_scores(
    [
        ("a", None, 0.99, 1.0),
        ("b", None, 0.98, 1.0),
        ("c", None, 0.97, 1.0),
        ("d", None, 0.90, 1.0),
        ("e", None, 0.80, 1.0),
        ("f", None, 0.70, 1.0),
        ("g", None, 0.60, 1.0),
        ("h", None, 0.50, 1.0),
        ("i", None, 0.45, 1.0),
        ("j", None, 0.33, 1.0),
        ("k", None, 0.32, 1.0),
        ("l", None, 0.31, 1.0),
    ],
)


def chosen_for(sample: pa.Table, way: str) -> list[str]:
    """Ids of the images that one way chose, in its order."""
    rows = sample.select(["image_id", "chosen_for"]).to_pylist()
    return [row["image_id"] for row in rows if row["chosen_for"] == way]


def test_eight_images_are_three_highest_three_nearest_the_threshold_and_two_random_ones() -> None:
    sample = choose_sample(TWELVE, LIMITS, 8, seed=1)

    assert chosen_for(sample, "highest_score") == ["a", "b", "c"]
    assert chosen_for(sample, "near_threshold") == ["l", "k", "j"]
    assert len(chosen_for(sample, "random")) == 2
    assert set(chosen_for(sample, "random")) <= set("defghi")


def test_an_image_is_never_chosen_twice() -> None:
    four = TWELVE.slice(0, 4)

    sample = choose_sample(four, LIMITS, 8, seed=1)

    assert sorted(sample["image_id"].to_pylist()) == ["a", "b", "c", "d"]


def test_the_order_of_the_scores_does_not_change_the_sample() -> None:
    turned = TWELVE.take(list(range(11, -1, -1)))

    assert choose_sample(turned, LIMITS, 8, seed=1) == choose_sample(TWELVE, LIMITS, 8, seed=1)


def test_equal_probabilities_are_told_apart_by_their_ids() -> None:
    equal = make_scores([(image_id, None, 0.9, 1.0) for image_id in ("c", "a", "b", "d")])

    sample = choose_sample(equal, LIMITS, 3, seed=1)

    assert chosen_for(sample, "highest_score") == ["a"]
    assert chosen_for(sample, "near_threshold") == ["b"]


def test_another_seed_changes_the_random_images_only() -> None:
    samples = [choose_sample(TWELVE, LIMITS, 8, seed=seed) for seed in range(8)]

    assert len({tuple(chosen_for(sample, "random")) for sample in samples}) > 1
    assert {tuple(chosen_for(sample, "highest_score")) for sample in samples} == {("a", "b", "c")}


def test_a_further_image_leaves_the_lots_of_the_others_alone() -> None:
    thirteen = pa.concat_tables([TWELVE, make_scores([("m", None, 0.65, 1.0)])])

    before = chosen_for(choose_sample(TWELVE, LIMITS, 8, seed=5), "random")
    after = chosen_for(choose_sample(thirteen, LIMITS, 8, seed=5), "random")

    assert set(after) - {"m"} <= set(before)


@pytest.mark.parametrize(
    "row",
    [
        ("x", "unreadable", None, None),
        ("x", "unreadable", 0.9, 1.0),
        ("x", None, None, 1.0),
        ("x", None, float("nan"), 1.0),
        ("x", None, float("inf"), 1.0),
        ("x", None, 0.9, 0.1),
        ("x", None, 0.9, None),
        ("x", None, 0.29, 1.0),
    ],
)
def test_only_suspected_tumours_with_a_finite_probability_are_explained(
    row: tuple[str, str | None, float | None, float | None],
) -> None:
    sample = choose_sample(make_scores([row, ("y", None, 0.3, 1.0)]), LIMITS, 8, seed=1)

    assert sample["image_id"].to_pylist() == ["y"]


def test_a_night_without_suspects_gives_an_empty_sample_with_all_columns() -> None:
    sample = choose_sample(make_scores([("x", None, 0.1, 1.0)]), LIMITS, 8, seed=1)

    assert sample.num_rows == 0
    assert "chosen_for" in sample.column_names


def test_a_sample_of_zero_explains_nothing() -> None:
    assert choose_sample(TWELVE, LIMITS, 0, seed=1).num_rows == 0


@pytest.mark.parametrize(
    ("sample_size", "shares"),
    [(0, [0, 0, 0]), (1, [1, 0, 0]), (2, [1, 1, 0]), (8, [3, 3, 2]), (9, [3, 3, 3])],
)
def test_the_sample_is_shared_out_as_evenly_as_it_goes(sample_size: int, shares: list[int]) -> None:
    assert list(split_sample_size(sample_size).values()) == shares
