from __future__ import annotations

import io

from rich.console import Console

from flows.progress import PlainLines, show_progress
from jobs.night_run import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_log_gets_a_line_at_the_start_every_ten_seconds_and_at_the_end() -> None:
    clock = Clock()
    lines: list[str] = []
    report = PlainLines(lines.append, clock)

    for seconds, done in ((0, 0), (3, 10), (12, 20), (13, 30), (14, 40), (15, 40)):
        clock.now = seconds
        report(Progress("score", done, 40))

    assert lines == [
        "Score the images: 0 of 40",
        "Score the images: 20 of 40",
        "Score the images: 40 of 40",
    ]


def test_a_step_without_work_gets_one_line() -> None:
    lines: list[str] = []
    report = PlainLines(lines.append, Clock())

    report(Progress("explain", 0, 0))
    report(Progress("explain", 0, 0))

    assert lines == ["Explain a sample: 0 of 0"]


def test_a_step_that_nobody_named_is_shown_by_its_own_name() -> None:
    lines: list[str] = []

    PlainLines(lines.append, Clock())(Progress("upload", 1, 2))

    assert lines == ["upload: 1 of 2"]


def test_what_is_no_terminal_gets_plain_lines() -> None:
    stream = io.StringIO()

    with show_progress(Console(file=stream)) as report:
        report(Progress("score", 0, 7))

    assert stream.getvalue() == "Score the images: 0 of 7\n"


def test_a_terminal_gets_one_bar_a_step() -> None:
    stream = io.StringIO()

    with show_progress(Console(file=stream, force_terminal=True, width=100)) as report:
        report(Progress("list", 7, 7))
        report(Progress("score", 3, 7))
        report(Progress("score", 7, 7))

    shown = stream.getvalue()
    last_picture = shown[shown.rindex("List the night") :]
    assert "List the night" in last_picture
    assert last_picture.count("Score the images") == 1
    assert last_picture.count("7/7") == 2
