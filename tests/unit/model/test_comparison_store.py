from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from model.comparison_rows import ComparedRow, find_row
from model.comparison_store import ComparisonFolder, load_compared
from model.comparison_training import make_scoring
from model.errors import BundleError, ConfigurationError, OutputError
from model.seed_networks import build_dense
from tests.unit.model.pictures import as_image, draw_head

ROW = find_row("dense_64")
FIGURES = {"name": ROW.name, "size": 32, "sees": "head", "threshold": 0.25}


def _settings(_row: ComparedRow) -> dict[str, Any]:
    return {"data": "d", "seed": 1}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A comparison with one finished row."""
    ComparisonFolder(tmp_path / "out", _settings).keep(ROW, FIGURES, build_dense(32))
    return tmp_path / "out"


def test_a_kept_network_scores_as_it_did(tmp_path: Path) -> None:
    network = build_dense(32)
    ComparisonFolder(tmp_path, _settings).keep(ROW, FIGURES, network)

    loaded = load_compared(tmp_path, "dense_64")

    prepared = [loaded.prepare(as_image(draw_head(90, 80)[0])) for _ in range(3)]
    expected = make_scoring(network)(np.stack(prepared))
    assert loaded.threshold == 0.25
    assert loaded.score(prepared).tolist() == pytest.approx(expected.tolist())
    assert loaded.score([]).tolist() == []


def test_a_finished_row_is_found_by_those_who_ask_for_the_same(folder: Path) -> None:
    assert list(ComparisonFolder(folder, _settings).finished()) == ["dense_64"]


def test_a_row_of_other_settings_is_refused_and_the_setting_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"dense_64, made with another data:"):
        ComparisonFolder(folder, lambda _: {"data": "other", "seed": 1}).finished()


def test_weights_without_figures_are_no_finished_row(folder: Path) -> None:
    (folder / "rows" / "dense_64.json").unlink()

    assert ComparisonFolder(folder, _settings).finished() == {}
    with pytest.raises(BundleError, match="compare --row dense_64"):
        load_compared(folder, "dense_64")


@pytest.mark.parametrize("name", ["dense_64.json", "dense_64.keras"])
def test_a_damaged_row_is_named(folder: Path, name: str) -> None:
    (folder / "rows" / name).write_bytes(b"{")

    with pytest.raises(BundleError, match=name):
        load_compared(folder, "dense_64")


def test_an_unknown_row_is_refused_with_the_known_ones(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'cnn'.*cnn_dropout"):
        load_compared(folder, "cnn")


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")

    with pytest.raises(OutputError, match="--out"):
        ComparisonFolder(tmp_path / "file" / "out", _settings)
