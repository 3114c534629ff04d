from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from model.comparison_rows import (
    ROWS,
    Pretrained,
    build_network,
    choose_rows,
    find_row,
    is_pretrained,
    name_first_weights,
)
from model.errors import ConfigurationError


def test_rows_come_in_the_order_of_the_story_however_they_are_asked_for() -> None:
    assert choose_rows([]) == list(ROWS)
    names = [row.name for row in choose_rows(["two_headed", "dense_64"])]
    assert names == ["dense_64", "two_headed"]


def test_first_weights_are_named_by_their_content_where_a_row_has_any(tmp_path: Path) -> None:
    files = [tmp_path / "a", tmp_path / "b"]
    for file in files:
        file.write_bytes(file.name.encode())
    one, other = (Pretrained(file, "none") for file in files)
    row = find_row("two_headed")

    assert name_first_weights(row, one) != name_first_weights(row, other)
    assert name_first_weights(find_row("dense_64"), one) == "none"
    assert name_first_weights(find_row("resnet50"), one) == "none"


def test_resnet50_is_pretrained_only_with_weights(tmp_path: Path) -> None:
    row = find_row("resnet50")

    assert not is_pretrained(row, Pretrained(tmp_path, "none"))
    assert is_pretrained(row, Pretrained(tmp_path, tmp_path / "notop.h5"))
    assert is_pretrained(find_row("two_headed"), Pretrained(tmp_path, "none"))


@pytest.mark.parametrize("content", [None, b"no archive", "other"])
def test_weights_that_do_not_fit_are_refused_with_their_file(
    tmp_path: Path,
    content: bytes | str | None,
) -> None:
    file = tmp_path / "weights.npz"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        np.savez(file, other=np.zeros(3))

    with pytest.raises(ConfigurationError, match=r"weights\.npz"):
        build_network(find_row("efficientnet_lite0"), Pretrained(file, "none"), 1)
