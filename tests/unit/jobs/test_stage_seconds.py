from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.stage_seconds import STAGES, StageWatch, add_seconds


def test_stages_are_told_in_the_order_of_a_night() -> None:
    watch = StageWatch()
    watch.add({"publish": 2.0, "list": 1.0})
    watch.add({"fetch": 3.0, "list": 0.5})
    assert list(watch.seconds.items()) == [("list", 1.5), ("fetch", 3.0), ("publish", 2.0)]
    assert set(watch.seconds) <= set(STAGES)


def test_seconds_of_many_threads_are_all_counted() -> None:
    watch = StageWatch()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: watch.add({"fetch": 1.0}), range(2000)))
    assert watch.seconds == {"fetch": 2000.0}


def test_a_timed_block_counts_although_it_fails() -> None:
    watch = StageWatch()
    with pytest.raises(ZeroDivisionError), watch.timed("decode"):
        1 / 0  # noqa: B018 - it fails
    assert watch.seconds["decode"] > 0


def test_adding_up_changes_neither_count() -> None:
    first, second = {"fetch": 1.0}, {"fetch": 2.0, "decode": 1.0}
    assert add_seconds(first, second) == {"fetch": 3.0, "decode": 1.0}
    assert (first, second) == ({"fetch": 1.0}, {"fetch": 2.0, "decode": 1.0})
