"""Which images of a folder are measured, and what may be said of the result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from model.card import Card
from model.errors import TrainingDataError
from model.training_data import (
    SPLIT_SEED,
    LabelledImage,
    Part,
    digest_of_split,
    read_index,
    split_by_group,
)

PartName = Literal["fit", "calibration", "test", "all"]


@dataclass(frozen=True)
class EvaluatedPart:
    """The images that are measured.

    Attributes:
        name: of the part.
        images: in the order of the folder's index.
        is_training_folder: whether the folder's split is the one that the bundle was made from.
        reason: why this part, in words.
        warning: what the reader must know before believing a figure, or None.
    """

    name: PartName
    images: list[LabelledImage]
    is_training_folder: bool
    reason: str
    warning: str | None


def choose_part(folder: Path, card: Card, asked: PartName | None) -> EvaluatedPart:
    """Choose what is measured: the part asked for, else what the bundle has not seen.

    Args:
        folder: of labelled images, with ``index.csv``.
        card: of the bundle; its `data_digest` tells the folder that it was trained on.
        asked: a part, or None for the test part of the training folder and all of any other.

    Raises:
        TrainingDataError: if the folder cannot be used or the part holds no image.
    """
    images, parts, is_training_folder = _read_split(folder, card)
    name = asked or ("test" if is_training_folder else "all")
    chosen = images if name == "all" else _in_order(images, parts[name])
    if not chosen:
        message = f"the {name} part of {folder} holds no image: choose another --part"
        raise TrainingDataError(message)
    return EvaluatedPart(
        name=name,
        images=chosen,
        is_training_folder=is_training_folder,
        reason=_reason(name, asked, is_training_folder=is_training_folder),
        warning=_warning(name, is_training_folder=is_training_folder),
    )


def choose_calibration(folder: Path, card: Card) -> EvaluatedPart:
    """Choose what a threshold may be chosen on: images that no weight was fitted on.

    Returns:
        The calibration part of the training folder; of any other folder all images.

    Raises:
        TrainingDataError: if the folder cannot be used or holds no tumour there.
    """
    images, parts, is_training_folder = _read_split(folder, card)
    chosen = _in_order(images, parts["calibration"]) if is_training_folder else images
    if not any(image.label == 1 for image in chosen):
        message = f"{folder} holds no tumour to choose a threshold on: expected some, and normals"
        raise TrainingDataError(message)
    if is_training_folder:
        reason = "the calibration part of the folder that the bundle was trained from"
        return EvaluatedPart("calibration", chosen, is_training_folder, reason, None)
    reason = "all of the folder, which is not the one that the bundle was trained from"
    return EvaluatedPart("all", chosen, is_training_folder, reason, _MAY_OVERLAP)


_MAY_OVERLAP = (
    "If the folder holds copies of images that the bundle was trained on, the figures are too good."
)


def _read_split(
    folder: Path,
    card: Card,
) -> tuple[list[LabelledImage], dict[Part, list[LabelledImage]], bool]:
    images = read_index(folder, both_classes=False)
    parts = split_by_group(images, SPLIT_SEED)
    return images, parts, digest_of_split(parts, folder) == card.data_digest


def _in_order(images: list[LabelledImage], part: list[LabelledImage]) -> list[LabelledImage]:
    paths = {image.path for image in part}
    return [image for image in images if image.path in paths]


def _reason(name: PartName, asked: PartName | None, *, is_training_folder: bool) -> str:
    if asked is not None:
        return f"the part asked for: {name}"
    if is_training_folder:
        return "the grouped test part of the folder that the bundle was trained from"
    return "all of the folder, which is not the one that the bundle was trained from"


def _warning(name: PartName, *, is_training_folder: bool) -> str | None:
    if not is_training_folder:
        return _MAY_OVERLAP
    if name == "test":
        return None
    if name == "calibration":
        return (
            "The bundle's threshold, temperature and scope gate were chosen on these images: the "
            "figures are too good, use --part test."
        )
    return (
        "The network was trained on these images, or on some of them: the figures say how well it "
        "remembers, not how well it reads. Use --part test."
    )
