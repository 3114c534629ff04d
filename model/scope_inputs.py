"""What the scope gate is fitted on: brain MR, brain MR changed, and pictures of other things."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from model.augmentation import Changes, change_levels, decide_changes, depth_inside
from model.clutter import make_clutter
from model.head_region import HeadRegion, find_head
from model.measurement import PreparedPart
from model.out_of_scope import make_out_of_scope_pictures
from model.preprocessing import PreprocessingParameters, prepare_image
from model.scope_fitting import GateInputs, ScopeInputs
from model.training_data import LabelledImage
from model.training_samples import decode_labelled

CHANGED_IMAGES: Final = 1000
"""Of the fit part, evenly drawn: enough to know what changed brain MR looks like."""

SKULL_SHARE: Final = 0.09
"""Of the head's size: about what is taken off with the skull."""

CLUTTERED_IMAGES: Final = 900
"""Of the fit part: slices in front of grain, writing, frames and gradients."""

LEAST_BACKGROUND: Final = 0.03
"""A picture with a smaller share outside its head has no background to put clutter into."""

FeaturesOf = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.float32]]
"""Turns prepared pictures, (n, size, size), into the network's features, (n, d)."""


def make_gate_inputs(
    features_of: FeaturesOf,
    fit: PreparedPart,
    held: PreparedPart,
    parameters: PreprocessingParameters,
    seed: int,
) -> GateInputs:
    """Run a trained network over all that its scope gate is fitted on.

    Args:
        features_of: the network, as `assembly.with_scope_features` gives it.
        fit: the fit part.
        held: the calibration part.
        parameters: preprocessing, for the pictures of other things.
        seed: of the changes.
    """
    strange = [
        prepare_image(picture.image, parameters).network_input
        for picture in make_out_of_scope_pictures("choosing")
    ]
    drawn = np.linspace(0, len(fit.images) - 1, min(CHANGED_IMAGES, len(fit.images))).astype(int)
    return GateInputs(
        fit=ScopeInputs(features_of(fit.inputs), fit.picture_features),
        changed_features=features_of(
            np.concatenate(
                [
                    change_inputs(fit.inputs[drawn], seed),
                    *clutter_inputs(fit.images, parameters, seed),
                ],
            ),
        ),
        held=ScopeInputs(features_of(held.inputs), held.picture_features),
        strange_features=features_of(np.stack(strange)),
    )


def change_inputs(inputs: npt.NDArray[np.uint8], seed: int) -> npt.NDArray[np.uint8]:
    """Change prepared slices as training and other hospitals do: levels, flips, skull removed.

    Args:
        inputs: (n, size, size); not changed.
        seed: of the decisions.

    Returns:
        (n, size, size), 0 outside the head.
    """
    changed = np.empty_like(inputs)
    for number, picture in enumerate(inputs):
        random = np.random.default_rng((seed, number))
        changed[number] = _change_input(picture, decide_changes(random))
    return changed


def clutter_inputs(
    images: Sequence[LabelledImage],
    parameters: PreprocessingParameters,
    seed: int,
) -> list[npt.NDArray[np.uint8]]:
    """Put clutter behind the heads of some images and prepare them as a night would.

    Some of it stays in the network's input, because a head is harder to find in front of it; the
    gate has to know such pictures as brain MR.

    Args:
        images: labelled images; `CLUTTERED_IMAGES` of them are taken, evenly drawn.
        parameters: preprocessing.
        seed: of the clutter.

    Returns:
        Blocks of (1, size, size), one for each image with a head and a background.

    Raises:
        TrainingDataError: if an image cannot be read.
    """
    drawn = np.linspace(0, len(images) - 1, min(CLUTTERED_IMAGES, len(images))).astype(int)
    cluttered = []
    for number in drawn.tolist():
        image = decode_labelled(images[number])
        head = find_head(image.pixels)
        outside = ~enlarge_mask(head, image.pixels.shape)
        if head.found and outside.mean() >= LEAST_BACKGROUND:
            random = np.random.default_rng((seed, number))
            height, width = image.pixels.shape
            pixels = np.where(outside, make_clutter((height, width), random), image.pixels)
            prepared = prepare_image(replace(image, pixels=pixels), parameters)
            cluttered.append(prepared.network_input[None])
    return cluttered


def enlarge_mask(head: HeadRegion, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """Return the head's hull in the picture's own pixels, (height, width)."""
    height, width = head.mask.shape
    rows = np.minimum((np.arange(shape[0]) / head.scale).astype(int), height - 1)
    columns = np.minimum((np.arange(shape[1]) / head.scale).astype(int), width - 1)
    enlarged: npt.NDArray[np.bool_] = head.mask[np.ix_(rows, columns)]
    return enlarged


def _change_input(picture: npt.NDArray[np.uint8], changes: Changes) -> npt.NDArray[np.uint8]:
    hull = ndimage.binary_fill_holes(ndimage.binary_closing(picture > 0, iterations=2))
    if changes.hull_growth < -SKULL_SHARE / 2:
        hull = depth_inside(hull) > SKULL_SHARE * np.sqrt(hull.sum())
    levels = change_levels(picture.astype(np.float32) / np.float32(255), hull, changes)
    levels = np.where(hull, np.clip(levels, 0.0, 1.0), 0.0)
    levels = levels[:, ::-1] if changes.mirror else levels
    levels = levels[::-1] if changes.upside_down else levels
    return np.asarray(levels * 255.0 + 0.5, dtype=np.uint8)
