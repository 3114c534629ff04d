"""Segmentations and reports of real DICOM sources, read back by pydicom and highdicom."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import UTC, datetime

import highdicom as hd
import numpy as np
import pydicom
import pytest
from pydicom import Dataset
from pydicom.uid import EnhancedMRImageStorage, SecondaryCaptureImageStorage

from model.errors import UnsupportedError
from model.explanation_dicom import MarkedImage, make_dicom_objects
from tests.builders import MINI_LAKE

SOURCE = (
    MINI_LAKE / "incoming/night=2026-11-20/neuro/study-0007/series-1/slice-001.dcm"
).read_bytes()
SQUARE = [[[20.0, 30.0], [60.0, 30.0], [60.0, 50.0], [20.0, 50.0]]]
MARKED = MarkedImage(
    image_id="0a1b",
    frame=0,
    contours=SQUARE,
    probability=0.9,
    threshold=0.37,
    model="two-headed-lite0 0.2.0",
    model_digest="f3cc" * 16,
    scored_at=datetime(2026, 11, 21, 3, 4, 5, tzinfo=UTC),
)


def encode(dataset: Dataset) -> bytes:
    buffer = io.BytesIO()
    dataset.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def make_multi_frame(frames: int) -> bytes:
    """Make an enhanced MR object, with the place of every frame, from the single slice."""
    source = pydicom.dcmread(io.BytesIO(SOURCE))
    single = source.pixel_array
    source.SOPClassUID = EnhancedMRImageStorage
    source.file_meta.MediaStorageSOPClassUID = EnhancedMRImageStorage
    source.NumberOfFrames = frames
    source.PixelData = np.repeat(single[np.newaxis], frames, axis=0).tobytes()
    measures, orientation = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = source.PixelSpacing, source.SliceThickness
    orientation.ImageOrientationPatient = source.ImageOrientationPatient
    shared = Dataset()
    shared.PixelMeasuresSequence = [measures]
    shared.PlaneOrientationSequence = [orientation]
    source.SharedFunctionalGroupsSequence = [shared]
    source.PerFrameFunctionalGroupsSequence = []
    first = np.array(source.ImagePositionPatient, dtype=float)
    axes = np.array(source.ImageOrientationPatient, dtype=float).reshape(2, 3)
    for number in range(frames):
        place, content, one = Dataset(), Dataset(), Dataset()
        place.ImagePositionPatient = (first + 5.0 * number * np.cross(*axes)).round(3).tolist()
        content.DimensionIndexValues = [number + 1]
        one.PlanePositionSequence, one.FrameContentSequence = [place], [content]
        source.PerFrameFunctionalGroupsSequence.append(one)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(source, name)
    return encode(source)


def test_the_segmentation_covers_the_outline_in_the_sources_frame_of_reference() -> None:
    source = pydicom.dcmread(io.BytesIO(SOURCE))

    made = hd.seg.segread(io.BytesIO(make_dicom_objects(SOURCE, MARKED).segmentation))

    rows, columns = np.nonzero(made.pixel_array)
    assert (rows.min(), rows.max()) == pytest.approx((30, 50), abs=1)
    assert (columns.min(), columns.max()) == pytest.approx((20, 60), abs=1)
    assert made.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert made.PatientID == source.PatientID
    assert made.SegmentSequence[0].SegmentAlgorithmType == "AUTOMATIC"


def test_the_report_is_unverified_and_says_that_it_is_no_diagnosis() -> None:
    report = hd.sr.srread(io.BytesIO(make_dicom_objects(SOURCE, MARKED).report))

    assert report.VerificationFlag == "UNVERIFIED"
    assert "never diagnoses" in report.SeriesDescription
    assert report.StudyInstanceUID == pydicom.dcmread(io.BytesIO(SOURCE)).StudyInstanceUID


def test_made_twice_they_are_the_same_bytes_and_made_of_another_image_others() -> None:
    first = make_dicom_objects(SOURCE, MARKED)

    assert make_dicom_objects(SOURCE, MARKED) == first
    other = make_dicom_objects(SOURCE, replace(MARKED, image_id="0a1c"))
    uids = [pydicom.dcmread(io.BytesIO(one.segmentation)).SOPInstanceUID for one in (first, other)]
    assert len(set(uids)) == 2


def test_of_a_multi_frame_source_the_frame_that_was_scored_is_marked() -> None:
    source = make_multi_frame(3)

    objects = make_dicom_objects(source, replace(MARKED, frame=1))
    made = hd.seg.segread(io.BytesIO(objects.segmentation))

    uid = pydicom.dcmread(io.BytesIO(source)).SOPInstanceUID
    frames = made.get_pixels_by_source_frame(uid, [1, 2, 3], assert_missing_frames_are_empty=True)
    assert [bool(frame.any()) for frame in frames] == [False, True, False]


def test_a_source_that_is_no_dicom_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="no DICOM file"):
        make_dicom_objects(b"\x89PNG", MARKED)


def test_a_source_without_its_place_in_the_patient_is_refused_without_quoting_it() -> None:
    capture = pydicom.dcmread(io.BytesIO(SOURCE))
    capture.SOPClassUID = SecondaryCaptureImageStorage
    del capture.FrameOfReferenceUID
    no_place = pydicom.dcmread(io.BytesIO(SOURCE))
    del no_place.ImagePositionPatient

    for source in (capture, no_place):
        with pytest.raises(UnsupportedError) as caught:
            make_dicom_objects(encode(source), MARKED)
        assert str(source.PatientName) not in str(caught.value)


def test_an_image_in_which_nothing_is_marked_has_nothing_to_write() -> None:
    with pytest.raises(UnsupportedError, match="marks nothing"):
        make_dicom_objects(SOURCE, replace(MARKED, contours=[]))
