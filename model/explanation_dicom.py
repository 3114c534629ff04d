"""The model's outline as DICOM objects that a PACS takes: a segmentation and a structured report.

Both lie in the frame of reference of the source and carry the patient's identity, because a PACS
files by it: they are written only when asked for, and to a place of their own. highdicom does the
standard's part. Which objects of one image are made twice are the same objects: their UIDs and
times come from the image, not from the clock.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

import highdicom as hd
import numpy as np
import pydicom
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.uid import UID

from model.errors import UnsupportedError
from model.explanation_outline import Contour, fill_contours

if TYPE_CHECKING:
    from highdicom.seg import Segmentation
    from highdicom.sr import Comprehensive3DSR

MANUFACTURER: Final = "mri-triage"
SERIES_NUMBER_SEGMENTATION: Final = 9001
SERIES_NUMBER_REPORT: Final = 9002
"""Above those that scanners count up to; a PACS tells series apart by their UIDs."""

_MADE_DATES: Final = frozenset({"ContentDate", "InstanceCreationDate", "SeriesDate"})
_MADE_TIMES: Final = frozenset({"ContentTime", "InstanceCreationTime", "SeriesTime"})
"""Of the new objects; those of the study are the source's and stay."""

NOT_A_DIAGNOSIS: Final = "Assists radiologists, never diagnoses"
_PROBABILITY: Final = hd.sr.CodedConcept("99MRT001", "99MRITRIAGE", "Calibrated tumor probability")
_THRESHOLD: Final = hd.sr.CodedConcept("99MRT002", "99MRITRIAGE", "Probability flagged from")


@dataclass(frozen=True)
class MarkedImage:
    """What is written down of one image.

    Attributes:
        image_id: keyed hash; names the objects.
        frame: in the source, from 0.
        contours: of the tumour map, in pixels of the source.
        probability: calibrated, 0..1.
        threshold: from which it is flagged.
        model: name and version.
        model_digest: of the bundle.
        scored_at: the time of the score, with a zone; it becomes the objects' time.
    """

    image_id: str
    frame: int
    contours: list[Contour]
    probability: float
    threshold: float
    model: str
    model_digest: str
    scored_at: datetime


@dataclass(frozen=True)
class DicomObjects:
    """Files of one image."""

    segmentation: bytes
    report: bytes


def make_dicom_objects(source: bytes, marked: MarkedImage) -> DicomObjects:
    """Make both objects of one image.

    Args:
        source: the DICOM file that holds it.
        marked: what the model marks.

    Raises:
        UnsupportedError: if the source is no DICOM file, lacks what a reference needs, or nothing
            is marked in it.
    """
    dataset = _read_source(source)
    if not marked.contours:
        message = "the model's tumor map marks nothing: there is nothing to write as DICOM"
        raise UnsupportedError(message)
    try:
        segmentation = _make_segmentation(dataset, marked)
        report = _make_report(dataset, segmentation, marked)
    except (AttributeError, ValueError, TypeError, KeyError) as error:
        # Only the class: what highdicom says may quote the header.
        message = (
            f"the source lacks what a DICOM segmentation refers to ({type(error).__name__}): "
            "expected an MR image with its place in the patient and its identifiers"
        )
        raise UnsupportedError(message) from None
    return DicomObjects(_encode(segmentation), _encode(report))


def _read_source(source: bytes) -> Dataset:
    try:
        dataset = pydicom.dcmread(io.BytesIO(source))
    except (pydicom.errors.InvalidDicomError, ValueError, OSError):
        message = "the object is no DICOM file: a segmentation needs a source to refer to"
        raise UnsupportedError(message) from None
    # A file without its place in space would get a segmentation that points at nothing.
    has_place = "ImagePositionPatient" in dataset or "PerFrameFunctionalGroupsSequence" in dataset
    if "FrameOfReferenceUID" not in dataset or not has_place:
        message = "the source has no place in the patient: a segmentation would point at nothing"
        raise UnsupportedError(message)
    return dataset


