from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from model.compared_judge import load_plain_judges
from model.comparison_rows import find_row
from model.comparison_store import ComparisonFolder
from model.errors import ConfigurationError
from model.reasons import Reason
from tests.unit.model.pictures import as_image, draw_head

SIZE = 32


def keep_brightness_network(folder: Path, name: str, sees: str) -> None:
    """Keep a finished row whose network calls bright pictures tumours."""
    levels = keras.Input((SIZE, SIZE, 1))
    mean = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255.0)(levels))
    logit = layers.Dense(1, kernel_initializer="ones", bias_initializer="zeros")(mean)
    figures = {"size": SIZE, "sees": sees, "threshold": 0.65}
    network = keras.Model(levels, {"logit": logit})
    ComparisonFolder(folder, lambda _: {}).keep(find_row(name), figures, network)


def test_a_plain_network_flags_at_its_own_threshold_and_knows_no_scope(tmp_path: Path) -> None:
    keep_brightness_network(tmp_path, "cnn_dropout_whole_picture", "whole_picture")
    pixels, head = draw_head()
    dark = as_image(pixels)
    bright = as_image(np.where(head, pixels, 0.99).astype(np.float32))

    judges = load_plain_judges(tmp_path)
    judged = judges["cnn_dropout_whole_picture"]([dark, bright])

    assert list(judges) == ["cnn_dropout_whole_picture"]
    assert judged.reasons.tolist() == [str(Reason.BELOW_THRESHOLD), str(Reason.TUMOR_SUSPECTED)]
    assert judged.flagged.tolist() == [False, True]
    assert not judged.out_of_scope.any()
    assert judged.probabilities[0] < 0.65 <= judged.probabilities[1]


def test_the_networks_that_are_finished_are_judges(tmp_path: Path) -> None:
    keep_brightness_network(tmp_path, "cnn_dropout", "head")
    keep_brightness_network(tmp_path, "cnn_dropout_whole_picture", "whole_picture")
    keep_brightness_network(tmp_path, "cnn_l2", "head")

    assert list(load_plain_judges(tmp_path)) == ["cnn_dropout", "cnn_dropout_whole_picture"]


def test_a_folder_without_a_plain_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="mri-triage compare first"):
        load_plain_judges(tmp_path)
