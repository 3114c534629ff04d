from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.data_report import ALL, BundleScores, DataReport, ReadFolder, make_report
from model.data_report_findings import list_findings
from model.data_report_gallery import shown_positions
from model.data_report_page import render_report
from model.data_report_pictures import MeasuredPicture
from model.errors import TrainingDataError
from model.images import Acquisition
from model.training_data import Part
from model.training_dataset import SetAside
from model.training_folders import LabelledFolder
from tests.unit.model.report_pictures import make_picture

TAGGED = Acquisition("Maker", "<b>Model</b>", 3.0, 0.5, "coronal", "T1")


def _report(
    pictures: list[MeasuredPicture],
    *,
    set_aside: tuple[SetAside, ...] = (),
    parts: dict[Path, Part] | None = None,
    bundle: BundleScores | None = None,
    unlisted: tuple[Acquisition, ...] = (),
) -> DataReport:
    listed = LabelledFolder(Path("/data"), [one.image for one in pictures], parts or {})
    read = ReadFolder(pictures, list(set_aside), list(unlisted), unread_dicom=0)
    return make_report(listed, read, bundle, lambda _: None)


def _words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


@pytest.fixture(scope="module")
def report() -> DataReport:
    """Twelve pictures of three sources: two contradict each other, and the size tells the label."""
    pictures = [
        make_picture(
            number,
            label=number % 2,
            source="north" if number < 8 else "so<uth",
            size=(512, 512) if number % 2 else (200, 300),
        )
        for number in range(10)
    ]
    pictures.append(make_picture(10, label=1, group="a", scene=1, name="one & other.png"))
    pictures.append(make_picture(11, label=0, group="b", scene=1, may_be_shown=False))
    return _report(
        pictures,
        set_aside=(SetAside("broken.png", "unreadable: it <breaks> off"),),
        unlisted=(TAGGED, TAGGED),
    )


def test_the_findings_say_what_to_know_first(report: DataReport) -> None:
    findings = list_findings(report)

    assert findings[0] == ("12 pictures of 12 groups and 3 sources; 6 show a tumour, 6 do not.")
    assert "Files that cannot be used, listed at the end: 1." in findings
    assert any("of these cross the given groups: 1" in finding for finding in findings)
    assert "Of 5 pictures of 512 x 512 pixels, 5 are tumours." in findings
    assert "Near-duplicates with opposite labels, in pairs: 1." in findings


def test_each_baseline_is_scored_on_all_and_within_each_source(report: DataReport) -> None:
    assert list(report.shortcuts[ALL]) == ["image_size", "border", "background", "source"]
    assert list(report.shortcuts["north"]) == ["image_size", "border", "background"]
    assert set(report.shortcuts) == {ALL, "here", "north", "so<uth"}


def test_the_page_needs_nothing_else_and_escapes_what_it_shows(report: DataReport) -> None:
    page = render_report(report, {10: b"preview"})

    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert "so<uth" not in page
    assert "so&lt;uth" in page
    assert "&lt;b&gt;Model&lt;/b&gt;" in page
    assert "it &lt;breaks&gt; off" in page
    assert "one &amp; other.png" in page
    assert page.count("<img") == page.count('alt="')
    assert page.count("data:image/jpeg;base64,cHJldmlldw==") >= 1


def test_the_page_says_unknown_where_nothing_tells(report: DataReport) -> None:
    words = _words(render_report(report, {}))

    assert "The plane is known of 0 of 12 pictures, the pixel spacing of 0." in words
    assert "Other DICOM files below the folder" in words


def test_a_picture_that_may_hold_text_is_not_shown(report: DataReport) -> None:
    assert 10 in shown_positions(report)
    assert 11 not in shown_positions(report)
    assert "the file does not rule out text in its pixels" in render_report(report, {})


def test_the_plots_are_pictures_that_can_be_opened(report: DataReport) -> None:
    import base64  # noqa: PLC0415 - of this test alone

    found = re.findall(r"data:image/png;base64,([^\"]+)", render_report(report, {}))

    sizes = [Image.open(io.BytesIO(base64.b64decode(text))).size for text in found]
    assert len(sizes) >= 7
    assert all(width > 500 for width, _ in sizes)


def test_planes_and_spacings_that_dicom_files_tell_are_drawn() -> None:
    pictures = [
        make_picture(number, label=number % 2, acquisition=TAGGED, format="dicom")
        for number in range(4)
    ]
    pictures = [
        replace(one, image=replace(one.image, plane="coronal")) if index else one
        for index, one in enumerate(pictures)
    ]

    words = _words(render_report(_report(pictures), {}))

    assert "The plane is known of 3 of 4 pictures, the pixel spacing of 4." in words
    assert "Labelled DICOM files" in words
    assert "Told by 4 DICOM files" in words


def test_without_groups_near_duplicates_are_the_groups() -> None:
    pictures = [
        make_picture(number, label=number % 2, group="", scene=number // 3) for number in range(9)
    ]

    report = _report(pictures)

    assert not report.groups_given
    assert len({one.image.group_id for one in report.pictures}) == 3
    assert "no groups are given" in _words(render_report(report, {}))


def test_the_folders_own_split_is_measured_beside_the_two() -> None:
    pictures = [make_picture(n, label=n % 2, group="", scene=n // 2) for n in range(8)]
    parts: dict[Path, Part] = {
        one.image.path: "test" if index % 4 == 0 else "fit" for index, one in enumerate(pictures)
    }

    report = _report(pictures, parts=parts)

    own = next(split for split in report.leakage if split.split == "the folder's own")
    assert (own.tested, own.with_twin) == (2, 2)


def test_one_class_is_shown_as_far_as_it_goes() -> None:
    report = _report([make_picture(number) for number in range(3)])

    words = _words(render_report(report, {}))

    assert "3 pictures of 3 groups and 1 sources; 0 show a tumour, 3 do not." in words
    assert "Not measured: a split needs two pictures of either class." in words
    assert "Not measured: it takes two groups of either class." in words


def test_a_bundle_doubts_only_what_it_judged() -> None:
    pictures = [make_picture(number, label=number % 2) for number in range(4)]
    bundle = BundleScores("tiny 1", "the 2 pictures", {"1.png": 0.1, "2.png": 0.2})

    report = _report(pictures, bundle=bundle)

    doubted = [one for one in report.suspects if "tiny 1" in one.title]
    assert [entry.positions for one in doubted for entry in one.entries] == [(1,)]


def test_a_folder_of_which_nothing_can_be_used_is_refused() -> None:
    with pytest.raises(TrainingDataError, match=r"none of the 0 images .* first is a\.png \(bad\)"):
        _report([], set_aside=(SetAside("a.png", "bad"),))


def test_flat_pictures_do_not_stop_the_report() -> None:
    pictures = [make_picture(number, label=number % 2) for number in range(4)]
    flat = np.zeros((32, 32), dtype=np.float32)
    blank = [replace(one, measures=replace(one.measures, thumbnail=flat)) for one in pictures]

    assert _report(blank).duplicates.sizes == [4]
