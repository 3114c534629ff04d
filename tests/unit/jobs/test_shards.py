from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pytest

from jobs.schemas import SCORES
from jobs.shards import (
    ShardPlan,
    ShardTerms,
    plan_shards,
    read_shard,
    shard_name,
    split_inventory,
    stored_shards,
    write_shard,
)
from model.errors import AuditError
from tests.unit.jobs.night_builders import NIGHT, failed, folder_lake, inventory, score, scores

TERMS = ShardTerms(
    bundle_digest="abc",
    engine="tensorflow",
    decoding="limits",
    study_from="folder",
    night_folder="incoming/night=2026-11-20/",
    key_id="12345678",
    code_version="0.1.0",
)


def missing_keys(plan: ShardPlan) -> list[list[str]]:
    return [shard.objects["object_key"].to_pylist() for shard in plan.missing]


def store(lake_folder: Path, rows: list[dict[str, object]], *keys: str) -> None:
    (shard,) = split_inventory(inventory(*keys), TERMS, 100)
    write_shard(folder_lake(lake_folder), NIGHT, shard, scores(*rows))


def test_an_inventory_is_cut_into_shards_in_its_order() -> None:
    shards = split_inventory(inventory("a", "b", "c", "d", "e"), TERMS, 2)

    assert [shard.objects["object_key"].to_pylist() for shard in shards] == [
        ["a", "b"],
        ["c", "d"],
        ["e"],
    ]
    assert len({shard.name for shard in shards}) == 3


def test_an_empty_night_has_no_shards(tmp_path: Path) -> None:
    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory(), TERMS, 2)

    assert (plan.reused.num_rows, plan.shards_reused, plan.missing) == (0, 0, ())


def test_a_shards_name_hangs_on_its_objects_their_etags_and_every_term() -> None:
    names = {
        shard_name(inventory("a", "b"), TERMS),
        shard_name(inventory("a", "c"), TERMS),
        shard_name(inventory("a", "b", etag="e2"), TERMS),
    }
    for term in fields(TERMS):
        names.add(shard_name(inventory("a", "b"), replace(TERMS, **{term.name: "other"})))

    assert len(names) == 3 + 7
    assert shard_name(inventory("a", "b"), TERMS) == shard_name(inventory("b", "a"), TERMS)


def test_stored_shards_are_reused_and_only_the_rest_is_scored(tmp_path: Path) -> None:
    store(tmp_path, [score("a"), score("b", frame=0), score("b", frame=1)], "a", "b")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a", "b", "c", "d", "e"), TERMS, 2)

    assert plan.reused["object_key"].to_pylist() == ["a", "b", "b"]
    assert plan.reused["frame"].to_pylist() == [0, 0, 1]
    assert plan.reused.schema == SCORES
    assert plan.shards_reused == 1
    assert missing_keys(plan) == [["c", "d"], ["e"]]


def test_one_late_image_does_not_make_the_others_be_scored_again(tmp_path: Path) -> None:
    store(tmp_path, [score("b"), score("d")], "b", "d")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a", "b", "d"), TERMS, 2)

    assert missing_keys(plan) == [["a"]]


@pytest.mark.parametrize("reason", ["not_retrieved", "decoder_crash", "timed_out"])
def test_objects_that_failed_for_a_passing_reason_are_scored_again_the_others_not(
    tmp_path: Path,
    reason: str,
) -> None:
    rows = [score("a"), failed("b", reason), failed("c", "unreadable")]
    store(tmp_path, rows, "a", "b", "c")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a", "b", "c"), TERMS, 10)

    assert plan.reused["object_key"].to_pylist() == ["a", "c"]
    assert missing_keys(plan) == [["b"]]


def test_an_object_with_one_crashed_frame_is_scored_again_with_all_its_frames(
    tmp_path: Path,
) -> None:
    store(tmp_path, [score("a", frame=0), failed("a", "decoder_crash", frame=1)], "a")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a"), TERMS, 10)

    assert plan.reused.num_rows == 0
    assert missing_keys(plan) == [["a"]]


def test_the_second_attempt_at_a_crashed_object_takes_the_place_of_the_first(
    tmp_path: Path,
) -> None:
    store(tmp_path, [score("a"), failed("b", "timed_out")], "a", "b")
    store(tmp_path, [score("b", probability=0.5)], "b")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a", "b"), TERMS, 10)

    found = {row["object_key"]: row["probability"] for row in plan.reused.to_pylist()}
    assert found == {"a": 0.01, "b": 0.5}
    assert (plan.missing, plan.shards_reused) == ((), 2)


def test_an_object_in_two_shards_is_taken_from_one(tmp_path: Path) -> None:
    store(tmp_path, [score("a"), score("b")], "a", "b")
    store(tmp_path, [score("b"), score("c")], "b", "c")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a", "b", "c"), TERMS, 10)

    assert sorted(plan.reused["object_key"].to_pylist()) == ["a", "b", "c"]


def test_scores_of_an_older_version_or_of_a_removed_object_are_not_reused(tmp_path: Path) -> None:
    store(tmp_path, [score("a"), score("b")], "a", "b")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a", etag="e2"), TERMS, 10)

    assert plan.reused.num_rows == 0
    assert plan.shards_reused == 0
    assert missing_keys(plan) == [["a"]]


def test_shards_of_another_bundle_are_not_reused(tmp_path: Path) -> None:
    store(tmp_path, [score("a")], "a")
    other = replace(TERMS, bundle_digest="def")

    plan = plan_shards(folder_lake(tmp_path), NIGHT, inventory("a"), other, 10)

    assert plan.reused.num_rows == 0


def test_a_damaged_shard_is_scored_again(tmp_path: Path) -> None:
    store(tmp_path, [score("a")], "a")
    lake = folder_lake(tmp_path)
    (name,) = stored_shards(lake, NIGHT, TERMS)
    lake.write(f"runs/2026-11-20/shards/{name}.parquet", b"PAR1 cut off")

    plan = plan_shards(lake, NIGHT, inventory("a"), TERMS, 10)

    assert read_shard(lake, NIGHT, name) is None
    assert missing_keys(plan) == [["a"]]


def test_a_shard_that_lost_or_gained_an_object_is_not_stored(tmp_path: Path) -> None:
    lake = folder_lake(tmp_path)
    (shard,) = split_inventory(inventory("a", "b"), TERMS, 10)

    with pytest.raises(AuditError, match="no row for 1 of its 2 objects"):
        write_shard(lake, NIGHT, shard, scores(score("a")))
    with pytest.raises(AuditError, match="rows for 1 others"):
        write_shard(lake, NIGHT, shard, scores(score("a"), score("b"), score("c")))

    assert stored_shards(lake, NIGHT, TERMS) == []
