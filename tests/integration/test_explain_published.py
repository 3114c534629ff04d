"""Explaining images of a published night, on a real Spark with a real, tiny network."""

from __future__ import annotations

import io
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import highdicom as hd
import numpy as np
import pyarrow as pa
import pydicom
import pytest
from pyspark.sql import SparkSession

from jobs.audit_log import read_events
from jobs.explain_night import ExplanationOptions
from jobs.explain_published import (
    OpenExplaining,
    Wanted,
    explain_published,
    merge_index,
    open_explaining,
)
from jobs.lake import LakeAddress, open_lake
from jobs.night_run import NightRequest
from jobs.published_night import read_night
from jobs.schemas import EXPLANATIONS
from jobs.write_dicom import WrittenDicom, write_dicom
from model.bundle import packaged_bundle_folder
from model.errors import BundleError, ConfigurationError
from tests.builders import BUSY_NIGHT
from tests.integration.spark_fixtures import FinishedNight

pytestmark = [pytest.mark.spark, pytest.mark.slow]


@dataclass(frozen=True)
class Published:
    """A copy of the published night, for one test module."""

    folder: Path
    request: NightRequest
    spark: SparkSession
    rows: list[dict[str, object]]

    def ids(self, **wanted: object) -> list[str]:
        """Ids of the rows whose columns have these values."""
        return [
            str(row["image_id"])
            for row in self.rows
            if all(row[name] == value for name, value in wanted.items())
        ]

    def open(self, wanted: Wanted) -> OpenExplaining:
        return open_explaining(self.request, wanted)

    def explain(self, wanted: Wanted) -> pa.Table:
        opened = self.open(wanted)
        try:
            return explain_published(opened, self.spark, lambda _done, _total: None)
        finally:
            opened.run.lease.release()

    def files(self) -> dict[str, bytes]:
        """Everything that explaining may write, by its path in the lake."""
        roots = (self.folder / "explanations", self.folder / "dicom")
        paths = (path for root in roots for path in root.rglob("*") if path.is_file())
        return {path.relative_to(self.folder).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture(scope="module")
def published(
    spark: SparkSession, first_night: FinishedNight, tmp_path_factory: pytest.TempPathFactory
) -> Published:
    folder = tmp_path_factory.mktemp("published") / "lake"
    shutil.copytree(first_night.lake, folder)
    options = ExplanationOptions(sample_size=2, perturbations=21, seed=7)
    request = replace(first_night.request, lake=LakeAddress(folder.as_uri()), explanation=options)
    return Published(folder, request, spark, first_night.results.to_pylist())


def dicom_and_picture(published: Published) -> tuple[str, str]:
    """One scored DICOM image and one scored picture that is none."""
    scored = [row for row in published.rows if row["probability"] is not None]
    formats = {str(row["format"]): str(row["image_id"]) for row in scored}
    return formats["dicom"], formats["png"]


def write_both(published: Published) -> list[WrittenDicom]:
    opened = published.open(Wanted(dicom_and_picture(published)))
    try:
        explained = explain_published(opened, published.spark, lambda _done, _total: None)
        return write_dicom(opened, explained, lambda _done, _total: None)
    finally:
        opened.run.lease.release()


@pytest.fixture(scope="module")
def written(published: Published) -> list[WrittenDicom]:
    return write_both(published)


def read_dicom(published: Published, folder: str | None, name: str) -> bytes:
    return (published.folder / str(folder) / name).read_bytes()


def read_source(published: Published, image_id: str) -> pydicom.Dataset:
    (key,) = (row["object_key"] for row in published.rows if row["image_id"] == image_id)
    return pydicom.dcmread(published.folder / str(key))


def test_the_images_asked_for_are_explained_and_readers_of_the_night_find_them(
    published: Published, written: list[WrittenDicom]
) -> None:
    night = read_night(open_lake(published.request.lake), BUSY_NIGHT)

    assert night is not None
    assert night.explanations is not None
    rows = {row["image_id"]: row for row in night.explanations.to_pylist()}
    for one in written:
        assert rows[one.image_id]["chosen_for"] == "asked"
        assert rows[one.image_id]["overlay"] == f"{one.image_id}/overlay.png"


def test_asking_twice_gives_the_same_bytes(
    published: Published, written: list[WrittenDicom]
) -> None:
    before = published.files()

    again = write_both(published)

    assert again == written
    assert published.files() == before
    assert len([name for name in before if name.endswith(".png")]) == 4


def test_an_image_without_a_score_gets_a_reason_and_no_files(published: Published) -> None:
    (unreadable, *_) = published.ids(reason="unreadable")

    (row,) = published.explain(Wanted((unreadable,))).to_pylist()

    assert row["overlay"] is None
    assert row["detail"] == "unreadable: the image has no score, so there is nothing to explain"


def test_an_image_that_is_not_in_the_night_is_refused(published: Published) -> None:
    with pytest.raises(ConfigurationError, match="no image 'nobody'"):
        published.open(Wanted(("nobody",)))


def test_a_night_that_was_never_published_is_refused(published: Published) -> None:
    request = replace(published.request, night=BUSY_NIGHT.replace(year=2001))

    with pytest.raises(ConfigurationError, match="is not published"):
        open_explaining(request, Wanted())


def test_the_scores_of_one_model_are_not_explained_by_another(published: Published) -> None:
    request = replace(published.request, bundle=packaged_bundle_folder())

    with pytest.raises(BundleError, match="must come from the model that scored"):
        open_explaining(request, Wanted())


def test_all_are_those_flagged_for_a_score_and_no_others(published: Published) -> None:
    opened = published.open(Wanted(everything=True))
    opened.run.lease.release()

    flagged = published.ids(reason="tumor_suspected") + published.ids(reason="not_brain_mr")
    assert sorted(row["image_id"] for row in opened.sample) == sorted(flagged)
    assert opened.silent == []


def test_a_segmentation_lies_in_the_frame_of_its_source_and_names_the_patient(
    published: Published, written: list[WrittenDicom]
) -> None:
    dicom, _ = written
    source = read_source(published, dicom.image_id)

    data = read_dicom(published, dicom.folder, "segmentation.dcm")
    segmentation = hd.seg.segread(io.BytesIO(data))

    assert dicom.folder == f"dicom/night={BUSY_NIGHT}/{dicom.image_id}/"
    assert segmentation.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert segmentation.StudyInstanceUID == source.StudyInstanceUID
    assert segmentation.PatientID == source.PatientID
    assert segmentation.PatientName == source.PatientName
    frames = segmentation.get_pixels_by_source_instance([source.SOPInstanceUID])
    assert frames.shape[:3] == (1, source.Rows, source.Columns)
    assert 0 < np.count_nonzero(frames) < frames.size


def test_a_report_tells_the_probability_and_refers_to_the_segmentation(
    published: Published, written: list[WrittenDicom]
) -> None:
    dicom, _ = written
    probability = next(
        row["probability"] for row in published.rows if row["image_id"] == dicom.image_id
    )

    report = hd.sr.srread(io.BytesIO(read_dicom(published, dicom.folder, "report.dcm")))
    content = cast("hd.sr.MeasurementReport", report.content)
    (group,) = content.get_planar_roi_measurement_groups()
    segmentation = pydicom.dcmread(
        io.BytesIO(read_dicom(published, dicom.folder, "segmentation.dcm"))
    )

    values = {one.name.meaning: one.value for one in group.get_measurements()}
    assert values["Calibrated tumor probability"] == pytest.approx(probability, abs=1e-4)
    assert segmentation.SOPInstanceUID in str(report)
    assert report.VerificationFlag == "UNVERIFIED"


def test_a_picture_that_is_no_dicom_gets_none_and_says_why(written: list[WrittenDicom]) -> None:
    _, picture = written

    assert picture.folder is None
    assert picture.detail == "its source is no DICOM file"


def test_identity_stays_in_the_dicom_folder(
    published: Published, written: list[WrittenDicom]
) -> None:
    source = read_source(published, written[0].image_id)
    planted = (str(source.PatientName).encode(), str(source.PatientID).encode())

    holding = {
        name.split("/")[0]
        for name, data in published.files().items()
        for text in planted
        if text in data
    }

    assert holding == {"dicom"}


def test_the_audit_log_tells_of_both(published: Published, written: list[WrittenDicom]) -> None:
    assert written

    actions = {event.action for event in read_events(open_lake(published.request.lake))}

    assert {"explain", "dicom"} <= actions


def test_new_rows_take_the_place_of_old_ones_and_keep_why_they_were_chosen() -> None:
    def make(image_id: str, chosen_for: str, r_squared: float) -> dict[str, object]:
        required = {"study_id": "s", "reason": "r", "seed": 1, "bundle_digest": "d", "run_id": "n"}
        given = {"image_id": image_id, "chosen_for": chosen_for, "r_squared": r_squared}
        return dict.fromkeys(EXPLANATIONS.names) | required | given

    before = [make("a", "random", 0.1), make("b", "random", 0.2)]
    asked = [make("c", "asked", 0.3), make("a", "asked", 0.9)]

    merged = merge_index(
        pa.Table.from_pylist(before, schema=EXPLANATIONS),
        pa.Table.from_pylist(asked, schema=EXPLANATIONS),
    ).to_pylist()

    told = [(row["image_id"], row["chosen_for"], row["r_squared"]) for row in merged]
    assert told == [("a", "random", 0.9), ("b", "random", 0.2), ("c", "asked", 0.3)]
