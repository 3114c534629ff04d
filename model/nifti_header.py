"""The header of a NIfTI volume, version 1 or 2, in one file (``.nii``, ``.nii.gz``).

Layout: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and .../nifti2/nifti2.h.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from model.errors import TooLargeError, UnreadableError, UnsupportedError

GZIP_MAGIC: Final = b"\x1f\x8b"
GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
"""Tells zlib to expect gzip's own head and checksum."""

NIFTI_1_BYTES: Final = 348
NIFTI_2_BYTES: Final = 540
HEAD_BYTES: Final = NIFTI_2_BYTES
"""Enough to see the magic bytes and to read either header."""

MOST_DIMENSIONS: Final = 7

DATA_TYPES: Final = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
"""NumPy's names of the codes that are one number a voxel; not complex numbers, not colours."""

Matrix: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NiftiHeader:
    """What a header declares.

    Attributes:
        shape: (x, y, z) voxels; an absent dimension is 1.
        volumes: of that shape, one after the other.
        data_type: of a voxel, byte order included.
        offset: of the first voxel in the file, bytes.
        slope: a stored value is multiplied by it; 1 where the file leaves it out.
        intercept: added afterwards.
        spacing_mm: (x, y, z) distances of the voxels.
        axes: (3, 3), column by column the direction of the voxel axes x, y, z in the patient
            (to the right, to the front, to the head), of any length; None where the file does
            not say.
    """

    shape: tuple[int, int, int]
    volumes: int
    data_type: np.dtype[np.generic]
    offset: int
    slope: float
    intercept: float
    spacing_mm: tuple[float, float, float]
    axes: Matrix | None

    @property
    def volume_bytes(self) -> int:
        """Bytes of one volume."""
        return int(np.prod(self.shape, dtype=object)) * self.data_type.itemsize


def is_nifti(data: bytes) -> bool:
    """Tell whether the bytes start with a NIfTI header, maybe inside gzip."""
    return _find_version(_first_bytes(data)) is not None


