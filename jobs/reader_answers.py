"""Gathering what readers answered of published nights, for `model.reader_quality`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from jobs.feedback import (
    FeedbackAnswer,
    Finding,
    Purpose,
    choose_current,
    list_answers,
    read_answer,
)
from jobs.lake import Lake
from jobs.night_keys import results_key, studies_key
from jobs.parquet_objects import read_table
from jobs.published_night import read_of_run
from jobs.schemas import STUDIES
from model.errors import NotRetrievedError
from model.reader_quality import NightAnswers, VerifiedTumor
from model.reasons import Decision


@dataclass(frozen=True)
class GatheredAnswers:
    """All that was found.

    Attributes:
        answers: every one, mere notes too.
        nights: by night.
        unread_nights: nights with answers whose tables cannot be read, or are of another run now.
        outdated: answers to studies that their night no longer holds, or decides otherwise now.
    """

    answers: tuple[FeedbackAnswer, ...]
    nights: dict[date, NightAnswers]
    unread_nights: tuple[date, ...]
    outdated: int


def gather_answers(
    lake: Lake,
    since: date | None,
    until: date | None,
    on_progress: Callable[[int, int], None],
) -> GatheredAnswers:
    """Read all answers, and the studies of their nights.

    Args:
        lake: where.
        since: first night; None for all.
        until: last night; None for all.
        on_progress: told how many answers are read, of how many.

    Raises:
        OutputError: if an answer cannot be read.
    """
    listed = [
        (key, night)
        for key, night in list_answers(lake)
        if (since is None or night >= since) and (until is None or night <= until)
    ]
    answers = []
    for done, (key, night) in enumerate(listed, start=1):
        answers.append(read_answer(lake, key, night))
        on_progress(done, len(listed))
    nights: dict[date, NightAnswers] = {}
    unread, outdated = [], 0
    for night in sorted({one.night for one in answers}):
        studies = _read_studies(lake, night)
        if studies is None:
            unread.append(night)
            continue
        current = choose_current(one for one in answers if one.night == night)
        nights[night], dropped = sum_up_night(studies, current)
        outdated += dropped
    return GatheredAnswers(tuple(answers), nights, tuple(unread), outdated)


def sum_up_night(
    studies: pa.Table,
    answers: Sequence[FeedbackAnswer],
) -> tuple[NightAnswers, int]:
    """Count a night's answers.

    Args:
        studies: `STUDIES` of the night, as it is published now.
        answers: the current ones, see `jobs.feedback.choose_current`.

    Returns:
        The counts, and how many answers are left out because their study is gone or decided
        otherwise now.
    """
    rows = {row["study_id"]: row for row in studies.to_pylist()}
    flagged = [row for row in rows.values() if row["decision"] != str(Decision.CLEARED)]
    cleared = [row for row in rows.values() if row["decision"] == str(Decision.CLEARED)]
    known = [one for one in answers if _is_of(rows.get(one.study_id), one)]
    by_study: dict[str, list[FeedbackAnswer]] = {}
    for one in known:
        by_study.setdefault(one.study_id, []).append(one)

    of_flagged = {row["study_id"]: _agree(by_study.get(row["study_id"], [])) for row in flagged}
    in_sample = {
        row["study_id"]: _agree(found)
        for row in cleared
        if (found := by_study.get(row["study_id"], [])) and _is_sampled(found)
    }
    elsewhere = [
        row["study_id"]
        for row in cleared
        if (found := by_study.get(row["study_id"], []))
        and not _is_sampled(found)
        and _agree(found) is Finding.TUMOR
    ]
    decided = [study for study, finding in in_sample.items() if finding is not None]
    missed = [study for study in decided if in_sample[study] is Finding.TUMOR]
    confirmed = [study for study, finding in of_flagged.items() if finding is Finding.TUMOR]
    weight = len(cleared) / len(decided) if decided else 1.0
    answered = [study for study in of_flagged if by_study.get(study)]
    rejected = [study for study, finding in of_flagged.items() if finding is Finding.NO_TUMOR]
    counts = NightAnswers(
        flagged=len(flagged),
        confirmed=len(confirmed),
        rejected=len(rejected),
        unsure=len(answered) - len(confirmed) - len(rejected),
        cleared=len(cleared),
        sampled=len(decided),
        missed=len(missed),
        sampled_unsure=len(in_sample) - len(decided),
        missed_elsewhere=len(elsewhere),
        disputed=sum(1 for found in by_study.values() if _disagree(found)),
        tumors=(
            *(VerifiedTumor(rows[one]["max_probability"], 1.0) for one in confirmed),
            *(VerifiedTumor(rows[one]["max_probability"], weight) for one in missed),
        ),
        cleared_probabilities=tuple(
            row["max_probability"] for row in cleared if row["max_probability"] is not None
        ),
    )
    return counts, len(answers) - len(known)


def _read_studies(lake: Lake, night: date) -> pa.Table | None:
    try:
        _, metadata = read_table(lake, results_key(night), columns=[])
    except (NotRetrievedError, pa.ArrowException, OSError, ValueError):
        return None
    return read_of_run(lake, studies_key(night), STUDIES, metadata.get("run_id"))


def _is_of(row: dict[str, object] | None, answer: FeedbackAnswer) -> bool:
    return row is not None and row["decision"] == str(answer.decision)


def _is_sampled(answers: Sequence[FeedbackAnswer]) -> bool:
    return any(one.purpose is Purpose.DOUBLE_READING for one in answers)


def _agree(answers: Sequence[FeedbackAnswer]) -> Finding | None:
    """Say what readers found together: a tumour that one of them saw counts."""
    findings = {one.finding for one in answers}
    if Finding.TUMOR in findings:
        return Finding.TUMOR
    return Finding.NO_TUMOR if Finding.NO_TUMOR in findings else None


def _disagree(answers: Sequence[FeedbackAnswer]) -> bool:
    return {Finding.TUMOR, Finding.NO_TUMOR} <= {one.finding for one in answers}
