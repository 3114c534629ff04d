"""Data sets on a real Spark: built through petastorm, verified, read back into ``tf.data``."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from pyspark.sql import SparkSession

from jobs.build_dataset import BuiltDataset, DatasetRequest, build_dataset
from jobs.dataset_manifest import StoredFile
from jobs.lake import LakeAddress, open_lake
from jobs.read_dataset import open_dataset
from model.decoding import decode_object
from model.errors import OutputError, TrainingDataError
from model.images import DecodedImage
from model.training_data import PART_SHARES
from model.training_dataset import PlanOptions, SetAside
from model.training_samples import TRAINING_LIMITS
from tests.unit.model.pictures import draw_head, ellipse

pytestmark = [pytest.mark.slow, pytest.mark.spark]

OPTIONS = PlanOptions(keep_split=False, maximum_set_aside=0.3, seed=5)
IMAGES = 16
COLUMNS = ("path", "source", "label", "tumor_type", "group_id", "mask", "plane")


def _draw(number: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    height, width = 60 + number, 64
    pixels, _ = draw_head(height, width)
    outline = ellipse(height, width, (24 + number % 9, 30 + number % 5), (5, 4))
    levels = np.where(outline & (number % 2 == 1), 0.98, pixels * 0.9)
    return (levels * 255).astype(np.uint8), outline


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen good slices in JPEG and PNG, every second one with a tumour, and five bad ones."""
    folder = tmp_path_factory.mktemp("source")
    rows: list[tuple[object, ...]] = []
    for number in range(IMAGES):
        levels, outline = _draw(number)
        name = f"{number:02d}.{'jpg' if number % 3 else 'png'}"
        Image.fromarray(levels).save(folder / name)
        mask = f"{number:02d}-mask.png" if number % 4 == 1 else ""
        if mask:
            Image.fromarray(outline).save(folder / mask)
        label, tumor_type = ("tumor", "glioma") if number % 2 else ("no_tumor", "none")
        rows.append((name, "drawn", label, tumor_type, f"g{number // 2}", mask, "axial"))
    # Decoders stop at the end of the picture; what stands behind it has to come back as well.
    with (folder / "01.jpg").open("ab") as file:
        file.write(b"\0\0")
    (folder / "broken.png").write_bytes((folder / "00.png").read_bytes()[:100])
    Image.new("1", (5, 4), 1).save(folder / "small.png")
    Image.new("1", (64, 61), 0).save(folder / "black.png")
    for name in ("no-mask.jpg", "small-mask.jpg", "empty-mask.jpg"):
        shutil.copy(folder / "01.jpg", folder / name)
    rows += [
        ("absent.png", "drawn", "tumor", "glioma", "b1", "", ""),
        ("broken.png", "drawn", "tumor", "glioma", "b2", "", ""),
        ("no-mask.jpg", "drawn", "tumor", "glioma", "b3", "absent.png", ""),
        ("small-mask.jpg", "drawn", "tumor", "glioma", "b4", "small.png", ""),
        ("empty-mask.jpg", "drawn", "tumor", "glioma", "b5", "black.png", ""),
    ]
    with (folder / "index.csv").open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([COLUMNS, *rows])
    return folder


@pytest.fixture(scope="module")
def built(
    spark: SparkSession,
    source: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, BuiltDataset]:
    """The data set of the drawn slices; not to be changed, copy it."""
    out = tmp_path_factory.mktemp("built") / "dataset"
    request = DatasetRequest(source, LakeAddress(out.as_uri()), OPTIONS)
    return out, build_dataset(request, spark)


def _copied(built: tuple[Path, BuiltDataset], tmp_path: Path) -> Path:
    return Path(shutil.copytree(built[0], tmp_path / "copy"))


def _open(folder: Path) -> None:
    with open_dataset(open_lake(LakeAddress(folder.as_uri()))):
        pytest.fail("it was opened")


def _decoded(path: Path) -> npt.NDArray[np.float32]:
    image = next(decode_object(path.read_bytes(), TRAINING_LIMITS))
    assert isinstance(image, DecodedImage)
    return image.pixels


