"""Arrow tables as Parquet objects of the lake."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.lake import Lake

METADATA_PREFIX: Final = "mri_triage."
"""Of all key-value metadata that this project writes into Parquet files."""


def to_parquet(table: pa.Table, metadata: Mapping[str, str]) -> bytes:
    """Return the bytes of a Parquet file.

    Args:
        table: what to store.
        metadata: key-value metadata; the keys get `METADATA_PREFIX`.
    """
    stored = {f"{METADATA_PREFIX}{name}": value for name, value in metadata.items()}
    sink = io.BytesIO()
    pq.write_table(
        table.replace_schema_metadata(stored),
        sink,
        compression="zstd",
        # Spark reads microseconds; newer Parquet versions would store nanoseconds.
        coerce_timestamps="us",
        # Smallest and largest value stand in the footer, which tools print and log.
        write_statistics=[name for name in table.column_names if name != "object_key"],
    )
    return sink.getvalue()


def write_table(lake: Lake, key: str, table: pa.Table, metadata: Mapping[str, str]) -> str:
    """Store a table as one Parquet object and return its etag; see `Lake.write`."""
    return lake.write(key, to_parquet(table, metadata))


def read_table(
    lake: Lake,
    key: str,
    *,
    etag: str | None = None,
    columns: Sequence[str] | None = None,
    skip_absent: bool = False,
) -> tuple[pa.Table, dict[str, str]]:
    """Read a Parquet object.

    Args:
        lake: where.
        key: of the object.
        etag: that it must have, or None for any.
        columns: to decode; the others cost nothing. None for all.
        skip_absent: leave out columns that the file lacks, as an older release may have written it.

    Returns:
        The table, and the key-value metadata that this project wrote, without the prefix.

    Raises:
        NotRetrievedError: if there is no such object, or not with this etag.
        pyarrow.ArrowInvalid: if it is no Parquet file.
    """
    data = lake.read(key, etag)
    file = pq.ParquetFile(pa.BufferReader(data))
    if columns is not None:
        found = set(file.schema_arrow.names)
        columns = [name for name in columns if not skip_absent or name in found]
    # By this thread alone: one of Arrow's own may let go of the bytes only while Python ends, and
    # then aborts the process (seen in 2 of 48 runs of `mri-triage quality` on a busy machine).
    table = file.read(columns=columns, use_threads=False)
    return table.replace_schema_metadata(None), _own_metadata(file.schema_arrow.metadata)


def _own_metadata(stored: Mapping[bytes, bytes] | None) -> dict[str, str]:
    decoded = {name.decode(): value.decode() for name, value in (stored or {}).items()}
    return {
        name.removeprefix(METADATA_PREFIX): value
        for name, value in decoded.items()
        if name.startswith(METADATA_PREFIX)
    }
