"""`mri-triage compare` on drawn slices with budgets of a second: real in every part."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest
from rich.console import Console

import flows.comparison
from flows.cli import main
from flows.comparison import ComparisonRequest, compare_with_bars
from model.comparison import run_row
from model.comparison_rows import ComparedRow
from model.comparison_store import load_compared
from model.training_data import read_index
from model.training_samples import decode_labelled
from tests.drawn_slices import write_drawn_slices

pytestmark = pytest.mark.slow

ROWS = ("dense_64_as_they_lie", "cnn_dropout_whole_picture")


class KilledError(Exception):
    """Stands for the end of the process in the middle of a row."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_drawn_slices(tmp_path_factory.mktemp("drawn"), 42)


def _request(data: Path, out: Path, minutes: float = 0.02) -> ComparisonRequest:
    return ComparisonRequest(data, data / "not-needed.npz", out, minutes, ROWS, "none")


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison that was killed in its second row and started again."""
    folder = tmp_path_factory.mktemp("compared")
    made: list[str] = []

    def kill_at_second(
        row: ComparedRow,
        *arguments: Any,  # noqa: ANN401 - whatever `run_row` takes
    ) -> tuple[dict[str, Any], keras.Model]:
        made.append(row.name)
        if len(made) == len(ROWS):
            raise KilledError
        return run_row(row, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flows.comparison, "run_row", kill_at_second)
        with pytest.raises(KilledError):
            compare_with_bars(_request(data, folder), Console())
        assert made == list(ROWS)
        kept = (folder / "rows" / f"{ROWS[0]}.json").read_bytes()
        compare_with_bars(_request(data, folder), Console())
    assert made == [*ROWS, ROWS[1]]
    assert (folder / "rows" / f"{ROWS[0]}.json").read_bytes() == kept
    return folder


def test_a_killed_comparison_goes_on_with_the_rows_that_are_not_finished(out: Path) -> None:
    content = json.loads((out / "compare.json").read_text("utf-8"))

    assert [row["name"] for row in content["rows"]] == list(ROWS)
    assert (out / "compare.html").read_text("utf-8").count("data:image/png") == 4


def test_a_row_holds_its_figures_with_intervals(out: Path) -> None:
    content = json.loads((out / "compare.json").read_text("utf-8"))

    for row in content["rows"]:
        overall = row["test"]["overall"]
        names = ("accuracy", "log_loss", "precision", "sensitivity", "auc", "specificity")
        assert all(overall[name]["low"] <= overall[name]["high"] for name in names)
        assert overall["specificity_at_sensitivity"]["0.99"] is not None
        assert row["readings"][-1]["base_rate"] == pytest.approx(
            content["parts"]["calibration"]["tumors"],
        )
        assert row["pictures_seen"] >= 64
        assert row["images_a_second"] > 0
        assert row["pretrained"] is False


def test_the_kept_networks_can_be_loaded_and_score_pictures(out: Path, data: Path) -> None:
    images = [decode_labelled(image) for image in read_index(data)[:3]]

    for name in ROWS:
        network = load_compared(out, name)
        scores = network.score([network.prepare(image) for image in images])
        assert scores.shape == (3,)
        assert ((scores >= 0.0) & (scores <= 1.0)).all()


def test_rows_of_another_budget_are_not_put_into_one_table(
    out: Path,
    data: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = ["--data", str(data), "--imagenet", str(data / "none.npz"), "--out", str(out)]

    assert main(["compare", *folders, "--row", ROWS[0], "--minutes", "1"]) == 2

    assert "budget_seconds" in capsys.readouterr().err