def test_images_masks_and_labels_come_back_identical(
    built: tuple[Path, BuiltDataset], source: Path
) -> None:
    rows: dict[str, Any] = {}
    with open_dataset(open_lake(LakeAddress(built[0].as_uri()))) as dataset:
        for part in PART_SHARES:
            with dataset.open_part(part) as images:
                for row in images.as_numpy_iterator():
                    assert row.part.decode() == part
                    rows[row.path.decode()] = row

    assert len(rows) == IMAGES
    for number in range(IMAGES):
        row = rows[f"{number:02d}.{'jpg' if number % 3 else 'png'}"]
        np.testing.assert_array_equal(row.pixels, _decoded(source / row.path.decode()))
        assert row.label == number % 2
        assert (row.height, row.width) == (60 + number, 64) == row.pixels.shape
        assert row.group_id.decode() == f"g{number // 2}"
        assert row.source.decode() == "drawn"
        assert row.tumor_type.decode() == ("glioma" if number % 2 else "none")
        assert row.plane.decode() == "axial"
        assert row.outlined == (number % 4 != 3)
        expected = _draw(number)[1] if number % 4 == 1 else np.zeros((60 + number, 64), bool)
        np.testing.assert_array_equal(row.outline, expected)


def test_a_part_can_be_run_through_twice_in_the_same_order(
    built: tuple[Path, BuiltDataset],
) -> None:
    with open_dataset(open_lake(LakeAddress(built[0].as_uri()))) as dataset:
        with dataset.open_part("fit") as images:
            first = [row.path for row in images.as_numpy_iterator()]
            second = [row.path for row in images.as_numpy_iterator()]
        with dataset.open_part("fit") as images:
            third = [row.path for row in images.as_numpy_iterator()]

    assert first == second == third
    assert len(first) == dataset.manifest.parts["fit"]


def test_the_bytes_of_the_files_are_stored_as_they_are(
    built: tuple[Path, BuiltDataset], source: Path
) -> None:
    # Without petastorm, as another reader of Parquet would.
    tables = [pq.read_table(path) for path in sorted(built[0].glob("images/images-*.parquet"))]
    rows = {row["path"]: row for row in pa.concat_tables(tables).to_pylist()}

    for name in ("00.png", "01.jpg"):
        stored = np.load(io.BytesIO(rows[name]["image"])).tobytes()
        assert stored == (source / name).read_bytes()


def test_bad_files_are_named_and_written_down(built: tuple[Path, BuiltDataset]) -> None:
    listed = list(csv.DictReader((built[0] / "set_aside.csv").open(encoding="utf-8")))

    found = {row["path"]: row["problem"] for row in listed}

    assert found.keys() == {
        "absent.png",
        "broken.png",
        "no-mask.jpg",
        "small-mask.jpg",
        "empty-mask.jpg",
    }
    assert found["absent.png"].startswith("not_retrieved: the file is missing")
    assert found["broken.png"].startswith("unreadable: ")
    assert found["no-mask.jpg"] == "its mask is missing"
    assert found["small-mask.jpg"] == "its mask has the size 5x4, the image 64x61"
    assert found["empty-mask.jpg"] == "its label is tumor, its mask is empty"
    assert built[1].plan.set_aside == [SetAside(r["path"], r["problem"]) for r in listed]


def test_a_data_set_is_not_written_over(
    spark: SparkSession, built: tuple[Path, BuiltDataset], source: Path
) -> None:
    request = DatasetRequest(source, LakeAddress(built[0].as_uri()), OPTIONS)

    with pytest.raises(OutputError, match="is not empty"):
        build_dataset(request, spark)


def test_kaggle_folders_that_leak_cannot_keep_their_split(
    spark: SparkSession, tmp_path: Path
) -> None:
    for name, number in {
        "Training/glioma_tumor/a.png": 1,
        "Training/no_tumor/b.png": 2,
        "Testing/no_tumor/turned.png": 2,
    }.items():
        path = tmp_path / "kaggle" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rot90(_draw(number)[0], number == 2)).save(path)
    request = DatasetRequest(
        tmp_path / "kaggle",
        LakeAddress((tmp_path / "out").as_uri()),
        PlanOptions(keep_split=True, maximum_set_aside=0, seed=5),
    )

    with pytest.raises(TrainingDataError, match="is in fit and in test"):
        build_dataset(request, spark)

    assert not (tmp_path / "out").exists()


