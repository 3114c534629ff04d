from __future__ import annotations

from datetime import timedelta

import pyarrow as pa

from jobs.feedback import Answer, Finding, Purpose
from jobs.reader_answers import sum_up_night
from jobs.schemas import STUDIES
from model.reader_quality import VerifiedTumor
from model.reasons import Decision
from tests.unit.jobs.night_builders import FOUR_O_CLOCK
from tests.unit.jobs.test_feedback import an_answer


def studies(flagged: int, cleared: int) -> pa.Table:
    rows = [
        {
            "study_id": f"{decision[0]}{number}",
            "images": 3,
            "counted": 3,
            "flagged": 1 if decision == "flagged" else 0,
            "unreadable": 0,
            "max_probability": 0.9 if decision == "flagged" else 0.1,
            "decision": decision,
            "reasons": ["below_threshold"],
            "run_id": "run-1",
        }
        for decision, count in (("flagged", flagged), ("cleared", cleared))
        for number in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=STUDIES)


def of(study: str, finding: Finding | None, **changes: object) -> object:
    flagged = study.startswith("f")
    decision = Decision.FLAGGED if flagged else Decision.CLEARED
    answer = Answer.UNSURE if finding is None else Answer.CONFIRM
    purpose = Purpose.WORKLIST if flagged else Purpose.DOUBLE_READING
    values = {"answer": answer, "finding": finding, "decision": decision, "purpose": purpose}
    return an_answer(study_id=study, **{**values, **changes})


def test_flagged_and_sampled_studies_are_counted_apart() -> None:
    answers = [
        of("f0", Finding.TUMOR),
        of("f1", Finding.NO_TUMOR),
        of("f2", None),
        of("c0", Finding.NO_TUMOR),
        of("c1", Finding.TUMOR),
        of("c2", None),
        of("c3", Finding.TUMOR, purpose=Purpose.WORKLIST),
    ]

    night, dropped = sum_up_night(studies(5, 40), answers)  # type: ignore[arg-type]

    assert dropped == 0
    assert (night.flagged, night.confirmed, night.rejected, night.unsure) == (5, 1, 1, 1)
    assert (night.cleared, night.sampled, night.missed, night.sampled_unsure) == (40, 2, 1, 1)
    assert night.missed_elsewhere == 1
    assert night.tumors == (VerifiedTumor(0.9, 1.0), VerifiedTumor(0.1, 20.0))


def test_a_tumor_that_one_of_two_readers_saw_counts() -> None:
    answers = [
        of("c0", Finding.NO_TUMOR, reader="first"),
        of("c0", Finding.TUMOR, reader="second", answered_at=FOUR_O_CLOCK + timedelta(hours=1)),
    ]

    night, _ = sum_up_night(studies(1, 10), answers)  # type: ignore[arg-type]

    assert (night.missed, night.disputed) == (1, 1)


def test_answers_to_what_is_decided_otherwise_now_are_left_out() -> None:
    answers = [of("f0", Finding.TUMOR, decision=Decision.CLEARED), of("gone", Finding.TUMOR)]

    night, dropped = sum_up_night(studies(1, 1), answers)  # type: ignore[arg-type]

    assert dropped == 2
    assert night.confirmed == 0
