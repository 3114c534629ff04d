from __future__ import annotations

from pathlib import Path

import pytest

from model.errors import ConfigurationError, TrainingDataError
from model.left_out import fit_plan, leave_out
from model.training import Stage, TrainingPlan
from model.training_data import SPLIT_SEED, LabelledImage, split_by_group

PLAN = TrainingPlan(stages=(Stage(128, 6), Stage(192, 4)), steps=128)


def image(source: str, number: int, label: int, group: str = "") -> LabelledImage:
    return LabelledImage(
        path=Path(f"/images/{source}/{number}.png"),
        source=source,
        label=label,
        tumor_type="unknown" if label else "none",
        group_id=group or f"{source}-{number}",
        mask=None,
    )


IMAGES = [
    image(source, number, number % 2)
    for source in ("north", "south", "west")
    for number in range(40)
]


def test_a_source_that_is_left_out_is_in_no_part() -> None:
    left_out = leave_out(IMAGES, "north")

    assert [one.source for one in left_out.images] == ["north"] * 40
    kept = [one for members in left_out.parts.values() for one in members]
    assert {one.source for one in kept} == {"south", "west"}
    assert len(kept) == 80


def test_what_remains_keeps_the_projects_own_split() -> None:
    own = split_by_group(IMAGES, SPLIT_SEED)

    left_out = leave_out(IMAGES, "north")

    for part, members in left_out.parts.items():
        assert members == [one for one in own[part] if one.source != "north"]


def test_sources_joined_by_a_plus_are_left_out_together() -> None:
    left_out = leave_out(IMAGES, "north+west")

    assert {one.source for one in left_out.images} == {"north", "west"}
    assert {one.source for one in left_out.parts["fit"]} == {"south"}


def test_a_group_that_touches_a_left_out_source_is_not_trained_on() -> None:
    shared = [image("south", 900, 1, "shared"), image("north", 901, 1, "shared")]

    left_out = leave_out([*IMAGES, *shared], "north")

    kept = [one for members in left_out.parts.values() for one in members]
    assert shared[0] not in kept
    assert shared[0] not in left_out.images
    assert shared[1] in left_out.images


def test_an_unknown_source_is_named_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match="unknown source 'east': expected one of north, s"):
        leave_out(IMAGES, "north+east")


def test_sources_without_which_nothing_can_be_trained_are_refused() -> None:
    tumors_elsewhere = [one for one in IMAGES if one.source == "north" or one.label == 0]

    with pytest.raises(TrainingDataError, match="without north the fit part does not hold"):
        leave_out(tumors_elsewhere, "north")


def test_the_digest_tells_what_is_left_out() -> None:
    digests = {
        leave_out(IMAGES, name).digest(Path("/images")) for name in ("north", "south", "north+west")
    }

    assert len(digests) == 3


def test_a_plan_is_shortened_to_the_minutes() -> None:
    # A step of each epoch takes 6 x 0.5 s + 4 x 1.5 s = 9 s.
    plan = fit_plan(PLAN, {128: 0.5, 192: 1.5}, minutes=15.0)

    assert plan.steps == 100
    assert plan.stages == PLAN.stages


@pytest.mark.parametrize(("minutes", "steps"), [(1000.0, 128), (0.001, 1)])
def test_a_plan_is_never_longer_than_the_recipe_nor_empty(minutes: float, steps: int) -> None:
    assert fit_plan(PLAN, {128: 0.5, 192: 1.5}, minutes).steps == steps
