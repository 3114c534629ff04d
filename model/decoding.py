"""From an object's bytes to gray pixels: one item a frame.

Only `ImageError` ever leaves `decode_object`, whatever the bytes: one bad image is one flagged
row. Native crashes, hangs and memory cannot be caught here; jobs/decoding_pool.py runs this in a
process of its own for that reason.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from model.decoding_dicom import decode_dicom
from model.decoding_nifti import decode_nifti
from model.decoding_raster import decode_raster
from model.errors import ImageError
from model.images import DecodedImage
from model.preflight import DecodingLimits, check_bytes, identify_format

__all__ = ["DecodingLimits", "decode_object", "silence_libraries"]

_CHATTY_LOGGERS = ("pydicom", "PIL")
_SILENT = logging.CRITICAL + 1


def decode_object(data: bytes, limits: DecodingLimits) -> Iterator[DecodedImage | ImageError]:
    """Decode every frame of an object.

    The format is told by the magic bytes. Pixels come out as a viewer shows them: inverted where
    black is stored as the highest value, the file's window applied, turned as EXIF asks.
    Animations give their first frame and say so; pages, DICOM frames and the slices of a NIfTI
    volume give one item each.

    Args:
        data: the whole object.
        limits: what the object may ask for.

    Yields:
        A decoded frame, or the error of one frame among others, in the order of the frames.
        Errors carry `format`, `frame` and `study_uid` as far as those are known.

    Raises:
        ImageError: if the object as a whole cannot be opened. Messages hold fixed phrases and
            numbers only, never anything that was read from the file as text.
    """
    check_bytes(data, limits)
    image_format = identify_format(data)
    decode = {"dicom": decode_dicom, "nifti": decode_nifti}.get(image_format, decode_raster)
    frames = decode(data, image_format, limits)
    while True:
        try:
            with _quiet_libraries():
                frame = next(frames, None)
        except ImageError as error:
            error.format = image_format
            raise
        if frame is None:
            return
        if isinstance(frame, ImageError):
            frame.format = image_format
        yield frame


def silence_libraries() -> None:
    """Silence the decoders' logs for good: a process that does nothing else decodes faster so."""
    for name in _CHATTY_LOGGERS:
        logging.getLogger(name).setLevel(_SILENT)


@contextmanager
def _quiet_libraries() -> Iterator[None]:
    """Silence warnings and logs of the decoders: they quote what stands in a patient's file."""
    chatty = [one for one in map(logging.getLogger, _CHATTY_LOGGERS) if one.level != _SILENT]
    levels = [logger.level for logger in chatty]
    for logger in chatty:
        logger.setLevel(_SILENT)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(chatty, levels, strict=True):
            logger.setLevel(level)
