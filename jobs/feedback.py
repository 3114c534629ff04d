"""What readers answered: one small Parquet object an answer, below ``feedback/night=.../``.

Nothing is ever changed: whoever changes their mind answers once more, and the later answer counts.
An object is written only if there is none of its name, so that a form sent twice is stored once,
and two readers at the same time are both kept.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import pyarrow as pa

from jobs.lake import Lake, PreconditionFailedError
from jobs.parquet_objects import read_table, to_parquet
from jobs.schemas import FEEDBACK
from model.errors import ConfigurationError, NotRetrievedError, OutputError
from model.reasons import Decision

FEEDBACK_PREFIX: Final = "feedback/"
FORMAT_VERSION: Final = "1"

LONGEST_NOTE: Final = 1000
"""Characters."""

_ANSWER_ID: Final = re.compile(r"[0-9a-f]{32}")
_NIGHT: Final = re.compile(r"feedback/night=(\d{4}-\d{2}-\d{2})/[0-9a-f]{32}\.parquet")
_IDENTITY: Final = re.compile(
    r"\d{6,}|\b\d{1,2}[./-]\d{1,2}[./-](?:19|20)?\d{2}\b|\b(?:18|19|20)\d{2}-\d{1,2}-\d{1,2}\b|\^",
)
"""Long numbers, dates, and the caret of DICOM's names."""


class Answer(StrEnum):
    """What a reader says of the job's decision."""

    CONFIRM = "confirm"
    REJECT = "reject"
    UNSURE = "unsure"
    NOTE = "note"


class Finding(StrEnum):
    """What a reader saw in the study."""

    TUMOR = "tumor"
    NO_TUMOR = "no_tumor"


class Purpose(StrEnum):
    """Why the study was shown."""

    WORKLIST = "worklist"
    DOUBLE_READING = "double_reading"


class NoteRefusedError(ConfigurationError):
    """A note is too long, or may name a patient."""


@dataclass(frozen=True)
class FeedbackAnswer:
    """One answer.

    Attributes:
        answer_id: 32 hexadecimal digits, made when the form was shown.
        answered_at: with a time zone.
        reader: who answered.
        night: of the study.
        study_id: keyed hash.
        image_id: of the image that was shown, or None.
        answer: see there.
        finding: what the answer says of the study, None if nothing.
        purpose: see there.
        note: free text, or None; never a patient's name.
        decision: of the study, as it was shown.
        max_probability: of the study, as it was shown, or None.
        threshold: that decided.
        bundle_digest: of the model that scored.
        run_id: of the run that published what was shown.
    """

    answer_id: str
    answered_at: datetime
    reader: str
    night: date
    study_id: str
    image_id: str | None
    answer: Answer
    finding: Finding | None
    purpose: Purpose
    note: str | None
    decision: Decision
    max_probability: float | None
    threshold: float
    bundle_digest: str
    run_id: str


def read_finding(answer: Answer, decision: Decision) -> Finding | None:
    """Say what confirming or rejecting a decision says of the study."""
    if answer not in {Answer.CONFIRM, Answer.REJECT}:
        return None
    agrees = answer is Answer.CONFIRM
    suspected = decision is not Decision.CLEARED
    return Finding.TUMOR if agrees == suspected else Finding.NO_TUMOR


def check_note(text: str) -> str | None:
    """Return a note as it is stored, None for an empty one.

    Raises:
        NoteRefusedError: if it is too long, or holds what looks like a date or a number by which
            a patient could be told. The note itself is not quoted.
    """
    note = "\n".join(" ".join(line.split()) for line in text.splitlines()).strip()
    if len(note) > LONGEST_NOTE:
        message = f"the note has {len(note)} characters: expected at most {LONGEST_NOTE}"
        raise NoteRefusedError(message)
    if _IDENTITY.search(note):
        message = (
            "the note holds a date, a long number or a caret: expected nothing by which a patient "
            "could be told; describe what you see, and leave those out"
        )
        raise NoteRefusedError(message)
    return note or None


