"""A lake in a bucket, on AWS or on any server that speaks S3."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ReadTimeoutError

from jobs.lake import LakeAddress, LakeObject, PreconditionFailedError, key_problem, require_key
from jobs.s3_errors import (
    FAILED_CONDITIONS,
    MISSING_OBJECTS,
    STORAGE_FAULTS,
    code_of,
    missing_folder,
    object_error,
    storage_error,
)
from jobs.s3_uploads import put_in_one, put_in_parts
from model.errors import NotRetrievedError, TriageError

if TYPE_CHECKING:
    from botocore.response import StreamingBody
    from mypy_boto3_s3.client import S3Client

SINGLE_PUT_BYTES: Final = 64 * 1024 * 1024
"""Larger objects go up in parts: one lost connection then costs one part."""

BODY_BACK_OFF_SECONDS: Final = 0.5
"""Grows with every attempt (0, 0.5, 1.5, 3.5 ... seconds) after a connection lost half-way."""

PIECE_BYTES: Final = 4096
SLOWEST_BYTES_A_SECOND: Final = 50_000
"""An object that arrives more slowly, the read time-out apart, is given up: a night has an end."""

BAD_REQUEST: Final = "400"

PAGE_OBJECTS: Final = 1000
"""The most that S3 lists in one answer."""

_CONNECTIONS: Final = 32  # at least the fetch threads of a worker


class BucketLake:
    """See `jobs.lake.Lake`. Safe to use from several threads; open one in each process."""

    def __init__(self, address: LakeAddress, bucket: str, prefix: str) -> None:
        """Make a client; nothing is requested yet.

        Raises:
            ConfigurationError: if the endpoint or the region is no such thing.
        """
        self.address = address
        self._bucket = bucket
        self._prefix = prefix
        self._place = address.options.endpoint_url or "AWS S3"
        try:
            self._client = _make_client(address)
        except (BotoCoreError, ValueError) as error:
            raise self._translate(error) from error

    def require(self, prefix: str = "") -> None:
        """See `Lake.require`. An empty bucket is a lake; an empty folder of it does not exist."""
        if prefix:
            require_key(prefix)
        try:
            page = self._client.list_objects_v2(
                Bucket=self._bucket,
                Prefix=self._prefix + prefix,
                MaxKeys=1,
            )
        except STORAGE_FAULTS as error:
            raise self._translate(error) from error
        if prefix and not page.get("Contents"):
            raise missing_folder(self.locate(prefix))

    def list_objects(self, prefix: str) -> Iterator[LakeObject]:
        """See `Lake.list_objects`. The markers that some tools leave for folders are listed too."""
        if prefix:
            require_key(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket,
            Prefix=self._prefix + prefix,
            PaginationConfig={"PageSize": PAGE_OBJECTS},
        )
        try:
            for page in pages:
                for item in page.get("Contents", []):
                    key = item["Key"].removeprefix(self._prefix)
                    yield LakeObject(key, item["ETag"].strip('"'), item["Size"])
        except STORAGE_FAULTS as error:
            raise self._translate(error) from error

    def read(self, key: str, etag: str | None = None) -> bytes:
        """See `Lake.read`."""
        problem = key_problem(key)
        if problem is not None:
            message = f"the object's key is not usable, {problem}"
            raise NotRetrievedError(message)
        condition: dict[str, Any] = {} if etag is None else {"IfMatch": f'"{etag}"'}
        last: Exception | None = None
        for attempt in range(self.address.options.attempts):
            time.sleep(BODY_BACK_OFF_SECONDS * (2**attempt - 1))
            try:
                answer = self._client.get_object(
                    Bucket=self._bucket,
                    Key=self._prefix + key,
                    **condition,
                )
            except STORAGE_FAULTS as error:
                raise object_error(error, self._place, self._bucket) from error
            try:
                # botocore retries requests, but not a connection lost in the middle of the body.
                return self._read_body(answer["Body"], answer["ContentLength"])
            except BotoCoreError as error:
                last = error
        raise self._translate(last or ValueError("no attempt was made")) from last

    def head(self, key: str) -> LakeObject | None:
        """See `Lake.head`."""
        require_key(key)
        answer = self._head(key)
        if answer is None:
            return None
        return LakeObject(key, answer["ETag"].strip('"'), answer["ContentLength"])

    def write(
        self,
        key: str,
        data: bytes | Path,
        *,
        if_absent: bool = False,
        if_match: str | None = None,
    ) -> str:
        """See `Lake.write`."""
        require_key(key)
        if if_absent or if_match is not None:
            self._check_first(key, if_absent=if_absent, if_match=if_match)
        condition: dict[str, Any] = {"IfNoneMatch": "*"} if if_absent else {}
        if if_match is not None:
            condition["IfMatch"] = f'"{if_match}"'
        token = uuid.uuid4().hex
        target = {"Bucket": self._bucket, "Key": self._prefix + key}
        size = data.stat().st_size if isinstance(data, Path) else len(data)
        put = put_in_one if size <= SINGLE_PUT_BYTES else put_in_parts
        try:
            return put(self._client, target, data, condition, token)
        except ClientError as error:
            if code_of(error) not in FAILED_CONDITIONS:
                raise self._translate(error, writing=True) from error
            return self._own_write(key, token, error)
        except STORAGE_FAULTS as error:
            raise self._translate(error, writing=True) from error

    def delete(self, key: str) -> None:
        """See `Lake.delete`."""
        require_key(key)
        try:
            self._client.delete_object(Bucket=self._bucket, Key=self._prefix + key)
        except STORAGE_FAULTS as error:
            raise self._translate(error, writing=True) from error

    def locate(self, key: str) -> str:
        """See `Lake.locate`."""
        require_key(key)
        # A line break or an escape sequence in a key must not reach a terminal.
        shown = "".join(one if one.isprintable() else quote(one) for one in key)
        return f"s3://{self._bucket}/{self._prefix}{shown}"

    def _read_body(self, body: StreamingBody, size: int) -> bytes:
        options = self.address.options
        allowed = options.read_timeout_seconds + size / SLOWEST_BYTES_A_SECOND
        deadline = time.monotonic() + allowed
        received = bytearray()
        # The read time-out holds for one answer of the socket; a trickle never exceeds it.
        for piece in body.iter_chunks(PIECE_BYTES):
            received += piece
            if len(received) < size and time.monotonic() > deadline:
                body.close()
                raise ReadTimeoutError(endpoint_url=self._place)
        return bytes(received)

    def _head(self, key: str) -> dict[str, Any] | None:
        try:
            return dict(self._client.head_object(Bucket=self._bucket, Key=self._prefix + key))
        except ClientError as error:
            if code_of(error) in MISSING_OBJECTS:
                return None
            if code_of(error) == BAD_REQUEST:
                # An answer to HEAD has no body that could say why, as with expired credentials.
                self.require()
            raise self._translate(error) from error
        except STORAGE_FAULTS as error:
            raise self._translate(error) from error

    def _check_first(self, key: str, *, if_absent: bool, if_match: str | None) -> None:
        """Look before a conditional write: some servers ignore conditions, some for parts only."""
        found = self.head(key)
        if (if_absent and found is not None) or (
            if_match is not None and (found is None or found.etag != if_match)
        ):
            raise _failed_condition()

    def _own_write(self, key: str, token: str, error: ClientError) -> str:
        """Return the etag if the object that failed the condition is this very write.

        A first attempt may have succeeded while its answer got lost; the retry then meets its own
        object.
        """
        found = self._head(key)
        if found is not None and found.get("Metadata", {}).get("write-token") == token:
            return str(found["ETag"]).strip('"')
        raise _failed_condition() from error

    def _translate(self, error: Exception, *, writing: bool = False) -> TriageError:
        return storage_error(error, self._place, self._bucket, writing=writing)


def _make_client(address: LakeAddress) -> S3Client:
    options = address.options
    own_server = options.endpoint_url is not None
    config = Config(
        connect_timeout=options.connect_timeout_seconds,
        read_timeout=options.read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": options.attempts},
        max_pool_connections=_CONNECTIONS,
        # Servers other than AWS seldom have a host name for each bucket, and older ones refuse
        # the checksums that boto3 adds by default.
        s3={"addressing_style": "path" if own_server else "auto"},
        request_checksum_calculation="when_required" if own_server else "when_supported",
        response_checksum_validation="when_required" if own_server else "when_supported",
    )
    # A session of its own: making a client from the shared default one is not thread-safe.
    return boto3.session.Session().client(
        "s3",
        endpoint_url=options.endpoint_url,
        region_name=options.region,
        config=config,
    )


def _failed_condition() -> PreconditionFailedError:
    message = (
        "the object was not written: it was created, changed or removed by another writer; read "
        "it again before writing"
    )
    return PreconditionFailedError(message)
