"""`mri-triage dataset report` on real files: PNG, JPEG and DICOM, good ones and bad ones."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmwrite

from flows.cli import main
from tests.builders import write_tiny_bundle
from tests.unit.model.decoding_samples import make_slice
from tests.unit.model.pictures import draw_head, ellipse

pytestmark = pytest.mark.slow

COLUMNS = ("path", "source", "label", "tumor_type", "group_id", "mask", "plane")
DRAWN = 16
CORONAL = [1, 0, 0, 0, 0, -1]


def _levels(number: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    height, width = 60 + number, 64
    pixels, _ = draw_head(height, width)
    lesion = ellipse(height, width, (24 + number % 9, 30 + number % 5), (5, 4))
    levels = np.where(lesion & (number % 2 == 1), 0.98, pixels * 0.9)
    return (levels * 255).astype(np.uint8)


def _write_dicom(path: Path, number: int, **attributes: object) -> None:
    dataset = make_slice(
        _levels(number).astype(np.uint16),
        Manufacturer="SIEMENS",
        PixelSpacing=[0.75, 0.75],
        ImageOrientationPatient=CORONAL,
        PatientName="Doe^Jane",
        **attributes,
    )
    buffer = io.BytesIO()
    dcmwrite(buffer, dataset, enforce_file_format=True)
    path.write_bytes(buffer.getvalue())


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen drawn slices, a labelled and an unlabelled DICOM file, and three bad files."""
    folder = tmp_path_factory.mktemp("source")
    rows: list[tuple[str, ...]] = []
    for number in range(DRAWN):
        name = f"{number:02d}.{'jpg' if number % 3 else 'png'}"
        Image.fromarray(_levels(number)).save(folder / name)
        label, kind = ("tumor", "glioma") if number % 2 else ("no_tumor", "none")
        rows.append((name, "drawn", label, kind, f"g{number // 2}", "", ""))
    _write_dicom(folder / "labelled.dcm", 1)
    _write_dicom(folder / "beside.dcm", 2, ManufacturerModelName="Skyra")
    (folder / "broken.png").write_bytes((folder / "00.png").read_bytes()[:100])
    Image.new("1", (5, 4), 1).save(folder / "small.png")
    (folder / "small-mask.jpg").write_bytes((folder / "01.jpg").read_bytes())
    rows += [
        ("labelled.dcm", "ward", "tumor", "glioma", "w1", "", ""),
        ("absent.png", "drawn", "tumor", "glioma", "b1", "", ""),
        ("broken.png", "drawn", "tumor", "glioma", "b2", "", ""),
        ("small-mask.jpg", "drawn", "tumor", "glioma", "b3", "small.png", ""),
    ]
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([COLUMNS, *rows])
    return folder


def test_a_folder_becomes_one_page_and_a_short_summary(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.html"
    bundle = write_tiny_bundle(tmp_path / "bundle").folder
    arguments = ("--source", str(source), "--out", str(out), "--bundle", str(bundle))

    assert main(["dataset", "report", *arguments]) == 0

    page, told = out.read_text("utf-8"), capsys.readouterr().out
    assert "17 pictures of 9 groups and 2 sources; 9 show a tumour, 8 do not." in told
    assert "Files that cannot be used, listed at the end: 3." in told
    assert str(out) in told
    for name, problem in {
        "absent.png": "not_retrieved: the file is missing",
        "broken.png": "unreadable: ",
        "small-mask.jpg": "its mask has the size 5x4, the image 64x61",
    }.items():
        assert f"<code>{name}</code>: {problem}" in page
    assert "The plane is known of 1 of 17 pictures" in page
    assert page.lower().count("siemens") == 2
    assert "Skyra" in page
    assert "tiny 1, on all 17 pictures" in page
    assert "data:image/jpeg;base64," in page
    assert "Doe" not in page + told


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--out", "/nowhere/page.html"), 6, "/nowhere/page.html cannot be written"),
        (("--out", "page.html", "--bundle", "/nowhere"), 5, "no bundle at /nowhere"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_read(
    arguments: tuple[str, ...],
    code: int,
    said: str,
    source: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["dataset", "report", "--source", str(source), *arguments]) == code
    assert said in capsys.readouterr().err


def test_a_folder_without_labels_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "index.csv").write_text("path,label\n", "utf-8")
    out = tmp_path / "report.html"

    assert main(["dataset", "report", "--source", str(tmp_path), "--out", str(out)]) == 10

    assert "lacks the columns source, tumor_type, mask" in capsys.readouterr().err
    assert not out.exists()