def inflate(data: bytes, maximum_bytes: int) -> bytes:
    """Return the volume's bytes, out of gzip if need be.

    Raises:
        TooLargeError: if there are more than `maximum_bytes`.
        UnreadableError: if the gzip data break off, their checksum is wrong, or something else
            follows them.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    inflated, left = bytearray(), data
    while left.strip(b"\0"):  # gzip streams may follow each other, and zeros the last
        inflater = zlib.decompressobj(GZIP_WINDOW)
        try:
            inflated += inflater.decompress(left, maximum_bytes + 1 - len(inflated))
        except zlib.error:
            message = "damaged: the gzip data cannot be read"
            raise UnreadableError(message) from None
        if len(inflated) > maximum_bytes:
            message = f"inflates beyond the limit of {maximum_bytes} bytes"
            raise TooLargeError(message)
        if not inflater.eof:
            message = "truncated: the gzip data break off"
            raise UnreadableError(message)
        left = inflater.unused_data
    return bytes(inflated)


def read_header(data: bytes) -> NiftiHeader:
    """Read the header of an inflated file.

    Raises:
        UnreadableError: if it breaks off or contradicts itself.
        UnsupportedError: if a voxel is no single number.
    """
    try:
        return _read_fields(data)
    except struct.error:
        message = "truncated: the header breaks off"
        raise UnreadableError(message) from None


def _read_fields(data: bytes) -> NiftiHeader:
    found = _find_version(data)
    if found is None:
        message = "no NIfTI header"
        raise UnreadableError(message)
    version, order = found
    where = _NIFTI_1 if version == 1 else _NIFTI_2

    def read(name: str) -> tuple[float, ...]:
        layout, position = where[name]
        return struct.unpack_from(order + layout, data, position)

    (offset,), (slope,), (intercept,) = read("offset"), read("slope"), read("intercept")
    spacing = [abs(value) if np.isfinite(value) else 0.0 for value in read("spacing")]
    (code,) = read("data_type")
    if code not in DATA_TYPES:
        message = f"NIfTI data of type {int(code)} are not read"
        raise UnsupportedError(message)
    shape, volumes = _read_shape(tuple(int(value) for value in read("dimensions")))
    if not np.isfinite(offset) or offset < (NIFTI_1_BYTES if version == 1 else NIFTI_2_BYTES):
        message = "the voxels are said to begin inside the header"
        raise UnreadableError(message)
    is_scaled = bool(np.isfinite(slope)) and slope != 0.0
    return NiftiHeader(
        shape=shape,
        volumes=volumes,
        data_type=np.dtype(order + DATA_TYPES[int(code)]),
        offset=int(offset),
        slope=slope if is_scaled else 1.0,
        intercept=intercept if is_scaled and np.isfinite(intercept) else 0.0,
        spacing_mm=(spacing[1], spacing[2], spacing[3]),
        axes=_read_axes(read("forms"), read("rows"), read("quaternion"), read("spacing")),
    )


def _read_shape(dimensions: tuple[int, ...]) -> tuple[tuple[int, int, int], int]:
    count, sizes = dimensions[0], dimensions[1:]
    if not 2 <= count <= MOST_DIMENSIONS or min(sizes[:count]) < 1:  # noqa: PLR2004 - a picture
        message = "the file declares a volume without size"
        raise UnreadableError(message)
    x, y, z = (*sizes[:count], 1)[:3]
    return (x, y, z), int(np.prod(sizes[3:count], dtype=object))


def _read_axes(
    forms: tuple[float, ...],
    rows: tuple[float, ...],
    quaternion: tuple[float, ...],
    spacing: tuple[float, ...],
) -> Matrix | None:
    """Return the directions of the voxel axes: the sform if there is one, else the qform."""
    qform, sform = forms
    axes: Matrix | None = None
    if sform > 0:
        axes = np.array(rows, dtype=np.float64).reshape(3, 4)[:, :3]
    elif qform > 0:
        axes = _rotation_of(quaternion)
        axes[:, 2] *= -1.0 if spacing[0] < 0 else 1.0  # "qfac"
    if axes is None or not np.isfinite(axes).all() or abs(np.linalg.det(axes)) == 0.0:
        return None
    return axes


def _rotation_of(quaternion: tuple[float, ...]) -> Matrix:
    """Return the rotation of a unit quaternion of which (b, c, d) are given."""
    b, c, d = quaternion
    a = max(0.0, 1.0 - (b * b + c * c + d * d)) ** 0.5
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
        ],
    )


def _first_bytes(data: bytes) -> bytes:
    if not data.startswith(GZIP_MAGIC):
        return data[:HEAD_BYTES]
    try:
        return zlib.decompressobj(GZIP_WINDOW).decompress(data[: 2**16], HEAD_BYTES)
    except zlib.error:
        return b""


def _find_version(head: bytes) -> tuple[int, str] | None:
    """Return the version and the byte order as `struct` names it, None for other files."""
    for order in "<>":
        size = head[:4]
        if size == struct.pack(f"{order}i", NIFTI_1_BYTES) and head[344:348] == b"n+1\0":
            return 1, order
        if size == struct.pack(f"{order}i", NIFTI_2_BYTES) and head[4:12] == b"n+2\0\r\n\x1a\n":
            return 2, order
    return None


_NIFTI_1: Final = {
    "dimensions": ("8h", 40),
    "data_type": ("h", 70),
    "spacing": ("8f", 76),
    "offset": ("f", 108),
    "slope": ("f", 112),
    "intercept": ("f", 116),
    "forms": ("2h", 252),
    "quaternion": ("3f", 256),
    "rows": ("12f", 280),
}
_NIFTI_2: Final = {
    "data_type": ("h", 12),
    "dimensions": ("8q", 16),
    "spacing": ("8d", 104),
    "offset": ("q", 168),
    "slope": ("d", 176),
    "intercept": ("d", 184),
    "forms": ("2i", 344),
    "quaternion": ("3d", 352),
    "rows": ("12d", 400),
}
"""Where the fields stand: as `struct` reads them, and from which byte."""
