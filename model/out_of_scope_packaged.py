"""Real pictures that are no brain MR, from the example data of packages that are installed anyway.

They are read where those packages keep them, so that nothing is downloaded and no copy is shipped.
What shows a brain in MR is left out on purpose (matplotlib's ``s1045.ima.gz``), and so is
scikit-image's drawing of a head, which is neither. The CT of a head is in: it is no MR.
"""

from __future__ import annotations

import warnings
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pydicom
from PIL import Image

Colours = npt.NDArray[np.uint8]
"""(height, width, 3), or (height, width) if gray."""

FACES: Final = 200
"""Crops of scikit-image's ``lfw_subset.npy``, 25 x 25 pixels: 100 faces, 100 pieces of others."""

_SKIMAGE, _SKLEARN = ("skimage", "data"), ("sklearn", "datasets", "images")
_MATPLOTLIB, _ICONS = (
    ("matplotlib", "mpl-data", "sample_data"),
    ("matplotlib", "mpl-data", "images"),
)
_PYDICOM = ("pydicom", "data", "test_files")

PHOTOGRAPHS: Final = {
    "choosing": (
        (*_SKIMAGE, "astronaut.png"),
        (*_SKIMAGE, "brick.png"),
        (*_SKIMAGE, "cell.png"),
        (*_SKIMAGE, "chelsea.png"),
        (*_SKIMAGE, "coins.png"),
        (*_SKIMAGE, "gravel.png"),
        (*_SKIMAGE, "hubble_deep_field.jpg"),
        (*_SKIMAGE, "ihc.png"),
        (*_SKIMAGE, "motorcycle_left.png"),
        (*_SKIMAGE, "rocket.jpg"),
        (*_SKLEARN, "china.jpg"),
        (*_MATPLOTLIB, "topobathy.npz"),
    ),
    "measuring": (
        (*_SKIMAGE, "camera.png"),
        (*_SKIMAGE, "clock_motion.png"),
        (*_SKIMAGE, "coffee.png"),
        (*_SKIMAGE, "grass.png"),
        (*_SKIMAGE, "microaneurysms.png"),
        (*_SKIMAGE, "moon.png"),
        (*_SKIMAGE, "retina.jpg"),
        (*_SKLEARN, "flower.jpg"),
        (*_MATPLOTLIB, "grace_hopper.jpg"),
        (*_MATPLOTLIB, "jacksboro_fault_dem.npz"),
    ),
}
DOCUMENTS: Final = {
    "choosing": (
        (*_SKIMAGE, "text.png"),
        (*_SKIMAGE, "logo.png"),
        (*_MATPLOTLIB, "Minduka_Present_Blue_Pack.png"),
        (*_ICONS, "help_large.png"),
        (*_ICONS, "home_large.png"),
        (*_ICONS, "qt4_editor_options_large.png"),
    ),
    "measuring": (
        (*_SKIMAGE, "page.png"),
        (*_SKIMAGE, "horse.png"),
        (*_SKIMAGE, "color.png"),
        (*_PYDICOM, "GDCMJ2K_TextGBR.dcm"),
        (*_ICONS, "matplotlib_large.png"),
        (*_ICONS, "move_large.png"),
        (*_ICONS, "subplots_large.png"),
    ),
}
BODY_PARTS: Final = {
    "choosing": (
        (*_PYDICOM, "693_J2KI.dcm"),  # CT of a head
        (*_PYDICOM, "JPEG2000.dcm"),  # bone scan of a whole body
        (*_PYDICOM, "examples_jpeg2k.dcm"),  # ultrasound of a lymph node
        (*_PYDICOM, "liver_1frame.dcm"),  # outline of a liver
    ),
    "measuring": (
        (*_PYDICOM, "CT_small.dcm"),  # CT of a spine
        (*_PYDICOM, "J2K_pixelrep_mismatch.dcm"),  # CT of a head, another one
        (*_PYDICOM, "MR_small.dcm"),  # MR of a joint
        (*_PYDICOM, "examples_overlay.dcm"),  # MR of an abdomen
        (*_PYDICOM, "examples_palette.dcm"),  # ultrasound
        (*_PYDICOM, "examples_ybr_color.dcm"),  # ultrasound of a heart
    ),
}


def read_packaged(place: tuple[str, ...]) -> Colours:
    """Read a picture that a package carries.

    Args:
        place: the package and the path within it, part by part.

    Raises:
        FileNotFoundError: if the installed package carries it no more.
    """
    path = Path(str(files(place[0]).joinpath(*place[1:])))
    if path.suffix == ".dcm":
        return _read_dicom(path)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            (values,) = (arrays[name] for name in arrays.files if arrays[name].ndim == 2)
        return _as_bytes(values)
    with Image.open(path) as image:
        # A transparent icon lies on white, as a viewer shows it.
        whole = image.convert("RGBA")
        white = Image.new("RGBA", whole.size, "white")
        return np.asarray(Image.alpha_composite(white, whole).convert("RGB"))


def read_face(number: int) -> Colours:
    """Read one of the `FACES` crops of photographs, (25, 25)."""
    path = Path(str(files("skimage").joinpath("data", "lfw_subset.npy")))
    return _as_bytes(np.load(path, mmap_mode="r")[number])


def _read_dicom(path: Path) -> Colours:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # these files exist to be odd
        dataset = pydicom.dcmread(path)
        values = dataset.pixel_array
    frames = int(dataset.get("NumberOfFrames", 1))
    frame: npt.NDArray[Any] = values[frames // 2] if frames > 1 else values
    has_colours = frame.ndim > 2 and frame.dtype == np.uint8
    return frame if has_colours else _as_bytes(frame)


def _as_bytes(values: npt.NDArray[Any]) -> Colours:
    levels = values.astype(np.float64)
    low, high = np.percentile(levels, (0.5, 99.5))
    stretched = np.clip((levels - low) / max(high - low, 1e-9), 0.0, 1.0) * 255.0
    return np.asarray(stretched, dtype=np.uint8)
