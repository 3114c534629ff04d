"""What failed objects have in common, in words: one cause seldom looks like a thousand accidents.

Told are reasons, details (fixed phrases and numbers), formats, sizes and keyed ids. Keys, folders
and the text of DICOM fields are not: they may hold a patient's name.
"""

from __future__ import annotations

from typing import Any, Final

import pandas as pd
import pyarrow as pa

MOST: Final = 0.8
"""A property that so many of the failed objects share, and fewer than `FEW` of the others."""

FEW: Final = 0.5

_TOLD_CAUSES: Final = 3
_COLUMNS: Final = ("object_key", "reason", "detail", "format", "size_bytes", "study_id")
_TRAITS: Final = {
    "format": "are {}",
    "size_bytes": "have exactly {} bytes",
    "study_id": "belong to study {}",
}


def describe_pattern(failed: pa.Table, others: pa.Table) -> str:
    """Say what failed objects have in common that sets them apart.

    Args:
        failed: rows of `RESULTS` that failed; at least one.
        others: the night's other rows.

    Returns:
        A clause for an error message, without the final stop.
    """
    some, rest = _one_row_an_object(failed), _one_row_an_object(others)
    traits = [_describe_causes(some)]
    for column, text in _TRAITS.items():
        value = _shared_value(some[column], rest[column])
        if value is not None:
            sharing = int((some[column] == value).sum())
            traits.append(f"{sharing} of {len(some)} {text.format(value)}")
    return "; ".join(traits)


def _one_row_an_object(rows: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = rows.select(list(_COLUMNS)).to_pandas()
    return frame.drop_duplicates("object_key").fillna(
        {"format": "of no known format", "detail": ""}
    )


def _describe_causes(failed: pd.DataFrame) -> str:
    # Numbers differ from object to object where the cause is the same.
    details = failed["detail"].str.replace(r"\d+", "N", regex=True)
    causes = failed["reason"].str.cat(details, sep=": ").str.removesuffix(": ").value_counts()
    told = [f"{count} are {cause!r}" for cause, count in causes.head(_TOLD_CAUSES).items()]
    more = len(causes) - _TOLD_CAUSES
    return ", ".join(told) + (f" and {more} other causes" if more > 0 else "")


def _shared_value(failed: pd.Series[Any], others: pd.Series[Any]) -> object:
    """Return the value that most failed objects share and few others have, or None."""
    value = failed.value_counts().index[0]
    is_shared = len(failed) > 1 and (failed == value).mean() >= MOST
    is_usual = len(others) > 0 and (others == value).mean() >= FEW
    return value if is_shared and not is_usual else None
