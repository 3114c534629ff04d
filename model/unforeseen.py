"""What may be told of an error that nobody foresaw: its class and where it arose, never its text.

Libraries quote what they choke on: a path, a cell, a line of a patient's file. Where an error
leaves a worker or a step of the flow, engines write it down, chained causes and all. The chain is
cut there, and an exception that is none of the project's own is told in other words.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from model.errors import TriageError, UnforeseenError

_OWN_PACKAGES: Final = frozenset({"conf", "flows", "jobs", "model"})
_TOLD_PLACES: Final = 4


@contextmanager
def quoting_nothing() -> Iterator[None]:
    """Let errors out of the block without what they, or their causes, quote.

    Raises:
        TriageError: as it was, its cause cut off.
        UnforeseenError: in place of every other exception.
    """
    try:
        yield
    except TriageError as error:
        raise error from None
    except Exception as error:  # noqa: BLE001 - whatever it is
        raise UnforeseenError(describe_unforeseen(error)) from None


def describe_unforeseen(error: BaseException) -> str:
    """Name the class of an exception and the lines of this project that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        f"{path.parent.name}/{path.name}:{frame.lineno}"
        for frame in frames
        if (path := Path(frame.filename)).parent.name in _OWN_PACKAGES and path != Path(__file__)
    ]
    where = f" at {', '.join(places[-_TOLD_PLACES:])}" if places else ""
    return f"unexpected {type(error).__name__}{where}"