def answer_key(night: date, answer_id: str) -> str:
    """Return the key of an answer.

    Raises:
        ConfigurationError: if the id is none that a form carries.
    """
    if _ANSWER_ID.fullmatch(answer_id) is None:
        message = "this form carries no answer's number: reload the page and answer again"
        raise ConfigurationError(message)
    return f"{feedback_prefix(night)}{answer_id}.parquet"


def feedback_prefix(night: date) -> str:
    """Return the folder of a night's answers, ending in a slash."""
    return f"{FEEDBACK_PREFIX}night={night.isoformat()}/"


def write_answer(lake: Lake, answer: FeedbackAnswer) -> bool:
    """Store an answer; it is in place, or an error is raised.

    Returns:
        False if this very answer was stored before: the form was sent twice.

    Raises:
        ConfigurationError: if another answer has the same number.
        OutputError: if the lake cannot be written.
    """
    key = answer_key(answer.night, answer.answer_id)
    row = asdict(answer)
    del row["night"]  # the folder says it, as in results/
    table = pa.Table.from_pylist([row], schema=FEEDBACK)
    try:
        lake.write(key, _encode(table, answer), if_absent=True)
    except PreconditionFailedError:
        return _is_same(lake, key, answer)
    return True


def _is_same(lake: Lake, key: str, answer: FeedbackAnswer) -> bool:
    stored = read_answer(lake, key, answer.night)
    told = (stored.reader, stored.study_id, stored.answer, stored.note)
    if told != (answer.reader, answer.study_id, answer.answer, answer.note):
        message = "this form was answered already, differently: reload the page and answer again"
        raise ConfigurationError(message)
    return False


def read_answer(lake: Lake, key: str, night: date) -> FeedbackAnswer:
    """Read one answer.

    Raises:
        OutputError: if it is none that `write_answer` wrote.
    """
    try:
        table, _ = read_table(lake, key)
        row = table.select(FEEDBACK.names).cast(FEEDBACK).to_pylist()[0]
        return _to_answer(row, night)
    except (NotRetrievedError, pa.ArrowException, KeyError, ValueError, IndexError) as error:
        message = (
            f"{key} cannot be read ({type(error).__name__}): expected an answer as this job writes "
            "it; find out who changed feedback/"
        )
        raise OutputError(message) from None


def list_answers(lake: Lake, nights: Iterable[date] | None = None) -> list[tuple[str, date]]:
    """List the keys of answers and their nights, of all nights or of some, in order."""
    prefixes = [FEEDBACK_PREFIX] if nights is None else [feedback_prefix(one) for one in nights]
    keys = sorted(item.key for prefix in prefixes for item in lake.list_objects(prefix))
    matches = ((key, _NIGHT.fullmatch(key)) for key in keys)
    return [(key, date.fromisoformat(match[1])) for key, match in matches if match]


def choose_current(answers: Iterable[FeedbackAnswer]) -> list[FeedbackAnswer]:
    """Keep, of each reader's answers to a study, the latest that is not a mere note."""
    current: dict[tuple[str, date, str], FeedbackAnswer] = {}
    for answer in sorted(answers, key=lambda one: (one.answered_at, one.answer_id)):
        if answer.answer is not Answer.NOTE:
            current[(answer.reader, answer.night, answer.study_id)] = answer
    return list(current.values())


def count_answers(answers: Sequence[FeedbackAnswer]) -> Mapping[str, Mapping[str, int]]:
    """Count the current answers by study id, then by answer."""
    counts: dict[str, Counter[str]] = {}
    for answer in choose_current(answers):
        counts.setdefault(answer.study_id, Counter())[str(answer.answer)] += 1
    return counts


def _encode(table: pa.Table, answer: FeedbackAnswer) -> bytes:
    return to_parquet(table, {"format_version": FORMAT_VERSION, "night": answer.night.isoformat()})


def _to_answer(row: Mapping[str, Any], night: date) -> FeedbackAnswer:
    finding = row["finding"]
    values = dict(row) | {
        "night": night,
        "answer": Answer(row["answer"]),
        "finding": None if finding is None else Finding(finding),
        "purpose": Purpose(row["purpose"]),
        "decision": Decision(row["decision"]),
    }
    return FeedbackAnswer(**{one.name: values[one.name] for one in fields(FeedbackAnswer)})
