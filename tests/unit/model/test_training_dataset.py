from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.errors import TrainingDataError
from model.training_data import LabelledImage, Part
from model.training_dataset import (
    InspectedImage,
    PlanOptions,
    SetAside,
    count_crossing_clusters,
    plan_dataset,
)
from model.training_folders import LabelledFolder

FOLDER = Path("/data")
OPTIONS = PlanOptions(keep_split=False, maximum_set_aside=0.5, seed=1)


def _inspected(number: int, group: str, picture: int | None = None) -> InspectedImage:
    """Make an image; those of the same `picture` are near-duplicates."""
    random = np.random.default_rng(number if picture is None else picture)
    return InspectedImage(
        image=LabelledImage(FOLDER / f"{number:03d}.png", "here", number % 2, "x", group, None),
        width=32,
        height=32,
        digest=f"{number:02x}" * 32,
        thumbnail=random.random((32, 32)).astype(np.float32),
    )


def _folder(images: list[InspectedImage], **parts: Part) -> LabelledFolder:
    given = {FOLDER / f"{name.removeprefix('p')}.png": part for name, part in parts.items()}
    return LabelledFolder(FOLDER, [one.image for one in images], given)


def test_given_groups_are_kept() -> None:
    images = [_inspected(number, f"g{number // 2}") for number in range(40)]

    plan = plan_dataset(_folder(images), images, [], OPTIONS)

    assert plan.groups_given
    assert [one.image.group_id for one in plan.inspected[:4]] == ["g0", "g0", "g1", "g1"]


def test_without_groups_near_duplicates_are_the_groups_whatever_the_order() -> None:
    images = [_inspected(number, "", picture=number // 4) for number in range(16)]

    plan = plan_dataset(_folder(images), images, [], OPTIONS)
    again = plan_dataset(_folder(images[::-1]), images[::-1], [], OPTIONS)

    groups = {one.image.path.name: one.image.group_id for one in plan.inspected}
    assert not plan.groups_given
    assert len(set(groups.values())) == 4
    assert groups["000.png"] == groups["003.png"] == "near-0000000000000000"
    assert groups == {one.image.path.name: one.image.group_id for one in again.inspected}
    assert plan.split_digest == again.split_digest


def test_near_duplicates_never_stand_on_two_sides() -> None:
    images = [_inspected(number, "", picture=number // 4) for number in range(40)]

    plan = plan_dataset(_folder(images), images, [], OPTIONS)

    assert count_crossing_clusters(plan) == 0
    assert all(plan.parts.values())


def test_near_duplicates_of_two_given_groups_are_counted_where_the_split_parts_them() -> None:
    images = [_inspected(0, "a", 7), _inspected(1, "b", 7), _inspected(2, "c")]
    folder = _folder(images, p000="fit", p001="test", p002="fit")

    plan = plan_dataset(folder, images, [], replace(OPTIONS, keep_split=True))

    assert count_crossing_clusters(plan) == 1


def test_a_kept_split_is_the_one_that_was_given() -> None:
    images = [_inspected(number, f"g{number}") for number in range(3)]
    folder = _folder(images, p000="fit", p001="test", p002="calibration")

    plan = plan_dataset(folder, images, [], replace(OPTIONS, keep_split=True))

    names = {part: [image.path.name for image in kept] for part, kept in plan.parts.items()}
    assert names == {"fit": ["000.png"], "calibration": ["002.png"], "test": ["001.png"]}


def test_a_kept_split_with_near_duplicates_on_two_sides_is_refused() -> None:
    images = [_inspected(0, "", 7), _inspected(1, "", 7)]
    folder = _folder(images, p000="fit", p001="test")

    with pytest.raises(TrainingDataError, match="group near-0000000000000000 is in fit and in"):
        plan_dataset(folder, images, [], replace(OPTIONS, keep_split=True))


def test_a_split_that_is_not_there_cannot_be_kept() -> None:
    images = [_inspected(number, f"g{number}") for number in range(2)]

    with pytest.raises(TrainingDataError, match="2 images of /data have no part to keep"):
        plan_dataset(_folder(images), images, [], replace(OPTIONS, keep_split=True))


def test_one_class_only_is_refused() -> None:
    images = [_inspected(0, "a"), _inspected(2, "b")]

    with pytest.raises(TrainingDataError, match="one class only"):
        plan_dataset(_folder(images), images, [], OPTIONS)


def test_what_is_set_aside_is_listed_with_what_has_no_label() -> None:
    images = [_inspected(number, f"g{number}") for number in range(4)]
    folder = replace(_folder(images), unlabelled=(FOLDER / "a.txt",))

    plan = plan_dataset(folder, images[:3], [SetAside("003.png", "unreadable")], OPTIONS)

    assert plan.set_aside == [
        SetAside("003.png", "unreadable"),
        SetAside("a.txt", "no class folder tells its label"),
    ]
    assert len(plan.inspected) == 3


def test_too_many_unusable_images_are_refused_and_the_first_is_named() -> None:
    images = [_inspected(number, f"g{number}") for number in range(4)]
    failed = [SetAside("002.png", "unreadable"), SetAside("003.png", "unreadable")]

    with pytest.raises(TrainingDataError, match=r"2 of 4 .* first is 002\.png \(unreadable\)"):
        plan_dataset(_folder(images), images[:2], failed, replace(OPTIONS, maximum_set_aside=0.4))
