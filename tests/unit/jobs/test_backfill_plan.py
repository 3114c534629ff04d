from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest

from jobs.backfill_plan import (
    BackfillMode,
    NightOrder,
    check_range,
    find_published,
    plan_backfill,
    plan_the_rest,
)
from jobs.night_states import NightState, NightStatus
from model.errors import ConfigurationError

NIGHT = date(2026, 11, 20)
YESTERDAY = date(2026, 11, 23)


def state_of(status: NightStatus, digest: str | None = None, night: date = NIGHT) -> NightState:
    return NightState(
        night,
        status,
        listed_objects=3,
        late_objects=2,
        bundle="lite0 1.0.0" if digest else None,
        bundle_digest=digest,
        failed_because="AuditError: too many" if status is NightStatus.FAILED else None,
    )


def decide(
    status: NightStatus, mode: BackfillMode, rescore_with: str | None = None, digest: str = "old"
) -> tuple[bool, str]:
    published = status in {NightStatus.PUBLISHED, NightStatus.LATE_IMAGES}
    state = state_of(status, digest if published else None)
    [planned] = plan_backfill([state], mode, NightOrder.OLDEST_FIRST, rescore_with)
    return planned.runs, planned.why


@pytest.mark.parametrize(
    ("status", "missing", "with_failed", "everything"),
    [
        (NightStatus.MISSING, True, True, True),
        (NightStatus.LATE_IMAGES, True, True, True),
        (NightStatus.FAILED, False, True, True),
        (NightStatus.PUBLISHED, False, False, True),
        (NightStatus.EMPTY, False, False, True),
        (NightStatus.RUNNING, True, True, True),
    ],
)
def test_each_mode_runs_its_nights(
    status: NightStatus, missing: bool, with_failed: bool, everything: bool
) -> None:
    assert [decide(status, mode)[0] for mode in BackfillMode] == [missing, with_failed, everything]


def test_the_reason_stands_beside_each_night() -> None:
    missing = BackfillMode.MISSING

    assert decide(NightStatus.LATE_IMAGES, missing)[1] == (
        "2 objects came or changed since it was published"
    )
    assert decide(NightStatus.FAILED, missing)[1] == (
        "mode missing leaves it; its last run failed: AuditError: too many"
    )
    assert "waited for" in decide(NightStatus.RUNNING, missing)[1]


def test_a_published_night_of_another_bundle_is_scored_again_when_a_bundle_is_asked_for() -> None:
    missing = BackfillMode.MISSING

    assert decide(NightStatus.PUBLISHED, missing, "new") == (
        True,
        "scored with lite0 1.0.0, another bundle than asked for",
    )
    assert decide(NightStatus.PUBLISHED, missing, "old") == (False, "published")
    assert decide(NightStatus.EMPTY, missing, "new") == (False, "holds no objects")


def test_nights_come_in_the_order_asked_for() -> None:
    states = [state_of(NightStatus.MISSING, night=NIGHT + timedelta(days=day)) for day in (1, 0, 2)]

    def order(order: NightOrder) -> list[int]:
        planned = plan_backfill(states, BackfillMode.ALL, order)
        return [(one.state.night - NIGHT).days for one in planned]

    assert order(NightOrder.OLDEST_FIRST) == [0, 1, 2]
    assert order(NightOrder.NEWEST_FIRST) == [2, 1, 0]


def test_a_backfill_that_goes_on_runs_what_it_set_out_to_run_and_has_not_finished() -> None:
    nights = [NIGHT + timedelta(days=day) for day in range(3)]
    states = [state_of(NightStatus.FAILED, night=night) for night in nights]
    planned = plan_backfill(states, BackfillMode.MISSING, NightOrder.OLDEST_FIRST)

    rest = plan_the_rest(planned, set_out=nights[:2], finished=nights[:1])

    assert [one.runs for one in rest] == [False, True, False]
    assert [one.why for one in rest[:2]] == [
        "published by this backfill",
        "this backfill has not published it yet",
    ]


def test_published_nights_are_found_by_the_bundle_that_they_were_scored_with() -> None:
    nights = [NIGHT + timedelta(days=day) for day in range(4)]
    states = [
        replace(state_of(status, digest, night), run_id=f"run of {digest}")
        for status, digest, night in zip(
            (NightStatus.PUBLISHED, NightStatus.PUBLISHED, NightStatus.LATE_IMAGES,
             NightStatus.RUNNING),
            ("old", "new", "new", "new"),
            nights,
            strict=True,
        )
    ]  # fmt: skip

    assert find_published(states) == {nights[0]: "run of old", nights[1]: "run of new"}
    assert find_published(states, "new") == {nights[1]: "run of new"}


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (NIGHT, NIGHT - timedelta(days=1), "before the first night"),
        (NIGHT, YESTERDAY + timedelta(days=1), "is not over"),
        (YESTERDAY - timedelta(days=366), YESTERDAY, "367 nights"),
    ],
)
def test_a_range_that_cannot_be_meant_is_refused(first: date, last: date, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        check_range(first, last, YESTERDAY)


def test_a_year_up_to_yesterday_is_a_range() -> None:
    check_range(YESTERDAY - timedelta(days=365), YESTERDAY, YESTERDAY)