def test_a_kaggle_folder_goes_to_a_bucket_and_comes_back(
    spark: SparkSession, s3_lake: LakeAddress, tmp_path: Path
) -> None:
    for number in range(4):
        # Coarse squares: unlike drawn heads, no two of them are near-duplicates.
        squares = np.random.default_rng(number).random((6, 6))
        folder = tmp_path / "Training" / ("pituitary" if number % 2 else "notumor")
        folder.mkdir(parents=True, exist_ok=True)
        levels = (np.kron(squares, np.ones((10, 10))) * 255).astype(np.uint8)
        Image.fromarray(levels).save(folder / f"{number}.png")
    (tmp_path / "licence.txt").write_text("none", "utf-8")

    built = build_dataset(DatasetRequest(tmp_path, s3_lake, OPTIONS), spark)

    rows: dict[str, Any] = {}
    with open_dataset(open_lake(s3_lake)) as dataset:
        for part in PART_SHARES:
            with dataset.open_part(part) as images:
                rows |= {row.path.decode(): row for row in images.as_numpy_iterator()}
    assert {path: (row.label, row.tumor_type) for path, row in rows.items()} == {
        "Training/notumor/0.png": (0, b"none"),
        "Training/notumor/2.png": (0, b"none"),
        "Training/pituitary/1.png": (1, b"pituitary"),
        "Training/pituitary/3.png": (1, b"pituitary"),
    }
    assert len({row.group_id for row in rows.values()}) == 4
    assert built.plan.set_aside == [SetAside("licence.txt", "no class folder tells its label")]


def test_a_foreign_parquet_folder_is_refused_before_petastorm_opens_it(
    built: tuple[Path, BuiltDataset], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jobs.petastorm_files.make_reader", lambda *_, **__: pytest.fail("opened"))
    shutil.copytree(built[0] / "images", tmp_path / "foreign" / "images")

    with pytest.raises(TrainingDataError, match=r"no dataset\.json.*unpickle"):
        _open(tmp_path / "foreign")


def test_a_forged_schema_is_refused_even_with_a_manifest_that_fits(
    built: tuple[Path, BuiltDataset], tmp_path: Path
) -> None:
    folder = _copied(built, tmp_path)
    metadata = folder / "images" / "_common_metadata"
    schema = pq.read_schema(metadata)
    forged = {**schema.metadata, b"dataset-toolkit.unischema.v1": b"cbuiltins\neval\n(S'1'\ntR."}
    pq.write_metadata(schema.with_metadata(forged), metadata)
    manifest = json.loads((folder / "dataset.json").read_bytes())
    fitting = vars(StoredFile.of("images/_common_metadata", metadata.read_bytes()))
    manifest["files"] = [
        fitting if file["key"] == fitting["key"] else file for file in manifest["files"]
    ]
    (folder / "dataset.json").write_text(json.dumps(manifest), "utf-8")

    with pytest.raises(TrainingDataError, match="not the one that this release writes"):
        _open(folder)


def test_a_changed_file_is_refused(built: tuple[Path, BuiltDataset], tmp_path: Path) -> None:
    folder = _copied(built, tmp_path)
    with next(folder.glob("images/images-*.parquet")).open("ab") as file:
        file.write(b"x")

    with pytest.raises(TrainingDataError, match="is not the file that the manifest names"):
        _open(folder)


def test_a_file_that_is_not_in_the_manifest_is_refused(
    built: tuple[Path, BuiltDataset], tmp_path: Path
) -> None:
    folder = _copied(built, tmp_path)
    shutil.copy(next(folder.glob("images/images-*.parquet")), folder / "images" / "more.parquet")

    with pytest.raises(TrainingDataError, match="missing or too many, the first is images/more"):
        _open(folder)


@pytest.mark.parametrize("content", ["{}", "[]", "x", '{"format": "another"}'])
def test_another_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "dataset.json").write_text(content, "utf-8")

    with pytest.raises(TrainingDataError, match="is not of 'mri-triage dataset 1'"):
        _open(tmp_path)
