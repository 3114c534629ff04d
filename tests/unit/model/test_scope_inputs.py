from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.head_region import find_head
from model.images import DecodedImage
from model.measurement import PreparedPart
from model.out_of_scope import SIDES, list_originals
from model.preprocessing import PreprocessingParameters, prepare_image
from model.scope_inputs import change_inputs, clutter_inputs, enlarge_mask, make_gate_inputs
from model.training_data import LabelledImage
from tests.unit.model.pictures import as_image, draw_head

PARAMETERS = PreprocessingParameters(size=64)


def _mean_levels(inputs: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    return np.asarray(inputs.mean(axis=(1, 2))[:, None], dtype=np.float32)


def _head(number: int) -> DecodedImage:
    return as_image(draw_head(100 + number, 90)[0])


def _part(folder: Path, count: int) -> PreparedPart:
    images = []
    for number in range(count):
        path = folder / f"{number}.png"
        folder.mkdir(exist_ok=True)
        Image.fromarray((_head(number).pixels * 255).astype(np.uint8)).save(path)
        images.append(LabelledImage(path, "drawn", 0, "none", "g", None))
    return PreparedPart(images, [prepare_image(_head(n), PARAMETERS) for n in range(count)])


def test_the_gate_sees_brain_mr_changed_brain_mr_and_the_pictures_to_choose_on(
    tmp_path: Path,
) -> None:
    fit, held = _part(tmp_path / "fit", 6), _part(tmp_path / "held", 4)

    inputs = make_gate_inputs(_mean_levels, fit, held, PARAMETERS, seed=3)

    np.testing.assert_array_equal(inputs.fit.features, _mean_levels(fit.inputs))
    np.testing.assert_array_equal(inputs.held.features, _mean_levels(held.inputs))
    np.testing.assert_array_equal(inputs.held.pictures, held.picture_features)
    assert len(inputs.changed_features) == 6 + 6
    assert (inputs.changed_features[:6] != inputs.fit.features).any()
    cluttered = np.concatenate(clutter_inputs(fit.images, PARAMETERS, seed=3))
    np.testing.assert_array_equal(inputs.changed_features[6:], _mean_levels(cluttered))
    to_choose_on = sum(original.pictures for original in list_originals(SIDES[0]))
    assert len(inputs.strange_features) == to_choose_on


def test_changed_slices_stay_black_outside_the_head_and_the_originals_stay_as_they_are(
    tmp_path: Path,
) -> None:
    inputs = _part(tmp_path, 12).inputs
    before = inputs.copy()

    changed = change_inputs(inputs, seed=4)

    np.testing.assert_array_equal(inputs, before)
    assert changed.shape == inputs.shape
    assert (changed != inputs).any(axis=(1, 2)).all()
    assert (changed[:, 0, 0] == 0).all()
    np.testing.assert_array_equal(changed, change_inputs(inputs, seed=4))


def test_clutter_stands_behind_the_head_and_the_head_stays_as_it_is(tmp_path: Path) -> None:
    part = _part(tmp_path, 8)

    cluttered = np.concatenate(clutter_inputs(part.images, PARAMETERS, seed=6))

    assert cluttered.shape == (8, 64, 64)
    assert (cluttered != part.inputs).any()
    # What is left of the clutter is little: the head region takes most of it away.
    assert np.median(np.abs(cluttered.astype(int) - part.inputs)) <= 3


def test_a_picture_without_a_background_gets_no_clutter(tmp_path: Path) -> None:
    path = tmp_path / "full.png"
    Image.fromarray(np.full((90, 90), 120, dtype=np.uint8)).save(path)
    image = LabelledImage(path, "drawn", 0, "none", "g", None)

    assert clutter_inputs([image], PARAMETERS, seed=1) == []


def test_the_hull_of_a_shrunken_mask_covers_the_head_in_the_picture_s_own_pixels() -> None:
    pixels = draw_head(150, 400)[0]
    head = find_head(pixels)

    mask = enlarge_mask(head, pixels.shape)

    assert mask.shape == pixels.shape
    assert abs(mask.mean() - head.mask.mean()) < 0.01
    assert pixels[~mask].max() < 0.3


def test_some_changed_slices_have_lost_their_skull(tmp_path: Path) -> None:
    inputs = _part(tmp_path, 40).inputs

    changed = change_inputs(inputs, seed=5)

    shares = (changed > 0).sum(axis=(1, 2)) / (inputs > 0).sum(axis=(1, 2))
    assert 2 <= (shares < 0.8).sum() <= 20
