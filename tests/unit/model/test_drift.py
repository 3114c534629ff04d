from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from model.drift import DriftLimits, DriftVerdict, judge_drift
from model.drift_images import NightImages
from model.drift_measures import BRIGHTNESS, FLAGGED, SCANNERS, SCOPE, stability_index
from tests.unit.model.drifting_nights import bring_scanner, darken, draw_night

QUICK = DriftLimits(deals=299)
DARK, FOREIGN = 11, 14


@pytest.fixture(scope="module")
def nights() -> list[NightImages]:
    """Sixteen nights; one is darker, one comes from another scanner in part."""
    random = np.random.default_rng(20261124)
    drawn = [draw_night(number, random) for number in range(16)]
    drawn[DARK] = darken(drawn[DARK])
    drawn[FOREIGN] = bring_scanner(drawn[FOREIGN], 0.4, random)
    return drawn


def alarms_of(nights: list[NightImages], number: int) -> set[str]:
    verdict = judge_drift(nights[number], nights[:number], QUICK)
    return {test.measure for test in verdict.tests if test.alarm}


def test_every_night_has_at_least_300_images(nights: list[NightImages]) -> None:
    assert min(night.count for night in nights) >= 300


def test_the_darker_night_and_the_one_of_another_scanner_are_named_and_no_other(
    nights: list[NightImages],
) -> None:
    found = {number: alarms_of(nights, number) for number in range(5, 16)}

    assert BRIGHTNESS in found.pop(DARK)
    assert SCANNERS in found.pop(FOREIGN)
    assert set().union(*found.values()) == set()


def test_what_is_said_of_them_names_the_change(nights: list[NightImages]) -> None:
    dark = judge_drift(nights[DARK], nights[:DARK], QUICK).alarms
    foreign = judge_drift(nights[FOREIGN], nights[:FOREIGN], QUICK).alarms

    assert any("images are darker: median brightness 0.12, usually 0.20" in one for one in dark)
    assert any("from the scanner Toshiba, usually 0%" in one for one in foreign)


def test_a_night_that_stands_out_is_no_reference_for_those_after_it(
    nights: list[NightImages],
) -> None:
    verdict = judge_drift(nights[DARK + 1], nights[: DARK + 1], QUICK)

    assert verdict.set_aside == (nights[DARK].night,)
    assert nights[DARK].night not in verdict.reference_nights
    without = judge_drift(nights[DARK + 1], nights[:DARK], QUICK)
    assert indices(verdict) == indices(without)


def indices(verdict: DriftVerdict) -> dict[tuple[str, str | None], float]:
    return {(test.measure, test.scanner): test.stability_index for test in verdict.tests}


def test_of_a_hundred_usual_nights_at_most_five_raise_an_alarm() -> None:
    random = np.random.default_rng(7)
    drawn = [draw_night(number, random, studies=48) for number in range(108)]

    verdicts = [
        judge_drift(drawn[number], drawn[number - 8 : number], replace(QUICK, deals=199))
        for number in range(8, 108)
    ]

    assert sum(1 for verdict in verdicts if verdict.alarms) <= 5
    assert all(verdict.tests for verdict in verdicts)


def test_a_scanner_that_goes_wrong_alone_is_named() -> None:
    random = np.random.default_rng(11)
    drawn = [draw_night(number, random) for number in range(10)]
    of_one = drawn[-1].scanner == "GE"
    darker = np.where(of_one, drawn[-1].brightness * 0.7, drawn[-1].brightness)

    verdict = judge_drift(replace(drawn[-1], brightness=darker), drawn[:-1], QUICK)

    alarms = {(test.measure, test.scanner) for test in verdict.tests if test.alarm}
    assert (BRIGHTNESS, "GE") in alarms
    assert (BRIGHTNESS, "Siemens") not in alarms


def test_the_same_change_is_drift_in_a_large_night_and_chance_in_a_small_one() -> None:
    random = np.random.default_rng(5)
    before = [draw_night(number, random) for number in range(8)]
    large, small = draw_night(8, random, studies=80), draw_night(8, random, studies=3)

    def more_flagged(night: NightImages) -> NightImages:
        return replace(night, flagged=night.flagged | (random.random(night.count) < 0.35))

    verdicts = [judge_drift(more_flagged(night), before, QUICK) for night in (large, small)]

    alarms = [{test.measure for test in verdict.tests if test.alarm} for verdict in verdicts]
    assert FLAGGED in alarms[0]
    assert alarms[1] == set()


def test_pictures_of_other_things_show_in_the_scope_gate() -> None:
    random = np.random.default_rng(6)
    drawn = [draw_night(number, random) for number in range(8)]
    strange = replace(drawn[-1], out_of_scope=random.random(drawn[-1].count) < 0.2)

    verdict = judge_drift(strange, drawn[:-1], QUICK)

    assert SCOPE in {test.measure for test in verdict.tests if test.alarm}


def test_too_few_nights_before_say_nothing() -> None:
    random = np.random.default_rng(1)
    drawn = [draw_night(number, random) for number in range(5)]

    verdict = judge_drift(darken(drawn[-1]), drawn[:-1], QUICK)

    assert verdict.tests == ()
    assert verdict.reference_nights == ()


def test_nights_that_tell_no_brightness_are_compared_by_the_rest() -> None:
    random = np.random.default_rng(2)
    drawn = [draw_night(number, random) for number in range(8)]
    old = [replace(one, brightness=np.full(one.count, np.nan)) for one in drawn[:-1]]

    verdict = judge_drift(drawn[-1], old, QUICK)

    assert verdict.alarms == []
    assert len(verdict.reference_nights) == 7


def test_the_same_nights_give_the_same_verdict(nights: list[NightImages]) -> None:
    assert judge_drift(nights[9], nights[:9], QUICK) == judge_drift(nights[9], nights[:9], QUICK)


def test_the_stability_index_of_equal_shares_is_nothing() -> None:
    counts, others = np.array([[10.0, 30.0]]), np.array([[100.0, 300.0]])

    assert stability_index(counts, counts)[0] == 0.0
    assert stability_index(counts, others)[0] < 0.001
    assert stability_index(counts, others[:, ::-1])[0] > 1.0
