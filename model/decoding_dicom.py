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

import numpy as np
import numpy.typing as npt
import pydicom
from pydicom import Dataset
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
from model.dicom_attributes import FrameAttributes, read_uid, read_words
from model.dicom_levels import show_stored_values
from model.dicom_pixel_module import PIXEL_KEYWORDS, check_pixel_module, count_low_bits
from model.dicom_recognition import refuse_non_diagnostic
from model.errors import ImageError, TooLargeError, UnreadableError, UnsupportedError
from model.gray_levels import gray_of_colour
from model.images import DecodedImage
from model.preflight import DICOM_PREAMBLE_BYTES, DecodingLimits

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
        count = check_pixel_module(dataset, decoder, limits)
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


def _decode_each(dataset: Dataset, decoder: Decoder, count: int) -> Iterator[Decoded | ImageError]:
    """Decode frame after frame; one that fails does not take the others with it."""
    low_bits = count_low_bits(dataset, decoder)
    options: dict[str, Any] = {"bits_stored": int(dataset.HighBit) + 1} if low_bits else {}
    frames = decoder.iter_array(dataset, **options)
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
            frames = decoder.iter_array(dataset, indices=range(frame, count), **options)
            continue
        if decoded is None:
            break
        stored = np.right_shift(decoded[0], low_bits) if low_bits else decoded[0]
        yield stored, str(decoded[1]["photometric_interpretation"])
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
