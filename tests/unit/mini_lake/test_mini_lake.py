"""The committed lake is what its builder makes, and what its truth says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pydicom import dcmread
from pydicom.uid import DeflatedExplicitVRLittleEndian

from model.reasons import Reason
from tests.mini_lake.bad_files import EXPECTED_REASONS
from tests.mini_lake.build import build_lake
from tests.mini_lake.plan import NIGHTS
from tests.mini_lake.score import read_truth

MINI_LAKE = Path(__file__).parents[2] / "mini_lake"
LAKE = MINI_LAKE / "lake"
DICOM_MAGIC = b"DICM"
PNG_MAGIC = b"\x89PNG"


@pytest.fixture(scope="module", name="truth")
def read_committed_truth() -> pd.DataFrame:
    return read_truth()


def digest_content(path: Path) -> str:
    """Digest of a file's bytes; of the content where zlib, which differs by machine, packed it."""
    data = path.read_bytes()
    if data.startswith(PNG_MAGIC) and path.name != "panorama.png":
        with Image.open(path) as picture:
            data = f"{picture.mode}{picture.size}".encode() + np.asarray(picture).tobytes()
    elif data[128:132] == DICOM_MAGIC:
        dataset = dcmread(path)
        if dataset.file_meta.TransferSyntaxUID == DeflatedExplicitVRLittleEndian:
            data = dataset.to_json().encode()
    return hashlib.sha256(data).hexdigest()


def digest_folder(folder: Path) -> dict[str, str]:
    written = [folder / "truth.csv", *(folder / "lake").rglob("*"), *(folder / "masks").rglob("*")]
    return {
        path.relative_to(folder).as_posix(): digest_content(path)
        for path in written
        if path.is_file()
    }


def read_size(path: Path) -> tuple[int, int]:
    """Width and height."""
    if path.suffix == ".dcm":
        dataset = dcmread(path, stop_before_pixels=True)
        return int(dataset.Columns), int(dataset.Rows)
    with Image.open(path) as picture:
        return picture.size


@pytest.mark.slow
def test_a_rebuild_gives_the_committed_files(tmp_path: Path) -> None:
    build_lake(tmp_path / "lake")

    assert digest_folder(tmp_path) == digest_folder(MINI_LAKE)


def test_everything_together_stays_below_three_megabytes() -> None:
    files = [path for path in MINI_LAKE.rglob("*") if path.is_file() and path.suffix != ".pyc"]

    assert sum(path.stat().st_size for path in files) < 3_000_000


def test_the_truth_lists_every_object_once_and_nothing_else(truth: pd.DataFrame) -> None:
    objects = {path.relative_to(LAKE).as_posix() for path in LAKE.rglob("*") if path.is_file()}

    assert truth["object_key"].is_unique
    assert set(truth["object_key"]) == objects


def test_every_mask_has_its_images_size_and_outlines_something(truth: pd.DataFrame) -> None:
    for row in truth[truth["kind"] == "tumor"].itertuples():
        with Image.open(MINI_LAKE / str(row.mask)) as mask:
            assert mask.mode == "1", row.mask
            assert mask.size == read_size(LAKE / str(row.object_key)), row.mask
            assert 10 < np.asarray(mask).sum() < 0.2 * mask.width * mask.height, row.mask


def test_masks_are_there_for_lesions_and_for_nothing_else(truth: pd.DataFrame) -> None:
    masks = {f"masks/{path.name}" for path in (MINI_LAKE / "masks").iterdir()}

    assert set(truth.loc[truth["kind"] == "tumor", "mask"]) == masks
    assert set(truth.loc[truth["kind"] != "tumor", "mask"]) == {""}


def test_about_half_of_the_slices_show_a_lesion(truth: pd.DataFrame) -> None:
    slices = truth[truth["kind"] != "bad"]

    assert 0.4 <= (slices["kind"] == "tumor").mean() <= 0.6


def test_lesions_come_small_and_large_and_of_every_type(truth: pd.DataFrame) -> None:
    lesions = truth[truth["kind"] == "tumor"]

    assert lesions["lesion_diameter_mm"].min() < 10
    assert lesions["lesion_diameter_mm"].max() > 40
    assert set(lesions["lesion_type"]) == {"ring_enhancing", "solid_enhancing", "infiltrative"}


def test_neither_skull_nor_plane_nor_format_tells_lesions_from_health(truth: pd.DataFrame) -> None:
    slices = truth[truth["kind"] != "bad"]

    for column in ("skull", "plane", "contrast", "format"):
        shares = slices.groupby(column)["kind"].agg(lambda kinds: (kinds == "tumor").mean())
        assert shares.between(0.15, 0.85).all(), (column, shares.to_dict())


def test_each_night_brings_25_to_40_objects_in_every_format(truth: pd.DataFrame) -> None:
    assert sorted(truth["night"].unique()) == list(NIGHTS)
    for _, objects in truth.groupby("night"):
        assert 25 <= len(objects) <= 40
        assert {"jpeg", "png", "png16", "dicom"} <= set(objects["format"])


def test_the_last_night_brings_every_kind_of_bad_object(truth: pd.DataFrame) -> None:
    bad = truth[(truth["night"] == NIGHTS[-1]) & (truth["kind"] == "bad")]

    assert set(bad["format"]) == {kind.value for kind in EXPECTED_REASONS}


def test_expected_reasons_are_reasons_and_never_clear(truth: pd.DataFrame) -> None:
    named = {
        reason
        for cell in truth.loc[truth["kind"] == "bad", "expected_reasons"]
        for reason in cell.split("|")
    }

    assert named <= set(Reason)
    assert Reason.BELOW_THRESHOLD not in named


def test_identities_are_invented() -> None:
    for path in LAKE.rglob("*.dcm"):
        dataset = dcmread(path, stop_before_pixels=True)
        assert str(dataset.PatientName).startswith("DEMO^PATIENT"), path
        assert dataset.PatientID.startswith("DEMO-"), path
        assert dataset.PatientBirthDate == "19000101", path
        assert dataset.InstitutionName == "DEMO HOSPITAL", path


def test_dicom_slices_decode_and_differ_in_scanner_and_storage(truth: pd.DataFrame) -> None:
    keys = truth.loc[truth["format"] == "dicom", "object_key"]

    datasets = [dcmread(LAKE / key) for key in keys]

    assert all(dataset.pixel_array.max() > 500 for dataset in datasets)
    assert len({dataset.file_meta.TransferSyntaxUID for dataset in datasets}) >= 4
    assert len({dataset.Manufacturer for dataset in datasets}) >= 3
    assert len({dataset.SOPInstanceUID for dataset in datasets}) == len(datasets)


def test_the_templates_notice_lies_beside_the_lake() -> None:
    notice = (MINI_LAKE / "LICENCE-MNI.txt").read_text(encoding="utf-8")

    assert "Louis Collins, McConnell Brain Imaging Centre" in notice
    assert "provided that the above copyright notice appear in all copies" in notice
