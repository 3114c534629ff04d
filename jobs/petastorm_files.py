"""Data sets as petastorm stores them: the only module that knows petastorm.

Image files are stored byte for byte, as arrays of bytes. Petastorm's own codec for images needs
OpenCV and would encode them anew; a plain binary column would lose zeros at the end of a file on
its way through NumPy.
"""

from __future__ import annotations

import io
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from petastorm import TransformSpec, make_reader
from petastorm.codecs import NdarrayCodec, ScalarCodec
from petastorm.etl.dataset_metadata import UNISCHEMA_KEY, materialize_dataset
from petastorm.predicates import in_set
from petastorm.unischema import Unischema, UnischemaField
from PIL import Image
from pyspark.sql.types import IntegerType, StringType

from model.decoding import decode_object
from model.errors import ImageError
from model.training_data import Part
from model.training_samples import TRAINING_LIMITS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TensorFlowDataset: TypeAlias = Any
"""A ``tf.data.Dataset``; TensorFlow itself is loaded only when a part is opened."""

COMMON_METADATA: Final = "_common_metadata"
"""The file that holds the schema as a pickle."""

ROW_GROUP_MEBIBYTES: Final = 16

_TEXTS: Final = ("path", "source", "tumor_type", "plane", "group_id", "part")
_NUMBERS: Final = ("label", "width", "height")
_FILES: Final = ("image", "mask")

SCHEMA: Final = Unischema(
    "LabelledImages",
    [
        *(UnischemaField(name, np.str_, (), ScalarCodec(StringType())) for name in _TEXTS),
        *(UnischemaField(name, np.int32, (), ScalarCodec(IntegerType())) for name in _NUMBERS),
        *(UnischemaField(name, np.uint8, (None,), NdarrayCodec()) for name in _FILES),
    ],
)
"""A row an image. ``mask`` has no bytes where there is none."""

_DECODED_FIELDS: Final = [
    ("pixels", np.float32, (None, None), False),
    ("outline", np.bool_, (None, None), False),
    ("outlined", np.bool_, (), False),
]
"""What `decode_row` puts in place of the files: name, type, shape, may be None."""


def schema_pickle() -> bytes:
    """Return the schema as petastorm stores it: the same bytes on every machine."""
    return pickle.dumps(SCHEMA)


def read_schema_pickle(folder: Path) -> bytes | None:
    """Return the pickle in a folder's metadata without opening it; None if there is none."""
    stored = pq.read_metadata(folder / COMMON_METADATA).metadata or {}
    found = stored.get(UNISCHEMA_KEY)
    return None if found is None else bytes(found)


def encode_file(content: bytes) -> bytes:
    """Return a file's bytes as a cell of the columns ``image`` and ``mask``."""
    field = SCHEMA.fields["image"]
    return bytes(field.codec.encode(field, np.frombuffer(content, dtype=np.uint8)))


def write_rows(spark: SparkSession, rows: DataFrame, folder: Path) -> None:
    """Write rows of `SCHEMA` into a new folder, with petastorm's metadata.

    The files are named by number, so that the same rows give the same names.
    """
    with (
        _quiet_petastorm(),
        materialize_dataset(
            spark,
            folder.as_uri(),
            SCHEMA,
            row_group_size_mb=ROW_GROUP_MEBIBYTES,
        ),
    ):
        rows.write.parquet(folder.as_uri())
        for number, path in enumerate(sorted(folder.glob("part-*.parquet"))):
            path.rename(folder / f"images-{number:05d}.parquet")
        for path in [*folder.glob(".*.crc"), folder / "_SUCCESS"]:
            path.unlink(missing_ok=True)


@contextmanager
def open_decoded(folder: Path, part: Part, *, threads: int) -> Iterator[TensorFlowDataset]:
    """Open a part of a data set. Its schema is unpickled: verify the folder first.

    Args:
        folder: local, verified.
        part: whose rows are wanted.
        threads: that decode ahead; with one of them the order of the rows is fixed.

    Yields:
        A ``tf.data.Dataset`` of named tuples: the texts and numbers of `SCHEMA`, ``pixels``
        (height, width) float32 from 0 to 1, ``outline`` (height, width) bool and ``outlined``,
        False where no outline is known. It can be run through more than once.
    """
    with _quiet_petastorm():
        from petastorm.tf_utils import make_petastorm_dataset  # noqa: PLC0415 - loads TensorFlow

        reader = make_reader(
            folder.as_uri(),
            workers_count=threads,
            shuffle_row_groups=False,
            predicate=in_set({part}, "part"),
            transform_spec=TransformSpec(decode_row, _DECODED_FIELDS, removed_fields=list(_FILES)),
        )
        try:
            yield make_petastorm_dataset(reader)
        finally:
            # Not as a context manager: that prints to the terminal.
            reader.stop()
            reader.join()


def decode_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Decode the files of a row, the image as in a night.

    Raises:
        ImageError: if the image cannot be read; building the data set has read it once.
    """
    first = next(decode_object(row["image"].tobytes(), TRAINING_LIMITS))
    if isinstance(first, ImageError):
        raise first
    outline = np.zeros(first.pixels.shape, dtype=np.bool_)
    if row["mask"].size:
        outline = _decode_outline(row["mask"].tobytes())
    return {
        **{name: value for name, value in row.items() if name not in _FILES},
        "pixels": first.pixels,
        "outline": outline,
        "outlined": np.bool_(row["mask"].size > 0 or row["label"] == 0),
    }


def _decode_outline(content: bytes) -> npt.NDArray[np.bool_]:
    with Image.open(io.BytesIO(content)) as opened:
        return np.asarray(opened.convert("1"), dtype=np.bool_)


@contextmanager
def _quiet_petastorm() -> Iterator[None]:
    """Silence petastorm's warnings: it asks pyarrow 14 for what later releases no longer have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"petastorm\.")
        yield
