from __future__ import annotations

import pytest
from pydantic import ValidationError

from jobs.registry_record import Change, Current, add_change, standing_promotions

DIGESTS = {version: digit * 64 for version, digit in {"1": "a", "2": "b", "3": "c"}.items()}


def promote(version: str) -> Change:
    return Change(
        at="2026-11-20T10:00:00+00:00",
        action="promote",
        version=version,
        digest=DIGESTS[version],
    )


def roll_back_to(version: str) -> Change:
    return promote(version).model_copy(update={"action": "rollback"})


def versions(*changes: Change) -> list[str]:
    return [change.version for change in standing_promotions(changes)]


def test_each_rollback_takes_the_last_promotion_that_stands_away() -> None:
    three = (promote("1"), promote("2"), promote("3"))

    assert versions(*three) == ["1", "2", "3"]
    assert versions(*three, roll_back_to("2")) == ["1", "2"]
    assert versions(*three, roll_back_to("2"), roll_back_to("1")) == ["1"]


def test_a_promotion_after_a_rollback_is_rolled_back_to_where_that_led() -> None:
    changes = (promote("1"), promote("2"), roll_back_to("1"), promote("3"))

    assert versions(*changes) == ["1", "3"]


def test_a_change_is_added_and_none_is_ever_lost() -> None:
    first = add_change(None, promote("1"))
    second = add_change(first, promote("2"))
    third = add_change(second, roll_back_to("1"))

    assert (third.version, third.digest) == ("1", DIGESTS["1"])
    assert third.changes == (promote("1"), promote("2"), roll_back_to("1"))
    assert Current.model_validate_json(third.model_dump_json()) == third


def test_the_digest_of_a_version_is_remembered_after_it_was_replaced() -> None:
    current = add_change(add_change(None, promote("1")), promote("2"))

    assert current.digest_of("1") == DIGESTS["1"]
    assert current.digest_of("3") is None


@pytest.mark.parametrize(
    "changes",
    [{"version": "2"}, {"digest": "f" * 64}, {"changes": []}, {"digest": "../../etc"}],
)
def test_a_current_that_does_not_follow_from_its_changes_is_refused(
    changes: dict[str, object],
) -> None:
    content = add_change(None, promote("1")).model_dump()

    with pytest.raises(ValidationError):
        Current.model_validate({**content, **changes})
