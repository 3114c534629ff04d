from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from model.images import DecodedImage
from model.measurement import PreparedPart
from model.out_of_scope import SIDES, list_originals
from model.preprocessing import PreprocessingParameters, prepare_image
from model.scope_inputs import change_inputs, make_gate_inputs
from model.training_data import LabelledImage
from tests.unit.model.pictures import as_image, draw_head

PARAMETERS = PreprocessingParameters(size=64)


def _mean_levels(inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(inputs.mean(axis=(1, 2))[:, None], dtype=np.float32)


def _head(number: int) -> DecodedImage:
    return as_image(draw_head(100 + number, 90)[0])


def _part(name: str, count: int) -> PreparedPart:
    images = [
        LabelledImage(Path(f"{name}-{number}.png"), "drawn", 0, "none", "g", None)
        for number in range(count)
    ]
    return PreparedPart(images, [prepare_image(_head(n), PARAMETERS) for n in range(count)])


def test_the_gate_sees_brain_mr_changed_brain_mr_and_the_pictures_to_choose_on() -> None:
    fit, held = _part("fit", 6), _part("held", 4)

    inputs = make_gate_inputs(_mean_levels, fit, held, PARAMETERS, seed=3)

    np.testing.assert_array_equal(inputs.fit.features, _mean_levels(fit.inputs))
    np.testing.assert_array_equal(inputs.held.features, _mean_levels(held.inputs))
    np.testing.assert_array_equal(inputs.held.pictures, held.picture_features)
    assert len(inputs.changed_features) == 6
    assert (inputs.changed_features != inputs.fit.features).any()
    to_choose_on = sum(original.pictures for original in list_originals(SIDES[0]))
    assert len(inputs.strange_features) == to_choose_on


def test_changed_slices_stay_black_outside_the_head_and_the_originals_stay_as_they_are() -> None:
    inputs = _part("fit", 12).inputs
    before = inputs.copy()

    changed = change_inputs(inputs, seed=4)

    np.testing.assert_array_equal(inputs, before)
    assert changed.shape == inputs.shape
    assert (changed != inputs).any(axis=(1, 2)).all()
    assert (changed[:, 0, 0] == 0).all()
    np.testing.assert_array_equal(changed, change_inputs(inputs, seed=4))


def test_some_changed_slices_have_lost_their_skull() -> None:
    inputs = _part("fit", 40).inputs

    changed = change_inputs(inputs, seed=5)

    shares = (changed > 0).sum(axis=(1, 2)) / (inputs > 0).sum(axis=(1, 2))
    assert 2 <= (shares < 0.8).sum() <= 20
