from __future__ import annotations

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from jobs.worklist.night_store import NightSnapshot, NightStore
from jobs.worklist.study_list import (
    StudyFilter,
    choose_for_double_reading,
    cut_page,
    find_neighbours,
    list_choices,
    order_studies,
)
from tests.unit.jobs.night_builders import NIGHT, failed, folder_lake, score
from tests.unit.jobs.worklist.published import publish_rows, study

ROWS = (
    score("low.png", study_id=study(1), probability=0.05, plane="axial"),
    score("high.png", study_id=study(2), probability=0.9, plane="axial", manufacturer="GE"),
    score("higher.png", study_id=study(3), probability=0.95, plane="coronal"),
    score("other.png", study_id=study(4), probability=0.99, scope_score=0.1),
    failed("torn.png", "unreadable", study_id=study(5), format="png"),
    score("lower.png", study_id=study(6), probability=0.01, plane="coronal", manufacturer="GE"),
)


@pytest.fixture
def snapshot(tmp_path: Path) -> NightSnapshot:
    lake = folder_lake(tmp_path)
    publish_rows(lake, *ROWS)
    found = NightStore(lake).open_night(NIGHT)
    assert found is not None
    return found


def ids(studies: pa.Table) -> list[int]:
    return [int(one, 16) for one in studies["study_id"].to_pylist()]


def test_suspected_first_by_probability_then_what_nobody_judged_then_the_rest(
    snapshot: NightSnapshot,
) -> None:
    assert ids(order_studies(snapshot, StudyFilter())) == [3, 2, 5, 4, 1, 6]


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (StudyFilter(decision="cleared"), [1, 6]),
        (StudyFilter(reason="not_brain_mr"), [4]),
        (StudyFilter(scanner="GE"), [2, 6]),
        (StudyFilter(scanner="GE", plane="coronal"), [6]),
        (StudyFilter(plane="not told"), [5, 4]),
        (StudyFilter(scanner="nobody's"), []),
    ],
)
def test_filters_keep_the_studies_with_such_an_image(
    snapshot: NightSnapshot, chosen: StudyFilter, expected: list[int]
) -> None:
    assert ids(order_studies(snapshot, chosen)) == expected


def test_the_choices_are_those_of_the_night(snapshot: NightSnapshot) -> None:
    choices = list_choices(snapshot)

    assert choices["scanner"] == ["GE", "not told"]
    assert choices["plane"] == ["axial", "coronal", "not told"]


def test_neighbours_follow_the_order_that_is_shown(snapshot: NightSnapshot) -> None:
    ordered = order_studies(snapshot, StudyFilter())

    assert find_neighbours(ordered, study(2)) == (2, study(3), study(5))
    assert find_neighbours(ordered, study(3)) == (1, None, study(2))
    assert find_neighbours(ordered, "0" * 24) == (0, None, None)


def test_a_page_beyond_the_last_is_the_last(snapshot: NightSnapshot) -> None:
    page = cut_page(snapshot, order_studies(snapshot, StudyFilter()), 99)

    assert (page.number, page.pages, page.total) == (1, 1, 6)
    assert page.studies[1]["scanners"] == ["GE"]


def test_the_sample_for_double_reading_is_random_and_the_same_for_everybody(
    tmp_path: Path,
) -> None:
    lake = folder_lake(tmp_path)
    rows = [
        score(f"{number}.png", study_id=study(number), probability=number / 1000)
        for number in range(150)
    ]
    publish_rows(lake, *rows)
    found = NightStore(lake).open_night(NIGHT)
    assert found is not None

    sample = choose_for_double_reading(found, 30)

    assert sample == choose_for_double_reading(found, 30)
    assert len(set(sample)) == 30
    # Neither the likely nor the unlikely ones: thirds of the probabilities come about alike.
    thirds = Counter(int(one, 16) // 50 for one in sample)
    assert len(thirds) == 3
    assert min(thirds.values()) >= 4


def test_only_cleared_studies_are_double_read(snapshot: NightSnapshot) -> None:
    assert {int(one, 16) for one in choose_for_double_reading(snapshot, 9)} == {1, 6}
