from datetime import UTC, datetime

import pytest

from jobs.decoding_messages import ImageFailure
from jobs.identifiers import IdentifierKey
from jobs.lake import LakeObject
from jobs.schemas import SCORES
from jobs.scoring_rows import (
    Picture,
    Row,
    RowMaker,
    Score,
    StudyFrom,
    folder_below,
    rows_to_frame,
    rows_to_table,
)
from model.images import Box
from model.reasons import Reason

KEY = IdentifierKey(b"sixteen bytes or more")
NIGHT = "incoming/night=2026-11-20/"
SCORED_AT = datetime(2026, 11, 21, 4, 15, tzinfo=UTC)
IN_FOLDER = LakeObject(f"{NIGHT}ward-3/scan.dcm", "e1", 100)
AT_ROOT = LakeObject(f"{NIGHT}scan.dcm", "e1", 100)
GOOD_SCORE = Score(0.25, 0.9, Box(1, 2, 30, 40), 0.05)


def make_rows(study_from: StudyFrom = "dicom_or_folder") -> RowMaker:
    return RowMaker(KEY, NIGHT, study_from, SCORED_AT)


def picture(study_uid: str | None = None, frame: int = 0) -> Picture:
    return Picture("dicom", frame, 512, 400, study_uid)


def torn(image_format: str | None, study_uid: str | None = None) -> ImageFailure:
    return ImageFailure(Reason.UNREADABLE, "torn", image_format, None, study_uid)


def study_of(row: Row) -> tuple[object, object, object]:
    return row["study_id"], row["study_known"], row["folder_id"]


def test_a_scored_row_holds_what_the_network_said() -> None:
    row = make_rows().scored(IN_FOLDER, picture(), GOOD_SCORE)

    assert row["probability"] == 0.25
    assert row["scope_score"] == 0.9
    assert (row["box_x"], row["box_y"], row["box_width"], row["box_height"]) == (1, 2, 30, 40)
    assert (row["width"], row["height"], row["frame"]) == (512, 400, 0)
    assert "failure" not in row


@pytest.mark.parametrize("broken", [float("nan"), float("inf"), float("-inf")])
def test_a_score_that_is_no_number_becomes_null(broken: float) -> None:
    row = make_rows().scored(IN_FOLDER, picture(), Score(broken, broken, None, broken))

    assert row["probability"] is None
    assert row["scope_score"] is None
    assert row["lesion_area_fraction"] is None


def test_images_of_one_dicom_study_share_it_across_folders() -> None:
    other = LakeObject(f"{NIGHT}ward-4/scan.dcm", "e1", 100)

    first = make_rows().scored(IN_FOLDER, picture("1.2.3"), GOOD_SCORE)
    second = make_rows().scored(other, picture("1.2.3"), GOOD_SCORE)

    assert first["study_id"] == second["study_id"]
    assert first["folder_id"] != second["folder_id"]


def test_without_a_dicom_study_the_folder_is_the_study() -> None:
    row = make_rows().scored(IN_FOLDER, picture(), GOOD_SCORE)

    folder = f"{NIGHT}ward-3"
    assert study_of(row) == (KEY.study_id(f"folder:{folder}"), True, KEY.folder_id(folder))


def test_at_the_night_s_root_an_image_is_its_own_study() -> None:
    first = make_rows().scored(AT_ROOT, picture(), GOOD_SCORE)
    second = make_rows().scored(LakeObject(f"{NIGHT}b.dcm", "e1", 100), picture(), GOOD_SCORE)

    assert first["study_id"] != second["study_id"]
    assert first["folder_id"] is None


def test_frames_of_one_object_are_one_study_when_images_are_studies() -> None:
    rows = make_rows("image")

    first = rows.scored(IN_FOLDER, picture("1.2.3", frame=0), GOOD_SCORE)
    second = rows.scored(IN_FOLDER, picture("1.2.3", frame=1), GOOD_SCORE)

    assert first["study_id"] == second["study_id"] == KEY.study_id(f"object:{IN_FOLDER.key}")
    assert first["image_id"] != second["image_id"]


def test_by_folder_the_dicom_study_is_not_asked() -> None:
    row = make_rows("folder").scored(IN_FOLDER, picture("1.2.3"), GOOD_SCORE)

    assert row["study_id"] == KEY.study_id(f"folder:{NIGHT}ward-3")


@pytest.mark.parametrize("image_format", [None, "dicom"])
def test_what_may_be_a_dicom_and_cannot_be_read_has_no_known_study(
    image_format: str | None,
) -> None:
    row = make_rows().failed(IN_FOLDER, torn(image_format))

    assert row["study_known"] is False
    assert row["folder_id"] == KEY.folder_id(f"{NIGHT}ward-3")


def test_a_broken_dicom_that_told_its_study_belongs_to_it() -> None:
    row = make_rows().failed(IN_FOLDER, torn("dicom", "1.2.3"))

    assert study_of(row)[:2] == (KEY.study_id("uid:1.2.3"), True)


def test_a_broken_frame_belongs_to_the_study_of_the_other_frames() -> None:
    row = make_rows().failed(IN_FOLDER, torn("dicom"), frame=3, study_uid="1.2.3")

    assert row["frame"] == 3
    assert study_of(row)[:2] == (KEY.study_id("uid:1.2.3"), True)


def test_a_broken_jpeg_would_have_told_no_study_anyway() -> None:
    row = make_rows().failed(IN_FOLDER, torn("jpeg"))

    assert study_of(row)[:2] == (KEY.study_id(f"folder:{NIGHT}ward-3"), True)


@pytest.mark.parametrize("study_from", ["folder", "image"])
def test_where_the_file_is_not_asked_for_its_study_the_study_is_always_known(
    study_from: StudyFrom,
) -> None:
    row = make_rows(study_from).failed(IN_FOLDER, torn(None))

    assert row["study_known"] is True


def test_only_what_is_recognised_as_non_diagnostic_does_not_count() -> None:
    rows = make_rows()

    assert (
        rows.failed(IN_FOLDER, ImageFailure(Reason.NON_DIAGNOSTIC, "a report"))["counts_for_study"]
        is False
    )
    assert (
        rows.failed(IN_FOLDER, ImageFailure(Reason.NOT_RETRIEVED, "gone"))["counts_for_study"]
        is True
    )
    assert rows.failed(IN_FOLDER, torn(None))["counts_for_study"] is True


def test_a_failed_row_says_why_and_has_no_score() -> None:
    row = make_rows().failed(IN_FOLDER, ImageFailure(Reason.NOT_RETRIEVED, "gone " * 200))

    assert row["failure"] == "not_retrieved"
    assert len(str(row["detail"])) == 300
    assert "probability" not in row


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        (f"{NIGHT}scan.dcm", None),
        (f"{NIGHT}a/scan.dcm", f"{NIGHT}a"),
        (f"{NIGHT}a/b/scan.dcm", f"{NIGHT}a/b"),
    ],
)
def test_the_folder_is_the_one_right_above_the_object(key: str, folder: str | None) -> None:
    assert folder_below(key, NIGHT) == folder


def test_rows_survive_the_way_through_pandas_with_their_nulls() -> None:
    rows = [
        make_rows().scored(IN_FOLDER, picture(), GOOD_SCORE),
        make_rows().failed(AT_ROOT, torn(None)),
    ]

    frame = rows_to_frame(rows)

    assert list(frame.columns) == SCORES.names
    assert str(frame["frame"].dtype) == "Int32"
    assert frame["frame"].isna().tolist() == [False, True]
    assert rows_to_table(rows)["scored_at"].to_pylist() == [SCORED_AT, SCORED_AT]
