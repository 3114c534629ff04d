from __future__ import annotations

import io

from PIL import Image

from model.comparison_plots import draw_comparison
from model.comparison_report import render_comparison
from tests.unit.model.comparison_figures import (
    ALWAYS_TUMOR,
    make_content,
    make_figures,
    scores_with_overlap,
)


def test_the_page_holds_every_row_and_needs_nothing_else() -> None:
    content = make_content(
        make_figures("dense_64", ALWAYS_TUMOR),
        make_figures("cnn_dropout_whole_picture", scores_with_overlap(0.2)),
    )

    page = render_comparison(content)

    assert page.count("CNN with dropout, whole picture") >= 4
    assert "1,234,567" in page
    assert "http" not in page
    assert page.count("data:image/png;base64,") == 4


def test_a_training_whose_loss_grew_beyond_bounds_is_drawn_all_the_same() -> None:
    row = make_figures("dense_64", ALWAYS_TUMOR)
    row["readings"][1]["training_loss"] = None

    assert len(draw_comparison([row])) == 4


def test_every_picture_is_a_png_with_words_for_whoever_cannot_see_it() -> None:
    pictures = draw_comparison([make_figures("dense_64", ALWAYS_TUMOR)])

    assert [Image.open(io.BytesIO(picture.png)).format for picture in pictures] == ["PNG"] * 4
    assert all(len(picture.description) > 40 for picture in pictures)
