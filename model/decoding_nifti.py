"""NIfTI volumes: one item a slice.

A volume is cut across the axis along which its voxels are farthest apart, as it was acquired;
where they are about as far apart on all axes, from foot to head. Slices are shown as a
radiologist hangs them: the nose on top or to the left, the patient's right on the left.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from model.decoding_guard import image_errors_only
from model.dicom_acquisition import name_plane
from model.errors import ImageError, UnreadableError
from model.gray_levels import robust_levels
from model.images import Acquisition, DecodedImage, GrayPixels
from model.nifti_header import NiftiHeader, inflate, read_header
from model.preflight import DecodingLimits, check_frames, check_pixels

THICK_SLICES: Final = 1.5
"""Voxels so many times as long as wide were acquired as slices across their length."""

HEAD_AXIS: Final = 2
SHOWN_AXES: Final = {0: (2, 1), 1: (2, 0), 2: (1, 0)}
"""Axes of the patient that run down and across a slice, by the axis that it is cut across."""


@dataclass(frozen=True)
class Hanging:
    """How the voxel axes lie in the patient, and which slices are cut.

    Attributes:
        voxel_axes: the voxel axis that runs along each of the patient's axes: to the right, to
            the front, to the head.
        is_reversed: whether it runs the other way, likewise.
        across: the patient's axis that slices are cut across.
    """

    voxel_axes: tuple[int, int, int]
    is_reversed: tuple[bool, bool, bool]
    across: int


def decode_nifti(
    data: bytes,
    image_format: str,
    limits: DecodingLimits,
) -> Iterator[DecodedImage | ImageError]:
    """Decode a NIfTI file, maybe inside gzip.

    Args:
        data: the whole file.
        image_format: ``nifti``.
        limits: see there.

    Yields:
        One item a slice, volume after volume, from right to left, back to front or foot to head.

    Raises:
        ImageError: if the file as a whole cannot be opened.
    """
    inflated = inflate(data, limits.maximum_bytes)
    with image_errors_only("reading the header"):
        header = read_header(inflated)
        hanging = hang_slices(header)
    slices = header.shape[hanging.voxel_axes[hanging.across]]
    height, width = (header.shape[hanging.voxel_axes[axis]] for axis in SHOWN_AXES[hanging.across])
    check_pixels(width, height, limits)
    check_frames(slices * header.volumes, limits)
    _check_length(inflated, header)
    acquisition = _read_acquisition(header, hanging)
    for volume in range(header.volumes):
        voxels = _read_volume(inflated, header, hanging, volume)
        for place in range(slices):
            frame = volume * slices + place
            try:
                with image_errors_only("showing the slice"):
                    pixels = _show_slice(np.take(voxels, place, hanging.across), header)
            except ImageError as error:
                error.frame = frame
                yield error
                continue
            yield DecodedImage(
                pixels=pixels,
                original_width=width,
                original_height=height,
                format=image_format,
                frame=frame,
                acquisition=acquisition,
                detail=_tell_place(place, slices, volume, header.volumes),
            )


def hang_slices(header: NiftiHeader) -> Hanging:
    """Find the patient's axes in the volume, and the one to cut across."""
    directions = np.eye(3) if header.axes is None else header.axes
    directions = directions / np.linalg.norm(directions, axis=0)
    voxel_axes, is_reversed, left = [0, 0, 0], [False, False, False], np.abs(directions)
    for _ in range(3):  # the clearest pair first
        patient_axis, voxel_axis = (int(i) for i in divmod(int(np.argmax(left)), 3))
        voxel_axes[patient_axis] = voxel_axis
        is_reversed[patient_axis] = bool(directions[patient_axis, voxel_axis] < 0)
        left[patient_axis, :] = left[:, voxel_axis] = -1.0
    spacing = [header.spacing_mm[axis] for axis in voxel_axes]
    is_flat = [header.shape[axis] == 1 for axis in voxel_axes]
    if any(is_flat):
        across = is_flat.index(True)
    elif min(spacing) > 0 and max(spacing) >= THICK_SLICES * sorted(spacing)[1]:
        across = spacing.index(max(spacing))
    else:
        across = HEAD_AXIS
    return Hanging(
        (voxel_axes[0], voxel_axes[1], voxel_axes[2]),
        (is_reversed[0], is_reversed[1], is_reversed[2]),
        across,
    )


def _check_length(data: bytes, header: NiftiHeader) -> None:
    expected = header.offset + header.volumes * header.volume_bytes
    if len(data) < expected:
        message = f"truncated: {len(data)} of {expected} bytes"
        raise UnreadableError(message)


def _read_volume(
    data: bytes,
    header: NiftiHeader,
    hanging: Hanging,
    volume: int,
) -> npt.NDArray[np.generic]:
    """Return one volume as a view with axes to the right, to the front and to the head."""
    count = int(np.prod(header.shape))
    start = header.offset + volume * header.volume_bytes
    flat = np.frombuffer(data, header.data_type, count, start)
    voxels = flat.reshape(header.shape, order="F").transpose(hanging.voxel_axes)
    return voxels[tuple(slice(None, None, -1 if turned else 1) for turned in hanging.is_reversed)]


def _show_slice(stored: npt.NDArray[np.generic], header: NiftiHeader) -> GrayPixels:
    """Return gray levels of the two axes that remain, in the order right, front, head.

    All three run the other way in the picture: down, to the right, or to the patient's left.
    """
    with np.errstate(all="ignore"):
        values = stored.T.astype(np.float64) * header.slope + header.intercept
        values = values.astype(np.float32)[::-1, ::-1]
    if not np.isfinite(values).any():
        message = "no voxel of the slice holds a number"
        raise UnreadableError(message)
    return robust_levels(values)


def _read_acquisition(header: NiftiHeader, hanging: Hanging) -> Acquisition:
    down, across = (hanging.voxel_axes[axis] for axis in SHOWN_AXES[hanging.across])
    plane = None
    if header.axes is not None:
        plane = name_plane([*header.axes[:, across], *header.axes[:, down]])
    return Acquisition(pixel_spacing_mm=header.spacing_mm[down] or None, plane=plane)


def _tell_place(place: int, slices: int, volume: int, volumes: int) -> str:
    told = f"slice {place + 1} of {slices}"
    return told if volumes == 1 else f"{told} in volume {volume + 1} of {volumes}"
