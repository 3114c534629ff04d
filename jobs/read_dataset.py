"""Read a data set back, after making sure that this project wrote every byte of it.

Petastorm unpickles the schema that stands in a Parquet folder's metadata, with a filter that lets
``eval`` through. A stored pickle is opened only if it is, byte for byte, the one that this code
writes: then a forged manifest does no harm either.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from jobs.dataset_manifest import IMAGES_FOLDER, Manifest, StoredFile, read_manifest
from jobs.lake import Lake
from model.errors import TrainingDataError
from model.training_data import Part

if TYPE_CHECKING:
    from jobs.petastorm_files import TensorFlowDataset


@dataclass(frozen=True)
class OpenedDataset:
    """A verified copy of a data set.

    Attributes:
        folder: of the Parquet files, on this machine.
        manifest: what it holds.
    """

    folder: Path
    manifest: Manifest

    def open_part(
        self,
        part: Part,
        *,
        threads: int = 1,
    ) -> AbstractContextManager[TensorFlowDataset]:
        """Open a part as ``tf.data``; see `jobs.petastorm_files.open_decoded`."""
        from jobs.petastorm_files import open_decoded  # noqa: PLC0415 - loads petastorm and Spark

        return open_decoded(self.folder, part, threads=threads)


@contextmanager
def open_dataset(lake: Lake) -> Iterator[OpenedDataset]:
    """Copy a data set to a temporary folder, verify it, and hand it out.

    What is opened is the copy that was verified, so that nobody can change it in between.

    Args:
        lake: at the data set's root.

    Raises:
        TrainingDataError: if it is not a data set of this project, or was changed.
        NotRetrievedError: if a file cannot be read.
    """
    manifest = read_manifest(lake)
    with tempfile.TemporaryDirectory(prefix="mri-triage-dataset-") as temporary:
        folder = Path(temporary)
        _refuse_other_files(lake, manifest)
        for file in manifest.files:
            _copy(lake, file, folder)
        _refuse_foreign_schema(lake, folder)
        yield OpenedDataset(folder, manifest)


def _refuse_other_files(lake: Lake, manifest: Manifest) -> None:
    known = {file.key for file in manifest.files}
    found = {found.key for found in lake.list_objects(IMAGES_FOLDER)}
    if found != known:
        different = sorted(found ^ known)
        message = (
            f"{lake.address.url} does not hold the files of its manifest: {len(different)} are "
            f"missing or too many, the first is {different[0]}; build the data set again"
        )
        raise TrainingDataError(message)


def _copy(lake: Lake, file: StoredFile, folder: Path) -> None:
    content = lake.read(file.key)
    name = file.key.removeprefix(IMAGES_FOLDER)
    if StoredFile.of(file.key, content) != file or Path(name).name != name:
        message = (
            f"{file.key} of {lake.address.url} is not the file that the manifest names (SHA-256): "
            "it was changed or damaged; build the data set again"
        )
        raise TrainingDataError(message)
    (folder / name).write_bytes(content)


def _refuse_foreign_schema(lake: Lake, folder: Path) -> None:
    from jobs.petastorm_files import read_schema_pickle, schema_pickle  # noqa: PLC0415 - as above

    try:
        stored = read_schema_pickle(folder)
    except (OSError, pa.ArrowException) as error:
        message = f"{lake.address.url} has no readable petastorm metadata: build it again"
        raise TrainingDataError(message) from error
    if stored != schema_pickle():
        message = (
            f"the schema in {lake.address.url} is not the one that this release writes, and "
            "petastorm would unpickle it, which can run any code: build the data set again"
        )
        raise TrainingDataError(message)
