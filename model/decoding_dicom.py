"""DICOM through pydicom 3 and its plugins: one item a frame.

Order of the questions: can it be parsed; is it positively something else (`non_diagnostic`); does
it hold pixel data (an image object without them is `unreadable`); do the declared sizes keep to
the limits and to the bytes present; only then a codec runs.
"""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import numpy.typing as npt
import pydicom
from pydicom import Dataset
from pydicom.encaps import generate_frames
from pydicom.filereader import read_dataset
from pydicom.pixels.decoders.base import Decoder, get_decoder
from pydicom.pixels.processing import apply_color_lut
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from model.decoding_guard import image_errors_only
from model.dicom_acquisition import read_acquisition
from model.dicom_attributes import FrameAttributes, read_count, read_uid, read_words
from model.dicom_levels import show_stored_values
from model.dicom_recognition import refuse_non_diagnostic
from model.errors import ImageError, TooLargeError, UnreadableError, UnsupportedError
from model.gray_levels import gray_of_colour
from model.image_headers import read_codestream_size
from model.images import DecodedImage
from model.preflight import DICOM_PREAMBLE_BYTES, DecodingLimits, check_frames, check_pixels

PIXEL_KEYWORDS: Final = ("PixelData", "FloatPixelData", "DoubleFloatPixelData")

CODESTREAM_END: Final = b"\xff\xd9"
MOST_PADDING: Final = 16
"""Bytes at the end of a compressed frame among which its end marker must be."""

META_GROUP: Final = 0x0002

Decoded: TypeAlias = tuple[npt.NDArray[Any], str]
"""Stored values, (height, width) or (height, width, 3), and their photometric interpretation."""


def decode_dicom(
    data: bytes,
    image_format: str,
    limits: DecodingLimits,
) -> Iterator[DecodedImage | ImageError]:
    """Decode a DICOM object, with or without its 128 free bytes and file meta information.

    Args:
        data: the whole object.
        image_format: ``dicom``.
        limits: see there.

    Yields:
        One item a frame: the frame, or why that frame alone cannot be shown.

    Raises:
        ImageError: if the object as a whole gives no frame; `study_uid` is set where it is known.
    """
    dataset = _parse(data, limits)
    study_uid = read_uid(dataset, "StudyInstanceUID")
    try:
        refuse_non_diagnostic(dataset)
        decoder = _choose_decoder(dataset)
        count = _check_pixel_module(dataset, decoder, limits)
    except ImageError as error:
        error.study_uid = study_uid
        raise
    for frame, decoded in enumerate(_decode_each(dataset, decoder, count)):
        try:
            if isinstance(decoded, ImageError):
                raise decoded
            with image_errors_only("showing the pixels"):
                image = _show_frame(dataset, frame, decoded, image_format, study_uid)
        except ImageError as error:
            error.frame, error.study_uid = frame, study_uid
            yield error
        else:
            yield image


def _parse(data: bytes, limits: DecodingLimits) -> Dataset:
    with image_errors_only("reading the DICOM header"):
        _check_inflated_size(data, limits)
        dataset = pydicom.dcmread(io.BytesIO(data), force=True)
    if not dataset:
        message = "truncated: no DICOM element can be read"
        raise UnreadableError(message)
    return dataset


def _check_inflated_size(data: bytes, limits: DecodingLimits) -> None:
    """Refuse a deflated object that would inflate beyond the limit; pydicom has no such limit."""
    if data[DICOM_PREAMBLE_BYTES : DICOM_PREAMBLE_BYTES + 4] != b"DICM":
        return
    stream = io.BytesIO(data)
    stream.seek(DICOM_PREAMBLE_BYTES + 4)
    meta = read_dataset(
        stream,
        is_implicit_VR=False,
        is_little_endian=True,
        stop_when=lambda tag, _vr, _length: tag.group != META_GROUP,
    )
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    inflated = inflater.decompress(stream.read(), limits.maximum_bytes + 1)
    if len(inflated) > limits.maximum_bytes:
        message = f"inflates beyond the limit of {limits.maximum_bytes} bytes"
        raise TooLargeError(message)


