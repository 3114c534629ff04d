"""What can be read of a file by Pillow, pydicom and nibabel themselves, without this project.

Readers may crash on such files, so they run in a process of their own, which is started again.
"""

from __future__ import annotations

import gzip
import io
import logging
import os
import resource
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Final, Self, TypeAlias

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

Pixels: TypeAlias = npt.NDArray[Any]

GZIP_MAGIC: Final = b"\x1f\x8b"

SECONDS_A_FILE: Final = 300.0
"""The start of the process is among them, on a busy machine."""

MEMORY_BYTES: Final = 4 * 1024**3

NOISE: Final = 0.04
"""Of the range of levels: pixels that differ by less are the same."""

CHANGED_SHARE: Final = 0.001
"""Of the pixels, that must differ by more than `NOISE` for pictures to differ."""


def read_with_pillow(data: bytes) -> Pixels:
    """Return the pixels of the first frame; checksums are compared where Pillow can."""
    with Image.open(io.BytesIO(data)) as image:
        image.verify()
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return np.asarray(image)


def read_with_pydicom(data: bytes) -> Pixels:
    """Return the stored pixels of all frames; uncompressed ones if nothing says how they are."""
    dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    if "TransferSyntaxUID" not in dataset.file_meta:
        is_implicit, is_little = dataset.original_encoding
        dataset.file_meta.TransferSyntaxUID = {
            (True, True): ImplicitVRLittleEndian,
            (False, True): ExplicitVRLittleEndian,
            (False, False): ExplicitVRBigEndian,
        }[bool(is_implicit), bool(is_little)]
    return np.asarray(dataset.pixel_array)


def read_with_nibabel(data: bytes) -> Pixels:
    """Return the voxels of all volumes."""
    plain = gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data
    return np.asarray(nib.Nifti1Image.from_bytes(plain).dataobj)


READERS: Final = (read_with_pillow, read_with_pydicom, read_with_nibabel)


def read_anything(data: bytes) -> Pixels | None:
    """Return what the first reader that reads anything gives, None if none does."""
    for reader in READERS:
        pixels = _try(reader, data)
        if pixels is not None and pixels.size:
            return pixels
    return None


def _try(reader: Callable[[bytes], Pixels], data: bytes) -> Pixels | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return reader(data)
        except BaseException:  # noqa: BLE001 - a panic in a codec written in Rust is no Exception
            return None


def differ(one: Pixels, other: Pixels) -> bool:
    """Tell whether two pictures differ by more than noise."""
    if one.shape != other.shape:
        return True
    first, second = one.astype(np.float64), other.astype(np.float64)
    span = max(float(np.ptp(first)), 1e-9)
    return bool(np.mean(np.abs(first - second) > NOISE * span) > CHANGED_SHARE)


def prepare_process() -> None:
    """Keep the readers from filling the memory, and their complaints to themselves."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    logging.disable(logging.CRITICAL)
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


class Oracle:
    """Reads files in a process of its own."""

    def __enter__(self) -> Self:
        """Start."""
        self._pool = self._start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End the process."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def read_all(self, files: Iterable[bytes]) -> Iterator[Pixels | None]:
        """Yield what can be read of each file, None for nothing."""
        for data in files:
            try:
                yield self._pool.submit(read_anything, data).result(SECONDS_A_FILE)
            except (BrokenProcessPool, TimeoutError):
                for process in list((self._pool._processes or {}).values()):
                    process.kill()
                self._pool = self._start()
                yield None

    @staticmethod
    def _start() -> ProcessPoolExecutor:
        return ProcessPoolExecutor(1, get_context("spawn"), initializer=prepare_process)
