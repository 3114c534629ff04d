"""What the torture starts from: files of pydicom, of the mini lake, and its slices in all formats.

The slices that the mini lake holds as healthy are the ones that a night clears, so that a damaged
copy has a chance of being cleared by mistake.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pydicom.data
from PIL import Image
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from tests.mini_lake.score import TRUTH
from tests.unit.model.decoding_samples import encode, make_slice, write

MINI_LAKE: Final = Path(__file__).parents[1] / "mini_lake" / "lake"
PYDICOM_DATA: Final = Path(pydicom.data.__file__).parent

RASTER_FORMATS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "baseline.jpg": ("JPEG", {"quality": 90}),
    "optimised.jpg": ("JPEG", {"quality": 90, "optimize": True}),
    "progressive.jpg": ("JPEG", {"quality": 90, "progressive": True}),
    "gray.png": ("PNG", {}),
    "raw.tif": ("TIFF", {}),
    "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
    "deflate.tif": ("TIFF", {"compression": "tiff_adobe_deflate"}),
    "gray.bmp": ("BMP", {}),
    "gray.gif": ("GIF", {}),
    "lossless.webp": ("WEBP", {"lossless": True}),
    "lossy.webp": ("WEBP", {"quality": 90}),
}
DICOM_SYNTAXES: Final = {
    "native.dcm": ExplicitVRLittleEndian,
    "deflated.dcm": DeflatedExplicitVRLittleEndian,
    "rle.dcm": RLELossless,
    "jpeg-ls.dcm": JPEGLSLossless,
    "jpeg-2000.dcm": JPEG2000Lossless,
}


@dataclass(frozen=True)
class Original:
    """A file as it should be.

    Attributes:
        origin: ``pydicom``, ``mini lake`` or ``drawn``.
        name: of the file, with an extension that fits.
        data: its bytes.
    """

    origin: str
    name: str
    data: bytes


def pydicom_files() -> list[Original]:
    """Every file that pydicom carries for its own tests, well-formed or not."""
    paths = (path for path in PYDICOM_DATA.rglob("*") if path.is_file())
    chosen = sorted(path for path in paths if path.suffix not in {".py", ".pyc"})
    return [
        Original("pydicom", "-".join(path.relative_to(PYDICOM_DATA).parts), path.read_bytes())
        for path in chosen
    ]


def mini_lake_files() -> list[Original]:
    """Every object of the mini lake's three nights."""
    paths = sorted(path for path in MINI_LAKE.rglob("*") if path.is_file())
    return [
        Original("mini lake", "-".join(path.relative_to(MINI_LAKE).parts[1:]), path.read_bytes())
        for path in paths
    ]


def drawn_files(slices: int) -> list[Original]:
    """Some healthy slices of the mini lake, in every format that is read."""
    return [file for pixels, name in _healthy_slices(slices) for file in _encode_all(pixels, name)]


def _healthy_slices(count: int) -> Iterator[tuple[npt.NDArray[np.uint8], str]]:
    """Yield (height, width) gray levels and a name."""
    with TRUTH.open(encoding="utf-8", newline="") as file:
        keys = [row["object_key"] for row in csv.DictReader(file) if row["kind"] == "clean"]
    pictures = [key for key in keys if key.endswith(".jpg")]
    for number, key in enumerate(pictures[:count]):
        with Image.open(MINI_LAKE / key) as image:
            yield np.asarray(image.convert("L")), f"slice-{number}"


def _encode_all(pixels: npt.NDArray[np.uint8], name: str) -> Iterator[Original]:
    for ending, (image_format, options) in RASTER_FORMATS.items():
        yield Original("drawn", f"{name}-{ending}", encode(pixels, image_format, **options))
    deep = pixels.astype(np.uint16) * np.uint16(16)
    yield Original("drawn", f"{name}-16-bit.png", encode(deep, "PNG"))
    for ending, syntax in DICOM_SYNTAXES.items():
        yield Original("drawn", f"{name}-{ending}", _encode_dicom(deep, syntax))
    # As stored volumes lie: the first axis to the right, the second to the front.
    volume = np.ascontiguousarray(deep[::-1, ::-1].T[..., None])
    nifti: bytes = nib.Nifti1Image(volume, np.diag([0.9, 0.9, 5.0, 1.0])).to_bytes()
    yield Original("drawn", f"{name}-volume.nii", nifti)
    yield Original("drawn", f"{name}-volume.nii.gz", gzip.compress(nifti, mtime=0))


def _encode_dicom(values: npt.NDArray[np.uint16], syntax: UID) -> bytes:
    dataset = make_slice(values, BitsStored=12, HighBit=11)
    if syntax.is_encapsulated:
        dataset.compress(syntax, generate_instance_uid=False)
    else:
        dataset.file_meta.TransferSyntaxUID = syntax
    return write(dataset)