def _choose_decoder(dataset: Dataset) -> Decoder:
    if not any(keyword in dataset for keyword in PIXEL_KEYWORDS):
        message = "a DICOM image object without pixel data"
        raise UnreadableError(message)
    meta = getattr(dataset, "file_meta", None)
    named = read_uid(meta, "TransferSyntaxUID") if isinstance(meta, Dataset) else None
    syntax = UID(named) if named is not None else _guess_transfer_syntax(dataset)
    try:
        decoder = get_decoder(syntax)
    except NotImplementedError:
        message = "a transfer syntax that is not read (video or unknown)"
        raise UnsupportedError(message) from None
    if not decoder.is_available:
        message = "a transfer syntax without an installed decoder"
        raise UnsupportedError(message)
    return decoder


def _guess_transfer_syntax(dataset: Dataset) -> UID:
    """Without meta information the encoding that pydicom found while parsing has to do."""
    is_implicit, is_little = dataset.original_encoding
    if is_implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian


def _check_pixel_module(dataset: Dataset, decoder: Decoder, limits: DecodingLimits) -> int:
    """Compare declared sizes with the limits and with the bytes present.

    Returns:
        The declared number of frames, at least 1.
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
        _check_native_length(dataset, width * height * count)
    return count


def _check_native_length(dataset: Dataset, pixels: int) -> None:
    samples = read_count(dataset, "SamplesPerPixel") or 1
    bits = read_count(dataset, "BitsAllocated") or 0
    subsampled = "YBR_FULL_422" in read_words(dataset, "PhotometricInterpretation")
    expected = (pixels * (2 if subsampled else samples) * bits + 7) // 8
    keyword = next(keyword for keyword in PIXEL_KEYWORDS if keyword in dataset)
    with image_errors_only("reading the pixel data"):
        present = len(dataset[keyword].value or b"")
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
        # Codecs fill up what is missing with gray. JPEG and JPEG 2000 end with the same marker.
        if CODESTREAM_END not in frame[-MOST_PADDING:]:
            message = f"truncated: compressed frame {frames} breaks off"
            raise UnreadableError(message)
    if frames == 0:
        message = "a DICOM image object without a compressed frame"
        raise UnreadableError(message)


def _decode_each(dataset: Dataset, decoder: Decoder, count: int) -> Iterator[Decoded | ImageError]:
    """Decode frame after frame; one that fails does not take the others with it."""
    frames = decoder.iter_array(dataset)
    frame = 0
    while True:
        try:
            with image_errors_only("decoding"):
                decoded = next(frames, None)
        except ImageError as error:
            yield error
            frame += 1
            if frame >= count:
                return
            frames = decoder.iter_array(dataset, indices=range(frame, count))
            continue
        if decoded is None:
            break
        yield decoded[0], str(decoded[1]["photometric_interpretation"])
        frame += 1
    for _ in range(frame, count):
        message = "the file declares more frames than it holds"
        yield UnreadableError(message)


def _show_frame(
    dataset: Dataset,
    frame: int,
    decoded: Decoded,
    image_format: str,
    study_uid: str | None,
) -> DecodedImage:
    stored, photometric = decoded
    attributes = FrameAttributes(dataset, frame)
    detail: str | None = None
    colourfulness = 0.0
    if photometric == "PALETTE COLOR":
        pixels, colourfulness = gray_of_colour(apply_color_lut(stored, dataset))
    elif stored.ndim == 3:  # noqa: PLR2004 - (height, width, channels)
        pixels, colourfulness = gray_of_colour(stored)
    else:
        is_inverted = photometric == "MONOCHROME1"
        pixels, detail = show_stored_values(stored, attributes, is_inverted=is_inverted)
    return DecodedImage(
        pixels=pixels,
        original_width=pixels.shape[1],
        original_height=pixels.shape[0],
        format=image_format,
        frame=frame,
        colourfulness=colourfulness,
        study_uid=study_uid,
        acquisition=read_acquisition(attributes),
        detail=detail,
        burned_in_text=_read_burned_in(dataset),
    )


def _read_burned_in(dataset: Dataset) -> bool | None:
    answer = "".join(read_words(dataset, "BurnedInAnnotation")[:1])
    return {"YES": True, "NO": False}.get(answer)
