"""What the storage answered, as the project's errors.

The answers are quoted by their code only: their text may hold the object's key.
"""

from __future__ import annotations

from typing import Final

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    HTTPClientError,
    InvalidRegionError,
    NoCredentialsError,
    NoRegionError,
    ParamValidationError,
    PartialCredentialsError,
    ProfileNotFound,
    ResponseStreamingError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError

from model.errors import (
    AccessDeniedError,
    ConfigurationError,
    LakeNotFoundError,
    NotRetrievedError,
    OutputError,
    StorageUnavailableError,
    TriageError,
)

STORAGE_FAULTS: Final = (BotoCoreError, ClientError, ResponseParserError)
"""Whatever a request may raise; the last one when the endpoint is no S3 server at all."""

MISSING_OBJECTS: Final = frozenset({"404", "NoSuchKey", "NotFound"})
FAILED_CONDITIONS: Final = frozenset(
    # NoSuchKey: If-Match on an object that is gone. 409: another conditional write is under way.
    {"412", "PreconditionFailed", "409", "ConditionalRequestConflict", "NoSuchKey"},
)

_REFUSED_CREDENTIALS: Final = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidToken",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnauthorizedAccess",
    },
)
_REFUSED: Final = frozenset({"403", "AccessDenied", "AllAccessDisabled", "AccountProblem", "401"})
_NO_BUCKET: Final = frozenset(
    # The last four: there is one of that name, but in another region.
    {
        "NoSuchBucket",
        "404",
        "InvalidBucketName",
        "PermanentRedirect",
        "301",
        "AuthorizationHeaderMalformed",
        "IllegalLocationConstraintException",
    },
)
_BUSY: Final = frozenset(
    {"SlowDown", "RequestTimeout", "RequestTimeoutException", "Throttling", "TooManyRequests"},
)
_FULL: Final = frozenset(
    # MinIO, Ceph and others; S3 itself is never full.
    {
        "507",
        "InsufficientStorage",
        "QuotaExceeded",
        "XMinioAdminBucketQuotaExceeded",
        "XMinioStorageFull",
    },
)
_CREDENTIAL_ERRORS: Final = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    TokenRetrievalError,
    ProfileNotFound,
)
_SETTING_ERRORS: Final = (ValueError, ParamValidationError, InvalidRegionError, NoRegionError)
_SERVER_FAULT: Final = 500
_TOO_MANY_REQUESTS: Final = 429


def code_of(error: ClientError) -> str:
    """Return S3's error code; for an answer without a body the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def storage_error(error: Exception, place: str, bucket: str, *, writing: bool) -> TriageError:
    """Return the project's error for a request that concerns the lake as a whole.

    Args:
        error: what boto3 raised.
        place: the endpoint, for the message.
        bucket: for the message.
        writing: whether the request was to change something.
    """
    if isinstance(error, ClientError):
        return _answer_error(error, place, bucket, writing=writing)
    if isinstance(error, _CREDENTIAL_ERRORS):
        return _credentials(place, type(error).__name__)
    if isinstance(error, HTTPClientError | ResponseStreamingError):
        return _unavailable(place, type(error).__name__)
    if isinstance(error, _SETTING_ERRORS):
        message = (
            f"the storage settings are not usable ({type(error).__name__}): expected an endpoint "
            f"like https://objects.hospital.example and a region; found endpoint {place!r}; set "
            "lake.endpoint_url and lake.region"
        )
        return ConfigurationError(message)
    return _unavailable(place, type(error).__name__)


def object_error(error: Exception, place: str, bucket: str) -> TriageError:
    """Return the project's error for reading one object: a fault of its own is a flagged row."""
    if isinstance(error, ClientError):
        code = code_of(error)
        lakes_fault = code in _REFUSED_CREDENTIALS | _NO_BUCKET and code not in MISSING_OBJECTS
        if not lakes_fault and not _is_busy(error):
            return NotRetrievedError(f"the storage did not give the object out: {code}")
    return storage_error(error, place, bucket, writing=False)


def missing_folder(location: str) -> LakeNotFoundError:
    """Return the error for a folder of a bucket that holds nothing."""
    message = (
        f"nothing lies in {location}: expected the folders of the nights there; check lake.url "
        "and lake.night_template"
    )
    return LakeNotFoundError(message)


def _answer_error(error: ClientError, place: str, bucket: str, *, writing: bool) -> TriageError:
    code = code_of(error)
    if code in _REFUSED_CREDENTIALS:
        return _credentials(place, code)
    if code in _REFUSED:
        right = "write" if writing else "list and read"
        message = (
            f"{place} refuses access to bucket {bucket!r} ({code}): expected credentials that may "
            f"{right}; check AWS_ACCESS_KEY_ID and the bucket's policy"
        )
        return AccessDeniedError(message)
    if code == "NotImplemented":
        message = (
            f"{place} does not implement a request that this job needs (conditional writes, "
            "parts): expected an S3 server that does; update it, or use another lake"
        )
        return ConfigurationError(message)
    if _is_busy(error):
        return _unavailable(place, code)
    return _bucket_error(code, place, bucket, writing=writing)


def _bucket_error(code: str, place: str, bucket: str, *, writing: bool) -> TriageError:
    if code in _FULL:
        message = (
            f"{place} has no room for bucket {bucket!r} ({code}): expected free space; free some, "
            "or raise the bucket's quota, then start again: finished shards are kept"
        )
        return OutputError(message)
    if code in _NO_BUCKET:
        message = (
            f"no bucket {bucket!r} at {place} ({code}): expected the data lake there; check "
            "lake.url, lake.endpoint_url and lake.region"
        )
        return LakeNotFoundError(message)
    kind = OutputError if writing else ConfigurationError
    message = (
        f"{place} answered {code!r} for bucket {bucket!r}: expected the request to be accepted; "
        "check the server's log, the bucket's quota and its policy"
    )
    return kind(message)


def _is_busy(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code = code_of(error)
    if code in _FULL:  # waiting makes no room
        return False
    return code in _BUSY or status >= _SERVER_FAULT or status == _TOO_MANY_REQUESTS


def _credentials(place: str, cause: str) -> AccessDeniedError:
    message = (
        f"{place} does not accept the credentials ({cause}): expected valid ones in "
        "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (AWS_SESSION_TOKEN if they are temporary); "
        "set them for this process and check the machine's clock"
    )
    return AccessDeniedError(message)


def _unavailable(place: str, cause: str) -> StorageUnavailableError:
    message = (
        f"the object storage at {place} did not answer ({cause}), after all retries: expected an "
        "S3 server; check that it runs, lake.endpoint_url, the network and the proxy, then start "
        "again: finished shards are kept"
    )
    return StorageUnavailableError(message)
