"""DICOM objects that name a person wherever the format has room for text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from pydicom import DataElement, Dataset, config, dcmwrite
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from tests.privacy.identity import BIRTH_DATE, FAMILY, GIVEN, MIDDLE, PATIENT_ID, PERSON_NAME

LINE: Final = f"{FAMILY} {GIVEN} {MIDDLE} {PATIENT_ID} {BIRTH_DATE}"

TEXTS: Final[Mapping[str, str]] = {
    "PN": PERSON_NAME,
    "LO": LINE,
    "SH": PATIENT_ID,
    "AE": FAMILY.upper(),
    "CS": f"{FAMILY} {GIVEN}"[:16].upper(),
    "ST": LINE,
    "LT": LINE,
    "UT": LINE,
    "UC": LINE,
    "UR": f"file:///archive/{FAMILY}/{PATIENT_ID}",
    "DA": BIRTH_DATE,
    "DT": f"{BIRTH_DATE}120000",
}
"""What is written into an element of each textual kind (value representation)."""

DECIDING: Final = frozenset(
    {
        "BodyPartExamined",
        "ImageType",
        "Modality",
        "PhotometricInterpretation",
        "PixelPresentation",
        "PresentationLUTShape",
        "RescaleType",
        "SpecificCharacterSet",
        "VOILUTFunction",
    },
)
"""Words that decide how, or whether, a slice is read; each has a file of its own."""

BREAKING: Final = (
    "BodyPartExamined",
    "ImageType",
    "Modality",
    "PhotometricInterpretation",
    "SpecificCharacterSet",
    "BurnedInAnnotation",
    "NumberOfFrames",
    "PixelSpacing",
    "RescaleSlope",
    "WindowCenter",
    "MagneticFieldStrength",
    "StudyInstanceUID",
    "SOPClassUID",
)
"""Elements that are read, and that hold the name instead of what belongs there."""


def planted_dicoms() -> Iterator[tuple[str, bytes]]:
    """Yield a name and the bytes of each object."""
    whole = write(every_text(make_slice()))
    yield "every-text-field", whole
    yield "every-text-field-compressed", write(every_text(make_slice()), compress=True)
    yield "meta-and-preamble", write(make_slice(), meta=planted_meta(), preamble=True)
    yield "truncated-in-the-header", whole[: len(whole) // 2]
    yield "truncated-in-the-pixels", write(make_slice())[:-200]
    yield "bad-transfer-syntax", write(make_slice(), meta=planted_syntax())
    yield "garbage-between-elements", whole[:4000] + LINE.encode() * 9 + whole[4000:]
    yield "without-magic", write(make_slice())[132:]
    yield "too-many-pixels", write(make_slice(Rows=65000, Columns=65000))
    for keyword in BREAKING:
        yield f"name-in-{keyword}", write(break_element(make_slice(), keyword), implicit=True)


def make_slice(**attributes: object) -> Dataset:
    """Make a slice that the network can score, with the usual identifying fields."""
    values = np.linspace(0, 4000, 96 * 96).reshape(96, 96).astype("<u2")
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
    dataset.SOPInstanceUID = f"1.2.826.0.1.3680043.8.498.{BIRTH_DATE}.1"
    dataset.StudyInstanceUID = f"1.2.826.0.1.3680043.8.498.{BIRTH_DATE}"
    dataset.Modality = "MR"
    dataset.PatientName, dataset.PatientID = PERSON_NAME, PATIENT_ID
    dataset.PatientBirthDate = BIRTH_DATE
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.Rows, dataset.Columns = values.shape
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = values.tobytes()
    dataset["PixelData"].VR = "OW"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    return dataset


def every_text(dataset: Dataset) -> Dataset:
    """Write the person into every text field there is: standard, private, nested."""
    fill_texts(dataset)
    fill_private(dataset)
    inner, innermost = Dataset(), Dataset()
    for item in (inner, innermost):
        fill_texts(item)
        fill_private(item)
    inner.ReferencedImageSequence = [innermost]
    dataset.RequestAttributesSequence = [inner]
    dataset.SharedFunctionalGroupsSequence = [inner]
    return dataset


def fill_texts(dataset: Dataset) -> None:
    """Fill every element of the dictionary that holds text and decides nothing."""
    for tag, (kind, _, _, _, keyword) in DicomDictionary.items():
        is_data = 0x0008 <= tag >> 16 < 0x7FE0  # no command, no file meta
        if is_data and kind in TEXTS and keyword not in DECIDING:
            dataset.add(element(tag, kind, TEXTS[kind]))
    dataset.add(element(0x60000022, "LO", LINE))  # overlay description, of a repeating group
    dataset.add(element(0x60001500, "LO", LINE))


def fill_private(dataset: Dataset) -> None:
    """Add private elements, one of them a sequence."""
    block = dataset.private_block(0x0029, LINE[:64], create=True)
    block.add_new(0x01, "LO", LINE)
    block.add_new(0x02, "PN", PERSON_NAME)
    block.add_new(0x03, "UN", LINE.encode())
    block.add_new(0x04, "OB", LINE.encode("utf-16-le"))
    nested = Dataset()
    nested.PatientComments = LINE
    block.add_new(0x05, "SQ", [nested])


def break_element(dataset: Dataset, keyword: str) -> Dataset:
    """Put the person where a number, a UID or a defined term belongs."""
    tag = next(tag for tag, entry in DicomDictionary.items() if entry[4] == keyword)
    dataset[tag] = element(tag, "LO", LINE)
    return dataset


def element(tag: int, kind: str, text: str) -> DataElement:
    """Make an element without asking whether the text fits it."""
    return DataElement(tag, kind, text, validation_mode=config.IGNORE)


def planted_meta() -> FileMetaDataset:
    """Make file meta information that holds the person too."""
    meta = FileMetaDataset()
    meta.ImplementationVersionName = PATIENT_ID
    meta.SourceApplicationEntityTitle = FAMILY
    meta.SendingApplicationEntityTitle = GIVEN
    meta.ReceivingApplicationEntityTitle = FAMILY
    meta.PrivateInformationCreatorUID = UID("1.2.3")
    meta.PrivateInformation = LINE.encode()
    return meta


def planted_syntax() -> FileMetaDataset:
    """Make file meta information whose transfer syntax is the person."""
    meta = FileMetaDataset()
    meta.add(element(0x00020010, "UI", LINE))
    return meta


def write(
    dataset: Dataset,
    *,
    meta: FileMetaDataset | None = None,
    compress: bool = False,
    implicit: bool = False,
    preamble: bool = False,
) -> bytes:
    """Write an object, asking nothing."""
    dataset.file_meta = meta or FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = UID("1.2.840.10008.5.1.4.1.1.4")
    dataset.file_meta.MediaStorageSOPInstanceUID = UID("1.2.3.4")
    syntax = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    if "TransferSyntaxUID" not in dataset.file_meta:
        dataset.file_meta.TransferSyntaxUID = syntax
    if compress:
        dataset.compress(RLELossless, generate_instance_uid=False)
    dataset.preamble = (LINE.encode()[:128].ljust(128, b" ")) if preamble else bytes(128)
    buffer = io.BytesIO()
    mode, config.settings.writing_validation_mode = (
        config.settings.writing_validation_mode,
        config.IGNORE,
    )
    try:
        dcmwrite(
            buffer,
            dataset,
            implicit_vr=implicit,
            little_endian=True,
            force_encoding=True,
            enforce_file_format=False,
        )
    finally:
        config.settings.writing_validation_mode = mode
    return buffer.getvalue()
