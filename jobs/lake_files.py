"""A lake in a folder: local disk, or a file system mounted from elsewhere.

The root's own folders (incoming, results ...) may be symbolic links: an operator puts them on other
disks. Links further down are data. They are listed, but never followed out: a link to a folder is
listed as one object, a link to a file elsewhere too, and reading either fails, so that it becomes
a flagged row instead of a hole in the night.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote_from_bytes

from jobs.file_names import key_part_of, name_of_part
from jobs.file_writes import is_housekeeping, locked_folder, put_in_place, remove
from jobs.lake import LakeAddress, LakeObject, key_problem
from model.errors import (
    AccessDeniedError,
    ConfigurationError,
    LakeNotFoundError,
    NotRetrievedError,
    OutputError,
    StorageUnavailableError,
)


class FolderLake:
    """See `jobs.lake.Lake`."""

    def __init__(self, address: LakeAddress, root: Path) -> None:
        """Take the folder; nothing is read or created."""
        self._root = root
        # Absolute, so that a worker with another working directory opens the same folder.
        self.address = LakeAddress(root.as_uri(), address.options)

    def require(self, prefix: str = "") -> None:
        """See `Lake.require`."""
        folder = self._path(prefix.rstrip("/")) if prefix else self._root
        try:
            with os.scandir(folder):
                return
        except (FileNotFoundError, NotADirectoryError) as error:
            message = (
                f"no folder {folder}: expected the data lake there; check lake.url and "
                "lake.night_template, and that the disk is mounted"
            )
            raise LakeNotFoundError(message) from error
        except PermissionError as error:
            raise _no_access(folder) from error
        except OSError as error:
            raise _unavailable(self._root, error) from error

    def list_objects(self, prefix: str) -> Iterator[LakeObject]:
        """See `Lake.list_objects`. Folders are no objects; an empty one is not listed."""
        base, _, start = prefix.rpartition("/")
        folders = [(self._path(base) if base else self._root, f"{base}/" if base else "")]
        while folders:
            folder, above = folders.pop()
            for entry in self._entries(folder):
                key = above + key_part_of(entry.name)
                if above == folders_key(base) and not key.startswith(above + start):
                    continue
                if entry.is_dir(follow_symlinks=not above):
                    folders.append((Path(entry.path), f"{key}/"))
                elif not is_housekeeping(entry.name):
                    yield from self._listed(key, entry)

    def read(self, key: str, etag: str | None = None) -> bytes:
        """See `Lake.read`."""
        problem = key_problem(key)
        if problem is not None:
            message = f"the object's key is not usable, {problem}"
            raise NotRetrievedError(message)
        try:
            return self._read_regular_file(key, etag)
        except (OSError, ValueError, ConfigurationError) as error:
            # The text of an OSError holds the path, and the path may hold a name.
            message = f"the object could not be read: {_cause(error)}"
            raise NotRetrievedError(message) from None

    def head(self, key: str) -> LakeObject | None:
        """See `Lake.head`."""
        try:
            status = self._path(key).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except PermissionError:
            raise _no_access(self._root) from None
        except OSError as error:
            raise _unavailable(self._root, error) from None
        if not stat.S_ISREG(status.st_mode):
            return None
        return LakeObject(key, etag_of(status), status.st_size)

    def write(
        self,
        key: str,
        data: bytes | Path,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        """See `Lake.write`."""
        path = self._own_path(key)
        with put_in_place(path, data, self._top_folder(key)) as prepared:
            return etag_of(prepared.commit(etag_of, if_absent=if_absent, if_match=if_match))

    def delete(self, key: str) -> None:
        """See `Lake.delete`."""
        path = self._own_path(key)
        if os.path.lexists(path):
            with locked_folder(self._top_folder(key)):
                remove(path)

    def locate(self, key: str) -> str:
        """See `Lake.locate`."""
        # `as_uri` would escape the "=" of every night's folder, and nobody could read the path.
        return "file://" + quote_from_bytes(os.fsencode(self._path(key)), safe="/=")

    def _path(self, key: str) -> Path:
        problem = key_problem(key)
        if problem is None and "" in key.split("/"):
            problem = "it names a folder"
        try:
            parts = [name_of_part(part) for part in key.split("/")]
        except ValueError as error:
            problem = str(error)
        if problem is not None:
            message = (
                f"a key of the lake is not usable, {problem}: expected a path below the lake's "
                "root; check lake.night_template and the name given"
            )
            raise ConfigurationError(message)
        return self._root.joinpath(*parts)

    def _own_path(self, key: str) -> Path:
        """Return the path of an object that may be written or removed."""
        path = self._path(key)
        if not self._is_inside(key, path.parent):
            message = (
                "a folder to write to is a link that leads out of the lake: expected only the "
                "folders at the lake's root to be links; remove the link"
            )
            raise OutputError(message)
        return path

    def _top_folder(self, key: str) -> Path:
        top, slash, _ = key.partition("/")
        return self._path(top) if slash else self._root

    def _entries(self, folder: Path) -> Iterator[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                yield from entries
        except (FileNotFoundError, NotADirectoryError):
            return
        except PermissionError:
            raise _no_access(self._root) from None
        except OSError as error:
            raise _unavailable(self._root, error) from None

    def _listed(self, key: str, entry: os.DirEntry[str]) -> Iterator[LakeObject]:
        try:
            status = entry.stat(follow_symlinks=False)
            if entry.is_symlink() and self._leads_to_own_file(key, Path(entry.path)):
                status = entry.stat()
        except FileNotFoundError:
            return  # removed since the folder was read: it is no longer an object of the night
        yield LakeObject(key, etag_of(status), status.st_size)

    def _leads_to_own_file(self, key: str, path: Path) -> bool:
        return self._is_inside(key, path) and path.is_file()

    def _is_inside(self, key: str, path: Path) -> bool:
        """Whether a path, its links followed, lies in the top folder of its key."""
        try:
            return path.resolve().is_relative_to(self._top_folder(key).resolve())
        except (OSError, RuntimeError):  # a loop of links
            return False

    def _read_regular_file(self, key: str, etag: str | None) -> bytes:
        path = self._path(key)
        if not self._is_inside(key, path):
            message = "it is a link that leads out of its folder of the lake"
            raise ValueError(message)
        # Without O_NONBLOCK, opening a pipe would wait for a writer that never comes.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                message = "it is no regular file"
                raise ValueError(message)
            data = file.read()
            after = os.fstat(file.fileno())
        if etag_of(before) != etag_of(after) or (etag is not None and etag_of(before) != etag):
            message = "its content changed after it was listed"
            raise ValueError(message)
        return data


def etag_of(status: os.stat_result) -> str:
    """Return the etag of a file: time of the last change in nanoseconds, and size."""
    return f"{status.st_mtime_ns:x}-{status.st_size:x}"


def folders_key(base: str) -> str:
    """Return a folder's key with its slash; empty for the root."""
    return f"{base}/" if base else ""


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return os.strerror(error.errno) if error.errno else type(error).__name__
    return str(error)


def _no_access(folder: Path) -> AccessDeniedError:
    message = (
        f"{folder}, or a folder below it, may not be read: expected read and list "
        "permission for the user that runs this; ask the owner of the lake for it"
    )
    return AccessDeniedError(message)


def _unavailable(root: Path, error: OSError) -> StorageUnavailableError:
    message = (
        f"the lake in {root} does not answer ({_cause(error)}): expected a readable file system; "
        "check that it is mounted and healthy"
    )
    return StorageUnavailableError(message)
