from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from flows.cli import main
from flows.comparison import reading_line
from flows.comparison_tables import comparison_notes, comparison_table
from model.comparison import take_reading
from model.comparison_training import Stretch
from tests.unit.model.comparison_figures import (
    ALWAYS_TUMOR,
    make_content,
    make_figures,
    make_part,
    scores_with_overlap,
)

STRETCH = Stretch(epoch=2, pictures=12800, loss=0.512, drawn_tumors=0.62)


def test_the_line_of_an_epoch_says_that_everything_is_called_a_tumour() -> None:
    line = reading_line("dense_64", take_reading(STRETCH, ALWAYS_TUMOR, make_part()), 12)

    assert line.startswith("dense_64 2/12: 12,800 pictures (62% tumours), loss 0.512;")
    assert "called tumour 100.0%, accuracy 0.750 (always tumour: 0.750)" in line
    assert line.endswith("TUMOUR EVERY TIME")


def test_the_line_of_a_network_that_has_learned_says_no_such_thing() -> None:
    reading = take_reading(STRETCH, scores_with_overlap(0.0), make_part())

    assert "EVERY TIME" not in reading_line("cnn_dropout", reading, 12)


def test_a_reading_without_a_finite_loss_can_be_kept() -> None:
    stretch = Stretch(epoch=1, pictures=100, loss=float("nan"), drawn_tumors=0.5)

    record = take_reading(stretch, ALWAYS_TUMOR, make_part()).as_record()

    assert record["training_loss"] is None
    assert record["called_tumor"] == 1.0


def test_the_table_has_a_row_for_each_network_and_the_notes_name_the_page() -> None:
    content = make_content(make_figures("dense_64", ALWAYS_TUMOR))
    console = Console(width=200, record=True, file=Path("/dev/null").open("w"))  # noqa: SIM115

    console.print(comparison_table(content))

    text = console.export_text()
    assert "one dense layer of 64" in text
    assert "1,234,567" in text
    assert comparison_notes(content, Path("out"))[-1] == "the page: out/compare.html"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--row", "vgg"], "'vgg'"), (["--minutes", "0"], "--minutes")],
)
def test_a_wrong_argument_is_refused_before_anything_is_read(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folders = ["--data", str(tmp_path), "--imagenet", str(tmp_path), "--out", str(tmp_path)]

    assert main(["compare", *folders, *arguments]) == 2

    assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