def _make_segmentation(source: Dataset, marked: MarkedImage) -> Segmentation:
    lesion = fill_contours(marked.contours, int(source.Columns), int(source.Rows))
    frames = int(source.get("NumberOfFrames", 1))
    mask = np.zeros((frames, *lesion.shape), dtype=np.uint8)
    mask[marked.frame] = lesion
    description = hd.seg.SegmentDescription(
        segment_number=1,
        segment_label="Tumor suspected by the model",
        segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
        segmented_property_type=codes.SCT.Lesion,
        algorithm_type=hd.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
        algorithm_identification=_algorithm(marked),
        tracking_uid=_uid(marked, "tracking"),
        tracking_id=marked.image_id,
    )
    segmentation = hd.seg.Segmentation(
        source_images=[source],
        pixel_array=mask,
        segmentation_type=hd.seg.SegmentationTypeValues.BINARY,
        segment_descriptions=[description],
        series_instance_uid=_uid(marked, "segmentation series"),
        series_number=SERIES_NUMBER_SEGMENTATION,
        sop_instance_uid=_uid(marked, "segmentation"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=marked.model,
        software_versions=marked.model_digest[:12],
        device_serial_number=marked.model_digest[:12],
        series_description=f"Tumor map outline. {NOT_A_DIAGNOSIS}",
        content_description=NOT_A_DIAGNOSIS,
    )
    _settle(segmentation, marked)
    return segmentation


def _make_report(
    source: Dataset,
    segmentation: Segmentation,
    marked: MarkedImage,
) -> Comprehensive3DSR:
    device = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=_uid(marked, f"device {marked.model_digest}"),
            name=MANUFACTURER,
            model_name=marked.model,
            serial_number=marked.model_digest[:12],
        ),
    )
    region = hd.sr.PlanarROIMeasurementsAndQualitativeEvaluations(
        tracking_identifier=hd.sr.TrackingIdentifier(
            uid=_uid(marked, "tracking"), identifier=marked.image_id
        ),
        referenced_segment=hd.sr.ReferencedSegmentationFrame(
            sop_class_uid=segmentation.SOPClassUID,
            sop_instance_uid=segmentation.SOPInstanceUID,
            frame_number=1,
            segment_number=1,
            source_image=hd.sr.SourceImageForSegmentation(
                source.SOPClassUID,
                source.SOPInstanceUID,
                [marked.frame + 1] if "NumberOfFrames" in source else None,
            ),
        ),
        finding_type=codes.SCT.Lesion,
        algorithm_id=hd.sr.AlgorithmIdentification(
            name=marked.model, version=marked.model_digest[:12], parameters=[NOT_A_DIAGNOSIS]
        ),
        measurements=[
            hd.sr.Measurement(_PROBABILITY, round(marked.probability, 4), codes.UCUM.NoUnits),
            hd.sr.Measurement(_THRESHOLD, round(marked.threshold, 4), codes.UCUM.NoUnits),
        ],
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=device),
        procedure_reported=codes.LN.BrainMRI,
        imaging_measurements=[region],
        title=codes.DCM.ImagingMeasurementReport,
    )
    report = hd.sr.Comprehensive3DSR(
        evidence=[source, segmentation],
        content=content[0],
        series_instance_uid=_uid(marked, "report series"),
        series_number=SERIES_NUMBER_REPORT,
        sop_instance_uid=_uid(marked, "report"),
        instance_number=1,
        manufacturer=MANUFACTURER,
        is_complete=True,
        is_final=False,
        is_verified=False,
        series_description=f"Tumor map report. {NOT_A_DIAGNOSIS}",
    )
    _settle(report, marked)
    return report


def _algorithm(marked: MarkedImage) -> hd.AlgorithmIdentificationSequence:
    return hd.AlgorithmIdentificationSequence(
        name=marked.model,
        family=codes.cid7162.ArtificialIntelligence,
        version=marked.model_digest[:12],
    )


def _uid(marked: MarkedImage, kind: str) -> UID:
    """Return a UID that the same image, model and kind always get."""
    text = f"{marked.image_id} {marked.model_digest} {kind}"
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return UID(f"2.25.{number}")


def _settle(dataset: Dataset, marked: MarkedImage) -> None:
    """Replace the clock's time and drawn UIDs, also in sequences, by those of the score."""
    moment = marked.scored_at.strftime("%Y%m%d%H%M%S.%f")
    for element in dataset.iterall():
        if element.keyword in _MADE_DATES:
            element.value = moment[:8]
        elif element.keyword in _MADE_TIMES:
            element.value = moment[8:]
        elif element.keyword == "ContributionDateTime":
            element.value = moment
        elif element.keyword == "DimensionOrganizationUID":
            element.value = _uid(marked, "dimensions")


def _encode(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()
