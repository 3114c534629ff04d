"""A process that stands still ends; one that works, or has done its work, does not."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.integration.spark_fixtures import ROOT

HEAD = """
import threading, time
from jobs.silent_worker import each_shows_life, ended_when_silent

def stand_still():
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
"""

STOPS_AT_ONCE = "with ended_when_silent(0.2): stand_still()"
STOPS_LATER = """
with ended_when_silent(0.2) as show_life:
    show_life()
    stand_still()
"""
STOPS_BETWEEN_ROWS = """
def rows():
    with ended_when_silent(0.2):
        yield 1
waiting = rows()
next(waiting)
stand_still()
"""
STOPS_AFTER_AN_ERROR = """
try:
    with ended_when_silent(20, 0.2):
        1 / 0
except ZeroDivisionError:
    stand_still()
"""
STOPS_WHILE_SCORING = """
from dataclasses import replace
from jobs import scoring_udf
from tests.unit.jobs.test_spark_jobs import TASK
scoring_udf.make_tools = lambda _: None
scoring_udf.score_objects = lambda *_: stand_still()
list(scoring_udf.make_score_batches(replace(TASK, silence_seconds=0.2))([]))
"""
STOPS_WHILE_EXPLAINING = """
from types import SimpleNamespace
from jobs import explain_night, scoring_udf
scoring_udf.make_tools = lambda _: stand_still()
task = SimpleNamespace(scoring=SimpleNamespace(silence_seconds=0.2))
list(explain_night.make_explain_batches(task)([]))
"""

WORKS = """
with ended_when_silent(2) as show_life:
    for _ in range(8):
        time.sleep(0.3)
        show_life()
"""
WORKS_THROUGH_ITEMS = """
with ended_when_silent(2) as show_life:
    for _ in each_shows_life(range(8), show_life):
        time.sleep(0.3)
"""
IS_DONE = """
with ended_when_silent(0.2):
    pass
time.sleep(0.5)
"""
IS_LEFT = """
def rows():
    with ended_when_silent(0.2):
        yield 1
next(rows())
time.sleep(0.5)
"""
IS_NOT_WATCHED = "with ended_when_silent(None): time.sleep(0.5)"


def run(code: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", HEAD + code], cwd=ROOT, capture_output=True, timeout=30, check=False
    )
    return done.returncode


@pytest.mark.parametrize(
    "code",
    [
        STOPS_AT_ONCE,
        STOPS_LATER,
        STOPS_BETWEEN_ROWS,
        STOPS_AFTER_AN_ERROR,
        STOPS_WHILE_SCORING,
        STOPS_WHILE_EXPLAINING,
    ],
    ids=["at once", "later", "between rows", "after an error", "scoring", "explaining"],
)
def test_a_process_that_stands_still_is_ended(code: str) -> None:
    assert run(code) == -signal.SIGALRM


@pytest.mark.parametrize(
    "code",
    [WORKS, WORKS_THROUGH_ITEMS, IS_DONE, IS_LEFT, IS_NOT_WATCHED],
    ids=["works", "works through items", "is done", "is left", "is not watched"],
)
def test_a_process_that_works_or_is_done_goes_on(code: str) -> None:
    assert run(code) == 0
