"""The data lake: a folder or a bucket, behind one small interface.

Transient faults are retried inside. What is left comes out as the errors of model/errors.py, and
no message holds an object's key, which may hold a patient's name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from model.errors import ConfigurationError, TerminalError

_DOT_SEGMENTS: Final = frozenset({".", ".."})


class PreconditionFailedError(TerminalError):
    """A conditional write found something else than it asked for, and wrote nothing."""


@dataclass(frozen=True)
class StorageOptions:
    """How to reach object storage. No secrets: each process reads them from its environment.

    Attributes:
        endpoint_url: of an S3-compatible server; None for AWS.
        region: of the bucket; None leaves it to the environment.
        connect_timeout_seconds: for one connection.
        read_timeout_seconds: for one answer.
        attempts: tries of one request, the first included.
    """

    endpoint_url: str | None = None
    region: str | None = None
    connect_timeout_seconds: float = 5
    read_timeout_seconds: float = 60
    attempts: int = 5


@dataclass(frozen=True)
class LakeAddress:
    """Where a lake is. Small and picklable: this travels to the Spark workers.

    Attributes:
        url: ``file:///folder`` or ``s3://bucket/prefix``.
        options: for object storage; a folder ignores them.
    """

    url: str
    options: StorageOptions = StorageOptions()


@dataclass(frozen=True, order=True)
class LakeObject:
    """One listed object.

    Attributes:
        key: relative to the lake's root, folders separated by ``/``.
        etag: changes when the content does.
        size_bytes: as the storage reports it.
    """

    key: str
    etag: str
    size_bytes: int


class Lake(Protocol):
    """What the jobs ask of storage."""

    address: LakeAddress

    def require(self, prefix: str = "") -> None:
        """Make sure that the lake, or a folder of it, is there and may be listed.

        Raises:
            LakeNotFoundError: if it does not exist.
            AccessDeniedError: if it may not be listed.
            StorageUnavailableError: if the storage does not answer.
        """

    def list_objects(self, prefix: str) -> Iterator[LakeObject]:
        """Yield every object whose key begins with the prefix, page by page, in no set order.

        Nothing is left out: what cannot be read is listed, and reading it fails.
        """

    def read(self, key: str, etag: str | None = None) -> bytes:
        """Return an object's bytes.

        Raises:
            NotRetrievedError: if this one object is gone, refused, or no longer has that etag.
            AccessDeniedError: if the credentials as such are refused.
            StorageUnavailableError: if the storage does not answer.
        """

    def head(self, key: str) -> LakeObject | None:
        """Return an object's etag and size, or None if there is none."""

    def write(
        self,
        key: str,
        data: bytes | Path,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        """Put an object in place in one step, so that a reader sees the old one or the new one.

        Args:
            key: where to.
            data: the bytes, or a local file that holds them.
            if_absent: only if there is no object yet.
            if_match: only if the object has this etag.

        Returns:
            The new etag.

        Raises:
            PreconditionFailedError: if the condition does not hold.
            OutputError: if the place cannot be written.
        """

    def delete(self, key: str) -> None:
        """Remove an object; it need not exist."""

    def locate(self, key: str) -> str:
        """Return a URL that a person can open or copy."""


def open_lake(address: LakeAddress) -> Lake:
    """Return the lake at an address. Nothing is read yet; see `Lake.require`.

    Raises:
        ConfigurationError: if the URL is none that this job knows.
    """
    # Inside the function: a job over a folder need not load boto3, and the two import this module.
    from jobs.lake_files import FolderLake  # noqa: PLC0415

    if address.url.startswith("file://"):
        return FolderLake(address, folder_of(address.url))
    if address.url.startswith("s3://"):
        from jobs.lake_s3 import BucketLake  # noqa: PLC0415

        bucket, prefix = bucket_and_prefix(address.url)
        return BucketLake(address, bucket, prefix)
    scheme = address.url.partition("://")[0] if "://" in address.url else "no scheme"
    message = (
        f"the lake's URL has {scheme!r}: expected file:///folder or s3://bucket/prefix; "
        "set lake.url"
    )
    raise ConfigurationError(message)


def folder_of(url: str) -> Path:
    """Return the folder of a ``file://`` URL; a relative one is below the working directory.

    Raises:
        ConfigurationError: if the URL names no folder.
    """
    text = unquote(url.removeprefix("file://"))
    if not text or "\0" in text:
        message = f"{url!r} names no folder: expected file:///folder; set lake.url"
        raise ConfigurationError(message)
    return Path(text).absolute()


def bucket_and_prefix(url: str) -> tuple[str, str]:
    """Split an ``s3://`` URL; the prefix is empty or ends in a slash.

    Raises:
        ConfigurationError: if there is no bucket, or the URL holds credentials.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        message = (
            "the lake's URL holds credentials: expected s3://bucket/prefix; take them out of "
            "lake.url and set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
        raise ConfigurationError(message)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}", parts.netloc):
        message = f"{url!r} names no bucket: expected s3://bucket/prefix; set lake.url"
        raise ConfigurationError(message)
    prefix = url.removeprefix(f"s3://{parts.netloc}").strip("/")
    return parts.netloc, f"{prefix}/" if prefix else ""


def key_problem(key: str) -> str | None:
    """Say why a key may not be used, or None if it may.

    A backslash counts as a separator here: one of these keys copied to another machine must not
    climb out of its folder there either.
    """
    if not key:
        return "it is empty"
    if "\0" in key:
        return "it holds a NUL"
    if key.startswith(("/", "\\")):
        return "it is absolute"
    if _DOT_SEGMENTS.intersection(re.split(r"[/\\]", key)):
        return "it holds a '.' or '..' folder"
    return None


def require_key(key: str) -> None:
    """Refuse a key that could leave the lake's root.

    Raises:
        ConfigurationError: without the key, which may hold a patient's name.
    """
    problem = key_problem(key)
    if problem is not None:
        message = (
            f"a key of the lake is not usable, {problem}: expected a path below the lake's root; "
            "check lake.night_template and the name given"
        )
        raise ConfigurationError(message)
