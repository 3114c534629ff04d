"""What passes between the decoding process and the one that started it.

Jobs go out as a file descriptor of an anonymous memory file and 16 bytes on a socket, so that
handing over a large object never waits for a decoder that is itself waiting to hand back results.
Results come back on a pipe, as messages of a fixed head and a pickled body.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from model.errors import ImageError
from model.images import Acquisition
from model.preflight import DecodingLimits
from model.reasons import Reason

if TYPE_CHECKING:  # scipy comes with it, which a process that only reads results can do without
    from model.preprocessing import PreparedImage

JOB_HEAD: Final = Struct("<QQ")
"""Number of the job and length of its bytes in the memory file that travels with it."""

RESULT_HEAD: Final = Struct("<BQQ")
"""`ResultKind`, number of the job, length of the pickled body."""


SECONDS: Final = Struct("<dd")
"""Body of `ResultKind.END`: seconds that decoding and preparing the object took."""


class ResultKind(IntEnum):
    """What a message of the decoding process says."""

    READY = 0
    FRAME = 1
    END = 2


@dataclass(frozen=True)
class DecodingSetup:
    """What a decoding process is told once, at its start.

    Attributes:
        limits: what one object may ask for.
        memory_bytes: address space beyond what the process holds when it is ready.
        prepare: ``module:function`` that turns a `DecodedImage` and `parameters` into what is
            sent back in `PreparedFrame.prepared`.
        parameters: passed on to `prepare`; picklable.
    """

    limits: DecodingLimits
    memory_bytes: int
    prepare: str
    parameters: Any


@dataclass(frozen=True)
class PreparedFrame:
    """One frame, decoded and prepared: small arrays and what is known of it.

    Attributes:
        prepared: what the network needs.
        format: ``jpeg``, ``png``, ``dicom`` ...
        frame: index of the frame in its object, from 0.
        study_uid: DICOM StudyInstanceUID, or None.
        acquisition: scanner fields.
        detail: something a reader of the row should know, or None.
        burned_in_text: whether a DICOM says that text is burned in; None where it is left open.
    """

    prepared: PreparedImage
    format: str
    frame: int
    study_uid: str | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)
    detail: str | None = None
    burned_in_text: bool | None = None


@dataclass(frozen=True)
class ImageFailure:
    """Why a frame, or a whole object, cannot be scored.

    Attributes:
        reason: of the row.
        detail: fixed phrases and numbers.
        format: what the magic bytes said, or None.
        frame: index of the frame, None for the whole object.
        study_uid: DICOM StudyInstanceUID where it could be read all the same.
    """

    reason: Reason
    detail: str
    format: str | None = None
    frame: int | None = None
    study_uid: str | None = None

    @classmethod
    def of(cls, error: ImageError) -> ImageFailure:
        """Make a failure of an error, keeping what the error knows of its frame."""
        return cls(error.reason, str(error), error.format, error.frame, error.study_uid)


FrameResult: TypeAlias = PreparedFrame | ImageFailure
