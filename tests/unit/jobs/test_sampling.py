"""Which flagged images are explained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pytest

from conf.settings import load_settings
from jobs.sampling import DEFAULT_MIX, WAYS, choose_sample, split_sample_size
from model.decision import DecisionLimits

LIMITS = DecisionLimits(threshold=0.3, minimum_scope_score=0.5)


THIRDS = {"highest_score": 1, "near_threshold": 1, "random": 1}


def make_scores(
    rows: Sequence[tuple[str, str | None, float | None, float | None]],
    scanners: Sequence[str | None] | None = None,
) -> pa.Table:
    """Build scores from (image id, failure, probability, scope score)."""
    ids = [row[0] for row in rows]
    models = scanners or [None] * len(rows)
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
            "manufacturer": pa.array([model and "Siemens" for model in models], pa.string()),
            "scanner_model": pa.array(models, pa.string()),
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
    sample = choose_sample(TWELVE, LIMITS, 8, seed=1, mix=THIRDS)

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

    sample = choose_sample(equal, LIMITS, 3, seed=1, mix=THIRDS)

    assert chosen_for(sample, "highest_score") == ["a"]
    assert chosen_for(sample, "near_threshold") == ["b"]


def test_another_seed_changes_the_random_images_only() -> None:
    samples = [choose_sample(TWELVE, LIMITS, 8, seed=seed, mix=THIRDS) for seed in range(8)]

    assert len({tuple(chosen_for(sample, "random")) for sample in samples}) > 1
    assert {tuple(chosen_for(sample, "highest_score")) for sample in samples} == {("a", "b", "c")}


def test_a_further_image_leaves_the_lots_of_the_others_alone() -> None:
    thirteen = pa.concat_tables([TWELVE, make_scores([("m", None, 0.65, 1.0)])])

    before = chosen_for(choose_sample(TWELVE, LIMITS, 8, seed=5, mix=THIRDS), "random")
    after = chosen_for(choose_sample(thirteen, LIMITS, 8, seed=5, mix=THIRDS), "random")

    assert set(after) - {"m"} <= set(before)


@pytest.mark.parametrize(
    "row",
    [
        ("x", "unreadable", None, None),
        ("x", "unreadable", 0.9, 1.0),
        ("x", None, None, 1.0),
        ("x", None, float("nan"), 1.0),
        ("x", None, float("inf"), 1.0),
        ("x", None, 0.9, None),
        ("x", None, 0.29, 1.0),
    ],
)
def test_only_what_is_flagged_for_a_finite_score_is_explained(
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


def test_an_image_that_is_no_brain_is_chosen_for_its_reason_never_for_its_probability() -> None:
    strange = make_scores([("z", None, 1.0, 0.1), ("y", None, 0.301, 0.1)])
    mix = {"highest_score": 2, "near_threshold": 2, "each_reason": 1}

    sample = choose_sample(pa.concat_tables([TWELVE, strange]), LIMITS, 5, seed=1, mix=mix)

    assert chosen_for(sample, "highest_score") == ["a", "b"]
    assert chosen_for(sample, "near_threshold") == ["l", "k"]
    (strange_one,) = chosen_for(sample, "each_reason")
    assert strange_one in {"z", "y"}
    assert sample["reason"].to_pylist()[-1] == "not_brain_mr"


def test_each_scanner_is_shown_once_before_any_is_shown_twice() -> None:
    scanners = ["Aera"] * 6 + ["Prisma"] * 4 + ["Avanto", None]
    rows = [(row["image_id"], None, row["probability"], 1.0) for row in TWELVE.to_pylist()]
    table = make_scores(rows, scanners)

    sample = choose_sample(table, LIMITS, 3, seed=1, mix={"each_scanner": 1})
    by_id = dict(zip([row[0] for row in rows], scanners, strict=True))

    shown = [by_id[image_id] for image_id in chosen_for(sample, "each_scanner")]
    assert sorted(map(str, shown)) == ["Aera", "Avanto", "Prisma"]


def test_a_scanner_that_another_way_chose_already_waits_for_its_turn() -> None:
    rows = [("a", None, 0.9, 1.0), ("b", None, 0.8, 1.0), ("c", None, 0.7, 1.0)]
    table = make_scores(rows, ["Aera", "Aera", "Prisma"])

    for seed in range(6):
        mix = {"highest_score": 1, "each_scanner": 1}
        sample = choose_sample(table, LIMITS, 2, seed=seed, mix=mix)
        assert sample["image_id"].to_pylist() == ["a", "c"]


def test_what_a_way_leaves_over_is_drawn_by_lot() -> None:
    sample = choose_sample(TWELVE, LIMITS, 6, seed=1, mix={"each_scanner": 5, "highest_score": 1})

    assert chosen_for(sample, "highest_score") == ["a"]
    assert len(chosen_for(sample, "random")) == 5


def test_the_default_mix_of_the_settings_is_the_default_of_the_sample() -> None:
    settings = load_settings("base", {})

    assert settings.explanation.mix.model_dump() == dict(DEFAULT_MIX)
    assert tuple(settings.explanation.mix.model_dump()) == WAYS


@pytest.mark.parametrize(
    ("sample_size", "mix", "shares"),
    [
        (0, THIRDS, [0, 0, 0, 0, 0]),
        (1, THIRDS, [1, 0, 0, 0, 0]),
        (2, THIRDS, [1, 1, 0, 0, 0]),
        (8, THIRDS, [3, 3, 0, 0, 2]),
        (8, DEFAULT_MIX, [2, 2, 1, 1, 2]),
        (16, DEFAULT_MIX, [4, 4, 2, 2, 4]),
        (3, {}, [0, 0, 0, 0, 3]),
    ],
)
def test_the_sample_is_shared_out_by_the_mix(
    sample_size: int, mix: Mapping[str, int], shares: list[int]
) -> None:
    assert list(split_sample_size(sample_size, mix).values()) == shares
