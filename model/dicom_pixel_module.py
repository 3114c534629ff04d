"""What a DICOM header declares of its pixels, held against the limits and the bytes present.

All of it is read before a codec runs.
"""

from __future__ import annotations

from typing import Final

from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.pixels.decoders.base import Decoder
from pydicom.uid import RLELossless

from model.decoding_guard import image_errors_only
from model.dicom_attributes import read_count, read_words
from model.errors import UnreadableError
from model.image_headers import JPEG_START, read_codestream_size
from model.jpeg_segments import check_jpeg_segments
from model.preflight import DecodingLimits, check_frames, check_pixels

PIXEL_KEYWORDS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

CODESTREAM_END: Final = b"\xff\xd9"
MOST_PADDING: Final = 16
"""Bytes at the end of a compressed frame among which its end marker must be."""

COMPRESSED_BITS: Final = frozenset({RLELossless})
"""Syntaxes that compress bytes as they are; the other codecs hand over values."""

JPEG_2000_GAP: Final = bytes(64)
"""A part of a codestream that was never written. Empty packets are single zero bytes, of which
some dozen may stand together."""


def check_pixel_module(dataset: Dataset, decoder: Decoder, limits: DecodingLimits) -> int:
    """Compare declared sizes with the limits and with the bytes present.

    Returns:
        The declared number of frames, at least 1.

    Raises:
        UnreadableError: if the declarations contradict the bytes.
        TooLargeError: if they are over a limit.
    """
    height, width = read_count(dataset, "Rows"), read_count(dataset, "Columns")
    if height is None or width is None:
        message = "rows or columns are missing"
        raise UnreadableError(message)
    check_pixels(width, height, limits)
    count = max(1, read_count(dataset, "NumberOfFrames") or 1)
    check_frames(count, limits)
    if decoder.is_encapsulated:
        with image_errors_only("reading the compressed frames"):
            _check_codestreams(dataset, count, limits)
    else:
        _check_native(dataset, width * height * count)
    return count


def count_low_bits(dataset: Dataset, decoder: Decoder) -> int:
    """Return how many bits lie below the lowest one of a stored value.

    Since 2007 the standard wants none (PS3.5, 8.1.1); older files put 12 bits at the top of 16,
    which pydicom takes for the 12 at the bottom.
    """
    allocated, stored, high = (
        read_count(dataset, name) or 0 for name in ("BitsAllocated", "BitsStored", "HighBit")
    )
    holds_bits = not decoder.is_encapsulated or decoder.UID in COMPRESSED_BITS
    if not holds_bits or "PixelData" not in dataset or not 0 < stored <= high < allocated:
        return 0
    return high + 1 - stored


def _check_native(dataset: Dataset, pixels: int) -> None:
    samples = read_count(dataset, "SamplesPerPixel") or 1
    bits = read_count(dataset, "BitsAllocated") or 0
    subsampled = "YBR_FULL_422" in read_words(dataset, "PhotometricInterpretation")
    expected = (pixels * (2 if subsampled else samples) * bits + 7) // 8
    keyword = next(keyword for keyword in PIXEL_KEYWORDS if keyword in dataset)
    with image_errors_only("reading the pixel data"):
        element = dataset[keyword]
        present = len(element.value or b"")
    if element.is_undefined_length:  # only compressed frames are stored so (PS3.5, A.4)
        message = "compressed pixel data, but the file does not say how"
        raise UnreadableError(message)
    if present < expected:
        message = f"truncated: {present} of {expected} bytes of pixel data"
        raise UnreadableError(message)


def _check_codestreams(dataset: Dataset, count: int, limits: DecodingLimits) -> None:
    """Judge the size that each compressed frame declares by itself; codecs believe only that."""
    frames = 0
    for frame in generate_frames(dataset.PixelData, number_of_frames=count):
        frames += 1
        check_frames(frames, limits)
        declared = read_codestream_size(frame)
        if declared is None:
            continue
        check_pixels(declared.width, declared.height, limits)
        _check_whole(frame, frames)
    if frames == 0:
        message = "a DICOM image object without a compressed frame"
        raise UnreadableError(message)


def _check_whole(frame: bytes, number: int) -> None:
    """Refuse a frame that breaks off or has a gap: codecs fill up what is missing with gray."""
    # JPEG and JPEG 2000 end with the same marker.
    if CODESTREAM_END not in frame[-MOST_PADDING:]:
        message = f"truncated: compressed frame {number} breaks off"
        raise UnreadableError(message)
    if frame.startswith(JPEG_START):
        check_jpeg_segments(frame)
    elif JPEG_2000_GAP in frame:
        message = f"damaged: a part of compressed frame {number} is all zeros"
        raise UnreadableError(message)
