"""Writing a file in one step: beside its place, synced, then moved or linked over it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jobs.lake import PreconditionFailedError
from model.errors import OutputError

LOCK_NAME: Final = ".mri-triage.lock"
"""Lies in the top folder of what is written (results/, runs/ ...); readers skip dot files."""

_TEMPORARY: Final = re.compile(r"\.[0-9a-f]{32}\.mri-triage-tmp")
_CHANGED: Final = "it was changed or removed by another writer"
_EXISTS: Final = "there is one already"
_NO_HARD_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK})


def is_housekeeping(name: str) -> bool:
    """Whether a file is this module's own: a lock, or a write that did not finish."""
    return name == LOCK_NAME or _TEMPORARY.fullmatch(name) is not None


@dataclass(frozen=True)
class PreparedFile:
    """A complete, synced file beside the place that it is meant for."""

    temporary: Path
    target: Path
    lock_folder: Path

    def commit(
        self,
        etag_of: Callable[[os.stat_result], str],
        *,
        if_absent: bool,
        if_match: str | None,
    ) -> os.stat_result:
        """Move the file to its place if the condition holds, and return its status there."""
        # Every replacement takes the lock, conditional or not: otherwise one could slip in between
        # the comparison of another writer and its rename.
        with locked_folder(self.lock_folder):
            if if_match is not None and _etag(self.target, etag_of) != if_match:
                raise _precondition(_CHANGED)
            if if_absent:
                self._link()
            else:
                self.temporary.replace(self.target)
            _sync_folder(self.target.parent)
            return self.target.stat()

    def _link(self) -> None:
        try:
            os.link(self.temporary, self.target)
        except FileExistsError:
            raise _precondition(_EXISTS) from None
        except OSError as error:
            if error.errno not in _NO_HARD_LINKS:
                raise
            if os.path.lexists(self.target):
                raise _precondition(_EXISTS) from None
            self.temporary.replace(self.target)


@contextlib.contextmanager
def put_in_place(target: Path, data: bytes | Path, lock_folder: Path) -> Iterator[PreparedFile]:
    """Write the data beside their place; whatever happens, no half file stays behind.

    Raises:
        OutputError: if the place cannot be written.
    """
    temporary = target.parent / f".{uuid.uuid4().hex}.mri-triage-tmp"
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(temporary, data)
        yield PreparedFile(temporary, target, lock_folder)
    except OSError as error:
        raise _output_error(error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder. It is held for one comparison and one rename.

    Raises:
        OutputError: if the lock cannot be taken.
    """
    try:
        # A file of its own, opened for writing: NFS grants no exclusive lock on a folder.
        descriptor = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise _output_error(error) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise _output_error(error) from None
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file; it need not exist.

    Raises:
        OutputError: if it may not be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _output_error(error) from None


def _write_synced(path: Path, data: bytes | Path) -> None:
    with path.open("xb") as file:
        if isinstance(data, Path):
            with data.open("rb") as source:
                shutil.copyfileobj(source, file, 1024 * 1024)
        else:
            file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot sync a folder; the rename itself has happened.
        if error.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(descriptor)


def _etag(path: Path, etag_of: Callable[[os.stat_result], str]) -> str | None:
    try:
        return etag_of(path.stat())
    except FileNotFoundError:
        return None


def _precondition(found: str) -> PreconditionFailedError:
    message = f"the object was not written: {found}; read it again before writing"
    return PreconditionFailedError(message)


def _output_error(error: OSError) -> OutputError:
    cause = os.strerror(error.errno) if error.errno else type(error).__name__
    message = (
        f"the lake cannot be written ({cause}): expected write permission and free space below "
        "lake.url; check the mount, the owner of its folders, and the disk"
    )
    return OutputError(message)
