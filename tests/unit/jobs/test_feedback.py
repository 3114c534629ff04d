from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from jobs.feedback import (
    Answer,
    FeedbackAnswer,
    Finding,
    NoteRefusedError,
    Purpose,
    check_note,
    choose_current,
    list_answers,
    read_answer,
    read_finding,
    write_answer,
)
from jobs.lake import Lake
from model.errors import ConfigurationError, OutputError
from model.reasons import Decision
from tests.unit.jobs.night_builders import FOUR_O_CLOCK, NIGHT, folder_lake

STUDY = "a" * 24


def an_answer(**changes: object) -> FeedbackAnswer:
    given = FeedbackAnswer(
        answer_id="0" * 32,
        answered_at=FOUR_O_CLOCK,
        reader="m.muster",
        night=NIGHT,
        study_id=STUDY,
        image_id=None,
        answer=Answer.CONFIRM,
        finding=Finding.TUMOR,
        purpose=Purpose.WORKLIST,
        note=None,
        decision=Decision.FLAGGED,
        max_probability=0.9,
        threshold=0.373,
        bundle_digest="abc",
        run_id="run-1",
    )
    return replace(given, **changes)  # type: ignore[arg-type]


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return folder_lake(tmp_path)


def stored(lake: Lake) -> list[FeedbackAnswer]:
    return [read_answer(lake, key, night) for key, night in list_answers(lake)]


def test_an_answer_reads_back_as_it_was_given(lake: Lake) -> None:
    given = an_answer(note="left temporal, 2 cm", image_id="b" * 24)

    assert write_answer(lake, given)

    assert stored(lake) == [given]


def test_a_form_that_is_sent_twice_is_stored_once(lake: Lake) -> None:
    assert write_answer(lake, an_answer())
    assert not write_answer(lake, an_answer(answered_at=FOUR_O_CLOCK + timedelta(seconds=1)))

    assert len(stored(lake)) == 1


def test_an_answer_is_never_written_over(lake: Lake) -> None:
    write_answer(lake, an_answer())

    with pytest.raises(ConfigurationError, match="answered already, differently"):
        write_answer(lake, an_answer(answer=Answer.REJECT, finding=Finding.NO_TUMOR))

    assert stored(lake)[0].answer is Answer.CONFIRM


def test_readers_who_answer_at_once_are_all_kept(lake: Lake) -> None:
    answers = [an_answer(answer_id=f"{number:032x}", reader=f"r{number}") for number in range(20)]

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: write_answer(lake, one), answers))

    assert {one.reader for one in stored(lake)} == {f"r{number}" for number in range(20)}


def test_the_night_is_the_folder_and_no_column(lake: Lake, tmp_path: Path) -> None:
    write_answer(lake, an_answer())

    path = tmp_path / f"feedback/night={NIGHT}" / f"{'0' * 32}.parquet"
    assert "night" not in pq.read_schema(path).names


@pytest.mark.parametrize("number", ["", "../../results", "0" * 31, "G" * 32])
def test_a_form_cannot_choose_where_its_answer_goes(lake: Lake, number: str) -> None:
    with pytest.raises(ConfigurationError, match="no answer's number"):
        write_answer(lake, an_answer(answer_id=number))


def test_an_answer_that_someone_changed_is_named(lake: Lake) -> None:
    write_answer(lake, an_answer())
    key, night = list_answers(lake)[0]
    lake.write(key, b"nothing")

    with pytest.raises(OutputError, match="find out who changed"):
        read_answer(lake, key, night)


@pytest.mark.parametrize(
    ("answer", "decision", "finding"),
    [
        (Answer.CONFIRM, Decision.FLAGGED, Finding.TUMOR),
        (Answer.REJECT, Decision.FLAGGED, Finding.NO_TUMOR),
        (Answer.CONFIRM, Decision.CLEARED, Finding.NO_TUMOR),
        (Answer.REJECT, Decision.CLEARED, Finding.TUMOR),
        (Answer.UNSURE, Decision.FLAGGED, None),
        (Answer.NOTE, Decision.CLEARED, None),
    ],
)
def test_what_an_answer_says_of_the_study(
    answer: Answer, decision: Decision, finding: Finding | None
) -> None:
    assert read_finding(answer, decision) is finding


def test_of_one_reader_the_latest_answer_counts_and_a_note_changes_none() -> None:
    first = an_answer()
    later = an_answer(answer_id="1" * 32, answered_at=FOUR_O_CLOCK + timedelta(hours=1))
    changed = replace(later, answer=Answer.REJECT, finding=Finding.NO_TUMOR)
    note = replace(changed, answer_id="2" * 32, answer=Answer.NOTE, finding=None)
    note = replace(note, answered_at=FOUR_O_CLOCK + timedelta(hours=2))
    other = replace(first, answer_id="3" * 32, reader="other")

    current = choose_current([note, changed, first, other])

    assert {one.answer_id for one in current} == {"1" * 32, "3" * 32}


@pytest.mark.parametrize(
    "note", ["seen 12.03.1987", "1987-03-12", "id 1234567", "DOE^JOHN", "3/12/87"]
)
def test_a_note_that_may_name_a_patient_is_refused_and_not_quoted(note: str) -> None:
    with pytest.raises(NoteRefusedError) as caught:
        check_note(note)

    assert note not in str(caught.value)


@pytest.mark.parametrize("note", ["2.5 cm, T2 bright", "slice 12 of 30, 1.5 x 2", ""])
def test_an_ordinary_note_is_kept(note: str) -> None:
    assert check_note(note) == (note or None)


def test_a_note_without_end_is_refused() -> None:
    with pytest.raises(NoteRefusedError, match="1001 characters"):
        check_note("a" * 1001)
