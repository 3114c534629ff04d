"""Decode an object in the decoding process and hand back all pixels, for its explanation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from jobs.decoding_messages import ImageFailure
from jobs.decoding_pool import DecodingPool
from model.errors import ImageError
from model.images import DecodedImage

KEEP_IMAGE: Final = "jobs.decoding_whole:keep_image"
"""What a pool for `decode_whole` is to do in place of the preprocessing."""


def keep_image(image: DecodedImage, _: object) -> DecodedImage:
    """Return the image as it was decoded."""
    return image


def decode_whole(pool: DecodingPool, data: bytes) -> Iterator[DecodedImage | ImageError]:
    """Yield the frames of one object, in order, with all their pixels.

    Args:
        pool: made with `KEEP_IMAGE`.
        data: the whole object.
    """
    for _, results in pool.decode_all([(None, data)]):
        for result in results:
            if isinstance(result, ImageFailure):
                yield _error_of(result)
            else:
                yield cast("DecodedImage", result.prepared)


def _error_of(failure: ImageFailure) -> ImageError:
    error = ImageError(failure.detail)
    error.format, error.frame, error.study_uid = failure.format, failure.frame, failure.study_uid
    return error
