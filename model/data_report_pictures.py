"""What a data report keeps of each picture: a few numbers, a thumbnail, and the head cut out.

`measure_picture` runs in the decoding process, so that no decoded picture travels further.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.images import Acquisition, DecodedImage
from model.metrics import Floats
from model.near_duplicates import Thumbnail, make_thumbnail
from model.preprocessing import NetworkInput, PreprocessingParameters, prepare_image
from model.shortcuts import measure_background, measure_border
from model.training_data import LabelledImage

HEAD_VIEW: Final = PreprocessingParameters(size=64)
"""Enough for a linear probe to see a tumour of some centimetres."""


@dataclass(frozen=True)
class PictureMeasures:
    """What is measured of a decoded picture.

    Attributes:
        width: pixels of the file's own picture.
        height: pixels of the file's own picture.
        mean_level: mean gray of the whole picture, 0 black to 1 white, as a viewer shows it.
        thumbnail: see `model.near_duplicates`.
        head_view: (64, 64), the head alone, its levels stretched.
        border: see `model.shortcuts.measure_border`.
        background: see `model.shortcuts.measure_background`.
        acquisition: scanner fields of a DICOM file.
    """

    width: int
    height: int
    mean_level: float
    thumbnail: Thumbnail
    head_view: NetworkInput
    border: Floats
    background: Floats
    acquisition: Acquisition


@dataclass(frozen=True)
class MeasuredPicture:
    """A labelled picture that could be read.

    Attributes:
        image: as listed; its plane is filled in from a DICOM file that says it.
        name: path below the folder.
        digest: SHA-256 of the file.
        format: ``jpeg``, ``png``, ``dicom`` ...
        measures: see there.
        may_be_shown: False for a DICOM file that does not rule out text burned into its pixels.
    """

    image: LabelledImage
    name: str
    digest: str
    format: str
    measures: PictureMeasures
    may_be_shown: bool = True


def measure_picture(image: DecodedImage, _: object) -> PictureMeasures:
    """Measure a decoded picture; it is not changed."""
    return PictureMeasures(
        width=image.original_width,
        height=image.original_height,
        mean_level=float(image.pixels.mean()),
        thumbnail=make_thumbnail(image.pixels),
        head_view=prepare_image(image, HEAD_VIEW).network_input,
        border=measure_border(image),
        background=measure_background(image),
        acquisition=image.acquisition,
    )


def stack_thumbnails(pictures: Sequence[MeasuredPicture]) -> npt.NDArray[np.float32]:
    """Return (n, 32, 32)."""
    return np.stack([picture.measures.thumbnail for picture in pictures])
