"""The two ways to put an object into a bucket, both atomic: one request, or parts completed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client
    from mypy_boto3_s3.type_defs import CompletedPartTypeDef

PART_BYTES: Final = 16 * 1024 * 1024
MAXIMUM_PARTS: Final = 10_000  # of S3


def put_in_one(
    client: S3Client,
    target: Mapping[str, str],
    data: bytes | Path,
    condition: Mapping[str, Any],
    token: str,
) -> str:
    """Upload with one request and return the etag.

    Args:
        client: of boto3.
        target: Bucket and Key.
        data: the bytes, or a local file.
        condition: IfNoneMatch or IfMatch, or nothing.
        token: kept with the object, so that a retry recognises its own write.
    """
    content = data.read_bytes() if isinstance(data, Path) else data
    answer = client.put_object(
        Bucket=target["Bucket"],
        Key=target["Key"],
        Body=content,
        Metadata={"write-token": token},
        **condition,
    )
    return answer["ETag"].strip('"')


def put_in_parts(
    client: S3Client,
    target: Mapping[str, str],
    data: bytes | Path,
    condition: Mapping[str, Any],
    token: str,
) -> str:
    """Upload part by part, complete under the condition, and return the etag.

    Arguments as of `put_in_one`. A failed upload is aborted: unfinished parts cost storage.
    """
    where = {"Bucket": target["Bucket"], "Key": target["Key"]}
    upload_id = client.create_multipart_upload(
        Bucket=where["Bucket"],
        Key=where["Key"],
        Metadata={"write-token": token},
    )["UploadId"]
    try:
        parts: list[CompletedPartTypeDef] = []
        for number, part in enumerate(_parts(data), start=1):
            answer = client.upload_part(
                Bucket=where["Bucket"],
                Key=where["Key"],
                UploadId=upload_id,
                PartNumber=number,
                Body=part,
            )
            parts.append({"ETag": answer["ETag"], "PartNumber": number})
        completed = client.complete_multipart_upload(
            Bucket=where["Bucket"],
            Key=where["Key"],
            UploadId=upload_id,
            MultipartUpload={"Parts": parts},
            **condition,
        )
        return completed["ETag"].strip('"')
    except BaseException:
        with contextlib.suppress(BotoCoreError, ClientError):
            client.abort_multipart_upload(
                Bucket=where["Bucket"],
                Key=where["Key"],
                UploadId=upload_id,
            )
        raise


def part_size(total_bytes: int) -> int:
    """Return how large a part must be so that the number of parts stays within S3's limit."""
    return max(PART_BYTES, -(-total_bytes // MAXIMUM_PARTS))


def _parts(data: bytes | Path) -> Iterator[bytes]:
    if isinstance(data, Path):
        size = part_size(data.stat().st_size)
        with data.open("rb") as file:
            read: Callable[[], bytes] = lambda: file.read(size)  # noqa: E731
            yield from iter(read, b"")
        return
    size = part_size(len(data))
    for start in range(0, len(data), size):
        yield data[start : start + size]
