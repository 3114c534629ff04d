"""What this project asks of petastorm and its pins; a newer one that breaks it fails here."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from jobs.petastorm_files import SCHEMA, decode_row, encode_file, schema_pickle

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", ["petastorm", "pyarrow", "numpy", "pyspark"])
def test_petastorm_runs_with_the_releases_that_it_was_tried_with(name: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

    assert f"{name}=={metadata.version(name)}" in project["project"]["dependencies"]


def test_pyarrow_still_has_the_datasets_that_petastorm_is_built_on() -> None:
    assert hasattr(pq, "ParquetDatasetPiece")


def test_the_stored_schema_is_the_same_in_every_process() -> None:
    code = "import sys, jobs.petastorm_files as f; sys.stdout.buffer.write(f.schema_pickle())"

    other = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, check=True)

    assert other.stdout == schema_pickle()


def test_the_stored_schema_is_that_of_earlier_releases() -> None:
    # If this must change, every data set has to be built again: say so in the changelog.
    digest = hashlib.sha256(schema_pickle()).hexdigest()

    assert digest == "7ed33cd23f94e6831da39c2bd56bc7a1716bf4d90bf67e246351f3cef9cc7dd4"


@pytest.mark.parametrize("content", [b"\xff\xd8 a picture\xff\xd9", b"ends in zeros\0\0", b""])
def test_a_file_comes_back_byte_for_byte(content: bytes) -> None:
    field = SCHEMA.fields["image"]

    decoded = field.codec.decode(field, encode_file(content))

    assert decoded.tobytes() == content


@pytest.mark.parametrize(("label", "outlined"), [(0, True), (1, False)])
def test_without_a_mask_the_outline_of_a_tumor_is_not_known(label: int, outlined: bool) -> None:
    picture = ROOT / "tests/mini_lake/lake/incoming"
    content = next(picture.rglob("*.png")).read_bytes()
    row = {
        "label": label,
        "image": np.frombuffer(content, np.uint8),
        "mask": np.zeros(0, np.uint8),
    }

    decoded = decode_row(row)

    assert decoded["outlined"] == outlined
    assert decoded["outline"].shape == decoded["pixels"].shape
    assert not decoded["outline"].any()
