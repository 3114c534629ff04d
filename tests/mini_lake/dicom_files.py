"""DICOM files of invented persons: MR slices, and the other things that travel beside them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from io import BytesIO
from typing import Final

from pydicom import Dataset, FileDataset, dcmwrite
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    UID,
    BasicTextSRStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    JPEGLSLossless,
    MRImageStorage,
    RLELossless,
)

from tests.mini_lake.anatomy import Field, Plane
from tests.mini_lake.contrasts import Contrast
from tests.mini_lake.encoding import scale_pixels

_BITS_STORED: Final = 12
_IMPLEMENTATION: Final = "mri-triage mini lake"

# PS3.3 C.7.6.2.1.1: direction of a row, then of a column, in the patient (left, back, head).
_ORIENTATIONS: Final = {
    Plane.AXIAL: [1, 0, 0, 0, 1, 0],
    Plane.CORONAL: [1, 0, 0, 0, 0, -1],
    Plane.SAGITTAL: [0, 1, 0, 0, 0, -1],
}
# Series description, scanning sequence, repetition, echo and inversion times in milliseconds.
_PROTOCOLS: Final = {
    Contrast.T1: ("T1 SE", "SE", 550.0, 12.0, None),
    Contrast.T1_CONTRAST: ("T1 SE POST CONTRAST", "SE", 550.0, 12.0, None),
    Contrast.T2: ("T2 TSE", "SE", 4200.0, 98.0, None),
    Contrast.FLAIR: ("T2 FLAIR", ["SE", "IR"], 9000.0, 110.0, 2500.0),
}


@dataclass(frozen=True)
class Scanner:
    """A scanner: maker as real files write it, model invented."""

    manufacturer: str
    model: str
    field_strength_tesla: float


@dataclass(frozen=True)
class Examination:
    """One invented examination.

    Attributes:
        name: the study folder's name; all identifiers follow from it.
        patient_name: DICOM person name, invented.
        patient_id: invented.
        date: YYYYMMDD.
        scanner: where it was done.
    """

    name: str
    patient_name: str
    patient_id: str
    date: str
    scanner: Scanner


@dataclass(frozen=True)
class SliceTags:
    """What a slice's header says of it.

    Attributes:
        series: number of the series, from 1.
        instance: number of the slice in the series, from 1.
        plane: of the slice.
        contrast: of the series.
        spacing_mm: between two pixels.
        level_mm: position along the axis across the plane.
        transfer_syntax: how the pixels are stored.
        inverted: MONOCHROME1 (0 is white) instead of MONOCHROME2.
        localizer: a planning image, not one to read.
    """

    series: int
    instance: int
    plane: Plane
    contrast: Contrast
    spacing_mm: float
    level_mm: float
    transfer_syntax: UID = ExplicitVRLittleEndian
    inverted: bool = False
    localizer: bool = False


def encode_slice(pixels: Field, examination: Examination, tags: SliceTags) -> bytes:
    """An MR Image object.

    Args:
        pixels: (height, width), 0 black to 1 white as a viewer shows it.
        examination: whose slice.
        tags: which slice.
    """
    dataset = _describe_slice(examination, tags)
    maximum = 2**_BITS_STORED - 1
    values = scale_pixels(1 - pixels if tags.inverted else pixels, maximum)
    dataset.Rows, dataset.Columns = values.shape
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME1" if tags.inverted else "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, _BITS_STORED, _BITS_STORED - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = (maximum + 1) // 2, maximum + 1
    dataset.PixelData = values.astype("<u2").tobytes()
    dataset["PixelData"].VR = "OW"
    return _write(dataset, tags.transfer_syntax)


def encode_slice_without_pixels(examination: Examination, tags: SliceTags) -> bytes:
    """An MR Image object whose pixel data never arrived."""
    dataset = _describe_slice(examination, tags)
    dataset.Rows, dataset.Columns = 256, 256
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, _BITS_STORED, _BITS_STORED - 1
    dataset.PixelRepresentation = 0
    return _write(dataset, ExplicitVRLittleEndian)


def encode_report(examination: Examination) -> bytes:
    """A Basic Text structured report: a title and one sentence."""
    dataset = _start_dataset(examination, BasicTextSRStorage, "SR", series=90, instance=1)
    dataset.CompletionFlag, dataset.VerificationFlag = "COMPLETE", "UNVERIFIED"
    dataset.ContentDate, dataset.ContentTime = examination.date, "121500"
    dataset.ValueType, dataset.ContinuityOfContent = "CONTAINER", "SEPARATE"
    dataset.ConceptNameCodeSequence = [_code("18748-4", "LN", "Diagnostic imaging study")]
    sentence = Dataset()
    sentence.RelationshipType, sentence.ValueType = "CONTAINS", "TEXT"
    sentence.ConceptNameCodeSequence = [_code("121071", "DCM", "Finding")]
    sentence.TextValue = "Invented report of an invented person."
    dataset.ContentSequence = [sentence]
    return _write(dataset, ExplicitVRLittleEndian)


def encode_presentation_state(examination: Examination) -> bytes:
    """A Grayscale Softcopy Presentation State: how to show images, without one."""
    dataset = _start_dataset(
        examination,
        GrayscaleSoftcopyPresentationStateStorage,
        "PR",
        series=91,
        instance=1,
    )
    dataset.ContentLabel, dataset.ContentDescription = "DEMO", "Invented presentation state"
    dataset.PresentationCreationDate = examination.date
    dataset.PresentationCreationTime = "121600"
    dataset.PresentationLUTShape = "IDENTITY"
    return _write(dataset, ExplicitVRLittleEndian)


def _describe_slice(examination: Examination, tags: SliceTags) -> FileDataset:
    dataset = _start_dataset(
        examination,
        MRImageStorage,
        "MR",
        series=tags.series,
        instance=tags.instance,
    )
    name, sequence, repetition_ms, echo_ms, inversion_ms = _PROTOCOLS[tags.contrast]
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER" if tags.localizer else "M"]
    dataset.SeriesDescription = "LOCALIZER" if tags.localizer else f"{tags.plane.upper()} {name}"
    dataset.ProtocolName = dataset.SeriesDescription
    dataset.BodyPartExamined = "HEAD"
    dataset.ScanningSequence = sequence
    dataset.SequenceVariant, dataset.ScanOptions, dataset.MRAcquisitionType = "NONE", "", "2D"
    dataset.RepetitionTime, dataset.EchoTime = repetition_ms, echo_ms
    if inversion_ms is not None:
        dataset.InversionTime = inversion_ms
    if tags.contrast is Contrast.T1_CONTRAST:
        dataset.ContrastBolusAgent = "INVENTED AGENT"
    dataset.MagneticFieldStrength = examination.scanner.field_strength_tesla
    dataset.SliceThickness = 5.0
    dataset.PixelSpacing = [round(tags.spacing_mm, 4)] * 2
    dataset.ImageOrientationPatient = _ORIENTATIONS[tags.plane]
    dataset.ImagePositionPatient = _place_slice(tags)
    dataset.FrameOfReferenceUID = _make_uid(examination.name, "frame")
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    return dataset


def _place_slice(tags: SliceTags) -> list[float]:
    """Corner of the slice in the patient; the head lies at the origin, about 240 mm wide."""
    corner = -120.0
    return {
        Plane.AXIAL: [corner, corner, tags.level_mm],
        Plane.CORONAL: [corner, tags.level_mm, -corner],
        Plane.SAGITTAL: [tags.level_mm, corner, -corner],
    }[tags.plane]


def _start_dataset(
    examination: Examination,
    sop_class: UID,
    modality: str,
    *,
    series: int,
    instance: int,
) -> FileDataset:
    """What every object of an examination says."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = _make_uid(examination.name, f"{series}/{instance}")
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = _make_uid(_IMPLEMENTATION)
    meta.ImplementationVersionName = "MINI_LAKE"
    dataset = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.StudyDate = dataset.SeriesDate = examination.date
    dataset.StudyTime = dataset.SeriesTime = "120000"
    dataset.AccessionNumber = ""
    dataset.Modality = modality
    dataset.Manufacturer = examination.scanner.manufacturer
    dataset.ManufacturerModelName = examination.scanner.model
    dataset.InstitutionName = "DEMO HOSPITAL"
    dataset.ReferringPhysicianName = ""
    dataset.PatientName = examination.patient_name
    dataset.PatientID = examination.patient_id
    dataset.PatientBirthDate, dataset.PatientSex = "19000101", "O"
    dataset.StudyInstanceUID = _make_uid(examination.name)
    dataset.SeriesInstanceUID = _make_uid(examination.name, f"{series}")
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", series, instance
    return dataset


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, scheme, meaning
    return code


def _make_uid(*parts: str) -> UID:
    """PS3.5 B.2: a UUID-derived UID, here of a digest, so that a rebuild gives the same."""
    digest = hashlib.sha256("/".join(("mri-triage mini lake", *parts)).encode()).digest()
    return UID(f"2.25.{int.from_bytes(digest[:16], 'big')}")


def _write(dataset: FileDataset, transfer_syntax: UID) -> bytes:
    if transfer_syntax in (JPEGLSLossless, RLELossless):
        dataset.compress(transfer_syntax, generate_instance_uid=False)
    elif transfer_syntax == DeflatedExplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = transfer_syntax
    buffer = BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    return buffer.getvalue()
