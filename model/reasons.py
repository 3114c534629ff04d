"""The words of a decision: what may be said of an image, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Decision(StrEnum):
    """What the job says of an image or study. ``cleared`` is "not flagged", never discharged."""

    FLAGGED = "flagged"
    CLEARED = "cleared"


class Reason(StrEnum):
    """Why an image was flagged or cleared. Only `BELOW_THRESHOLD` is ever cleared."""

    BELOW_THRESHOLD = "below_threshold"
    TUMOR_SUSPECTED = "tumor_suspected"
    NOT_BRAIN_MR = "not_brain_mr"
    NON_DIAGNOSTIC = "non_diagnostic"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"
    EMPTY_OBJECT = "empty_object"
    TOO_LARGE = "too_large"
    DECODER_CRASH = "decoder_crash"
    TIMED_OUT = "timed_out"
    NOT_RETRIEVED = "not_retrieved"
    INVALID_SCORE = "invalid_score"


CLEARED_REASONS: Final = frozenset({Reason.BELOW_THRESHOLD})
"""The single reason for `Decision.CLEARED`."""

PASSING_REASONS: Final = frozenset(
    {Reason.NOT_RETRIEVED, Reason.DECODER_CRASH, Reason.TIMED_OUT},
)
"""Failures that another attempt may mend: their rows are never reused from a shard."""
