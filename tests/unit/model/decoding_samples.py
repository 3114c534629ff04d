"""Bytes of small images for the decoding tests."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import Dataset, dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from model.decoding import DecodingLimits, decode_object
from model.errors import ImageError
from model.images import DecodedImage

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
STUDY = "1.2.826.0.1.3680043.8.498.1"

LIMITS = DecodingLimits(maximum_bytes=2**24, maximum_pixels=2**22, maximum_frames=50)


def encode(pixels: npt.NDArray[Any], image_format: str, **options: object) -> bytes:
    """Encode an array with Pillow."""
    return save(Image.fromarray(pixels), image_format, **options)


def save(image: Image.Image, image_format: str, **options: object) -> bytes:
    """Encode a Pillow image."""
    buffer = io.BytesIO()
    image.save(buffer, format=image_format, **options)
    return buffer.getvalue()


def make_slice(pixels: npt.NDArray[Any], **attributes: object) -> Dataset:
    """Make an MR slice of (height, width) or (frames, height, width) integers."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID = MR_IMAGE
    dataset.SOPInstanceUID = f"{STUDY}.1"
    dataset.StudyInstanceUID = STUDY
    dataset.Modality = "MR"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.BitsAllocated = dataset.BitsStored = pixels.dtype.itemsize * 8
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(pixels.dtype.kind == "i")
    dataset.PixelData = pixels.tobytes()
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def write(dataset: Dataset) -> bytes:
    """Write a data set as a DICOM file."""
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def bundled(name: str) -> bytes:
    """Read one of the files that pydicom carries."""
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str), f"pydicom does not carry {name}"
    return Path(path).read_bytes()


def bundled_as_mr(name: str) -> bytes:
    """Read a file that pydicom carries and say that it is an MR image."""
    dataset = dcmread(io.BytesIO(bundled(name)))
    dataset.SOPClassUID = UID(MR_IMAGE)
    dataset.Modality = "MR"
    if "BodyPartExamined" in dataset:
        del dataset.BodyPartExamined
    buffer = io.BytesIO()
    dataset.save_as(buffer)
    return buffer.getvalue()


def decode_all(data: bytes, limits: DecodingLimits = LIMITS) -> list[DecodedImage | ImageError]:
    """Decode, taking the error of the whole object as its only item."""
    try:
        return list(decode_object(data, limits))
    except ImageError as error:
        return [error]


def decode_one(data: bytes, limits: DecodingLimits = LIMITS) -> DecodedImage:
    """Decode an object that holds exactly one readable frame."""
    (image,) = decode_object(data, limits)
    assert isinstance(image, DecodedImage), image
    return image


def ramp(height: int = 64, width: int = 48) -> npt.NDArray[np.uint8]:
    """Gray levels from 0 at the top left to 255 at the bottom right."""
    return np.linspace(0, 255, height * width).reshape(height, width).astype(np.uint8)
