"""Every error this project raises on purpose, drawn as one tree.

    TriageError
    ├── ImageError            one bad image: becomes a row, never stops the night
    │   ├── EmptyObjectError      empty_object
    │   ├── TooLargeError         too_large
    │   ├── UnreadableError       unreadable
    │   ├── UnsupportedError      unsupported
    │   ├── NonDiagnosticError    non_diagnostic
    │   ├── DecoderCrashError     decoder_crash
    │   ├── DecoderTimeoutError   timed_out
    │   └── NotRetrievedError     not_retrieved
    ├── TerminalError         trying again cannot help: the command ends with a fixed exit code
    │   ├── ConfigurationError    2
    │   ├── LakeNotFoundError     3
    │   ├── AccessDeniedError     4
    │   ├── BundleError           5
    │   ├── OutputError           6
    │   ├── AuditError            7
    │   ├── NightTakenError       8
    │   ├── NightShrankError      9
    │   ├── TrainingDataError     10
    │   └── PromotionError        11
    ├── TransientError        trying again may help: retried with back-off, then exit code 75
    │   └── StorageUnavailableError
    └── UnforeseenError       a defect: told without the text that a library gave it

A message says what was found, what was expected, and what to do. Constructors take exactly what
they hand to ``super().__init__``, so that every error survives pickling between Spark processes.
"""

from __future__ import annotations

from typing import ClassVar

from model.reasons import Reason


class TriageError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: ClassVar[int] = 1


class ImageError(TriageError):
    """One image cannot be scored. It becomes a flagged row with `reason`.

    Attributes:
        format: what the magic bytes said, None where the decoder did not get so far.
        frame: index of the frame that failed, None for the whole object.
        study_uid: DICOM StudyInstanceUID, where it could be read all the same.
    """

    reason: ClassVar[Reason] = Reason.UNREADABLE
    format: str | None = None
    frame: int | None = None
    study_uid: str | None = None


class EmptyObjectError(ImageError):
    """The object has no bytes."""

    reason = Reason.EMPTY_OBJECT


class TooLargeError(ImageError):
    """The object, or what it declares to hold, is over a limit."""

    reason = Reason.TOO_LARGE


class UnreadableError(ImageError):
    """The bytes cannot be read as the image that they claim to be."""

    reason = Reason.UNREADABLE


class UnsupportedError(ImageError):
    """The format, or a variant of it, is not one that the job reads."""

    reason = Reason.UNSUPPORTED


class NonDiagnosticError(ImageError):
    """Positively recognised as something that is not a diagnostic image (localizer, report ...)."""

    reason = Reason.NON_DIAGNOSTIC


class DecoderCrashError(ImageError):
    """The decoding process died on this image."""

    reason = Reason.DECODER_CRASH


class DecoderTimeoutError(ImageError):
    """Decoding took longer than the limit for one image."""

    reason = Reason.TIMED_OUT


class NotRetrievedError(ImageError):
    """The object was listed, but its bytes could not be fetched."""

    reason = Reason.NOT_RETRIEVED


class TerminalError(TriageError):
    """The run cannot go on, and trying again without a change cannot help."""


class ConfigurationError(TerminalError):
    """A setting, an argument or the environment is wrong."""

    exit_code = 2


class LakeNotFoundError(TerminalError):
    """The lake, or the place where its nights should lie, does not exist."""

    exit_code = 3


class AccessDeniedError(TerminalError):
    """The storage refuses the credentials, or these credentials may not do this."""

    exit_code = 4


class BundleError(TerminalError):
    """The model bundle is absent, damaged, unsafe, or not the one that was asked for."""

    exit_code = 5


class OutputError(TerminalError):
    """The output cannot be written."""

    exit_code = 6


class AuditError(TerminalError):
    """The rows of a night do not add up, so nothing was published."""

    exit_code = 7


class NightTakenError(TerminalError):
    """Another run holds the night, or published it while this one was at work."""

    exit_code = 8


class NightShrankError(TerminalError):
    """The night would be published with fewer objects than it now holds."""

    exit_code = 9


class TrainingDataError(TerminalError):
    """The training data cannot be used as they are."""

    exit_code = 10


class PromotionError(TerminalError):
    """Another version of a model is not put in force: it is worse, or someone came first."""

    exit_code = 11


class TransientError(TriageError):
    """A fault that may pass by itself."""

    exit_code = 75


class StorageUnavailableError(TransientError):
    """The object storage did not answer, or answered that it is too busy."""


class UnforeseenError(TriageError):
    """An exception that nobody foresaw; the message says its class and place, see `unforeseen`."""
