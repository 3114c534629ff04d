"""NIfTI volumes, written and turned by nibabel, which the decoder itself does not use."""

from __future__ import annotations

import gzip
import itertools
import struct
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff

from model.decoding import DecodingLimits
from model.errors import ImageError, TooLargeError, UnreadableError, UnsupportedError
from model.images import DecodedImage
from tests.unit.model.decoding_samples import decode_all, decode_one

Volume = npt.NDArray[Any]

SHAPE = (6, 8, 5)
ALL_ORIENTATIONS = [
    "".join(code)
    for axes in itertools.permutations(("RL", "AP", "SI"))
    for code in itertools.product(*axes)
]


def numbered(shape: tuple[int, ...] = SHAPE, dtype: str = "i2") -> Volume:
    return np.random.default_rng(3).permutation(int(np.prod(shape))).reshape(shape).astype(dtype)


def write(image: Any) -> bytes:  # noqa: ANN401 - nibabel has no types
    data: bytes = image.to_bytes()
    return data


def nifti(volume: Volume, affine: Volume | None = None) -> bytes:
    return write(nib.Nifti1Image(volume, np.eye(4) if affine is None else affine))


def slices_of(data: bytes) -> list[DecodedImage]:
    images = [item for item in decode_all(data) if isinstance(item, DecodedImage)]
    assert len(images) == len(decode_all(data))
    return images


def levels(picture: Volume) -> Volume:
    low, high = np.percentile(picture, (0.1, 99.8))
    shown: Volume = np.clip((picture - low) / (high - low), 0, 1)
    return shown


@pytest.mark.parametrize("form", ["sform", "qform"])
@pytest.mark.parametrize("code", ALL_ORIENTATIONS)
def test_every_orientation_is_hung_alike(code: str, form: str) -> None:
    canonical = numbered()
    ornt = nib.orientations.ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(code))
    stored = nib.orientations.apply_orientation(canonical, ornt)
    affine = inv_ornt_aff(ornt, SHAPE)
    image = nib.Nifti1Image(stored, affine)
    image.set_qform(affine, code=1 if form == "qform" else 0)
    image.set_sform(affine, code=1 if form == "sform" else 0)
    assert nib.aff2axcodes(image.affine) == tuple(code)

    images = slices_of(write(image))

    assert [shown.frame for shown in images] == [0, 1, 2, 3, 4]
    for place, shown in enumerate(images):
        # The patient's right on the left, the nose on top.
        expected = levels(canonical[::-1, ::-1, place].T)
        np.testing.assert_allclose(shown.pixels, expected, atol=1e-5)
        assert shown.acquisition.plane == "axial"


@pytest.mark.parametrize(("axis", "plane"), [(0, "sagittal"), (1, "coronal"), (2, "axial")])
def test_thick_slices_are_shown_as_they_were_acquired(axis: int, plane: str) -> None:
    spacing = [0.9, 0.9, 0.9]
    spacing[axis] = 5.0
    volume = numbered()

    images = slices_of(nifti(volume, np.diag([*spacing, 1.0])))

    assert len(images) == SHAPE[axis]
    assert images[0].detail == f"slice 1 of {SHAPE[axis]}"
    assert images[0].acquisition.plane == plane
    assert images[0].acquisition.pixel_spacing_mm == pytest.approx(0.9)
    first = np.take(volume, 0, axis).T[::-1, ::-1]
    np.testing.assert_allclose(images[0].pixels, levels(first), atol=1e-5)


def test_a_single_slice_is_one_image() -> None:
    image = decode_one(nifti(numbered((6, 8, 1)), np.diag([0.5, 0.5, 0.1, 1.0])))

    assert (image.original_width, image.original_height, image.format) == (6, 8, "nifti")


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8", ">i2", ">f4"])
def test_every_type_of_number_and_byte_order_is_read(dtype: str) -> None:
    volume = (numbered((4, 5, 3)) % 60).astype(dtype)
    header = nib.Nifti1Header(endianness=">" if dtype.startswith(">") else "<")
    header.set_data_dtype(volume.dtype)

    images = slices_of(write(nib.Nifti1Image(volume, np.eye(4), header)))

    for place, shown in enumerate(images):
        expected = levels(volume[::-1, ::-1, place].T.astype("f8"))
        np.testing.assert_allclose(shown.pixels, expected, atol=1e-5)


def test_a_negative_slope_turns_dark_into_bright() -> None:
    volume = np.arange(20, dtype="i2").reshape(4, 5, 1)
    image = nib.Nifti1Image(volume, np.eye(4))
    image.header.set_slope_inter(-2.0, 10.0)
    data = bytearray(write(image))
    data[-40:] = volume.tobytes(order="F")  # nibabel scales while writing; put back what was stored

    shown = decode_one(bytes(data)).pixels

    assert shown[-1, -1] == 1.0  # the voxel of value 0
    assert shown[0, 0] == 0.0


def test_version_2_and_gzip_give_the_same_slices() -> None:
    volume = numbered()
    plain = slices_of(nifti(volume))

    for data in (write(nib.Nifti2Image(volume, np.eye(4))), gzip.compress(nifti(volume))):
        for one, other in zip(slices_of(data), plain, strict=True):
            np.testing.assert_array_equal(one.pixels, other.pixels)


def test_every_slice_of_every_volume_is_an_image() -> None:
    images = slices_of(nifti(numbered((4, 5, 3, 2))))

    assert [image.frame for image in images] == [0, 1, 2, 3, 4, 5]
    assert images[4].detail == "slice 2 of 3 in volume 2 of 2"


def test_a_slice_without_a_number_does_not_take_the_others_with_it() -> None:
    volume = numbered((4, 5, 3), "f4")
    volume[..., 1] = np.nan

    first, second, third = decode_all(nifti(volume))

    assert isinstance(first, DecodedImage)
    assert isinstance(second, UnreadableError)
    assert (second.frame, second.format) == (1, "nifti")
    assert isinstance(third, DecodedImage)


@pytest.mark.parametrize("lost", [1, 100, 800])
@pytest.mark.parametrize("packed", [False, True])
def test_a_truncated_volume_is_unreadable(lost: int, packed: bool) -> None:
    data = gzip.compress(nifti(numbered((9, 9, 9)))) if packed else nifti(numbered((9, 9, 9)))

    (error,) = decode_all(data[:-lost])

    assert isinstance(error, UnreadableError)
    assert error.format == "nifti"


def test_gzip_data_with_a_flipped_bit_are_unreadable() -> None:
    data = bytearray(gzip.compress(nifti(numbered((9, 9, 9)))))
    data[len(data) // 2] ^= 4

    (error,) = decode_all(bytes(data))

    assert isinstance(error, UnreadableError)


def test_gzip_data_in_parts_and_padded_with_zeros_are_whole() -> None:
    data = nifti(numbered())
    parts = gzip.compress(data[:500]) + gzip.compress(data[500:]) + bytes(100)

    assert len(slices_of(parts)) == SHAPE[2]


def test_gzip_data_that_something_else_follows_are_unreadable() -> None:
    (error,) = decode_all(gzip.compress(nifti(numbered())) + b"something else")

    assert isinstance(error, UnreadableError)


def test_a_volume_that_inflates_beyond_the_limit_is_too_large() -> None:
    data = gzip.compress(nifti(np.zeros((100, 100, 200), "i2")))

    (error,) = decode_all(data, DecodingLimits(1_000_000, 2**22, 500))

    assert isinstance(error, TooLargeError)


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (DecodingLimits(2**24, 47, 50), "6 x 8 pixels"),
        (DecodingLimits(2**24, 2**22, 4), "5 frames"),
    ],
)
def test_pixels_and_slices_over_the_limits_are_too_large(limits: DecodingLimits, said: str) -> None:
    (error,) = decode_all(nifti(numbered()), limits)

    assert isinstance(error, TooLargeError)
    assert said in str(error)


@pytest.mark.parametrize("dtype", ["c8", [("R", "u1"), ("G", "u1"), ("B", "u1")]])
def test_complex_numbers_and_colours_are_unsupported(dtype: object) -> None:
    (error,) = decode_all(nifti(np.zeros((4, 4, 4), dtype)))  # type: ignore[call-overload] # any dtype

    assert isinstance(error, UnsupportedError)


@pytest.mark.parametrize(
    ("position", "field"),
    [
        (40, struct.pack("<h", 0)),
        (42, struct.pack("<h", -3)),
        (108, struct.pack("<f", float("nan"))),
        (108, struct.pack("<f", 3.0)),
    ],
    ids=["no dimensions", "a negative size", "offset is no number", "offset in the header"],
)
def test_a_header_that_makes_no_sense_is_unreadable(position: int, field: bytes) -> None:
    data = bytearray(nifti(numbered()))
    data[position : position + len(field)] = field

    (error,) = decode_all(bytes(data))

    assert isinstance(error, UnreadableError)


def test_directions_that_make_no_sense_are_not_believed() -> None:
    data = bytearray(nifti(numbered()))
    data[280:328] = struct.pack("<12f", *[float("nan")] * 12)

    images = slices_of(bytes(data))

    assert len(images) == SHAPE[2]
    assert images[0].acquisition.plane is None


def test_a_gzip_of_something_else_and_a_pair_of_files_are_unsupported() -> None:
    header = nib.nifti1.Nifti1PairHeader()

    for data in (gzip.compress(b"text"), header.binaryblock + bytes(4)):
        (error,) = decode_all(data)

        assert isinstance(error, UnsupportedError)


def test_damaged_headers_give_pixels_or_an_image_error() -> None:
    generator = np.random.default_rng(11)
    good = nifti(numbered())
    for _ in range(300):
        data = bytearray(good)
        for place in generator.integers(0, 348, 4):
            data[place] = generator.integers(0, 256)

        for item in decode_all(bytes(data)):
            if not isinstance(item, ImageError):
                assert np.isfinite(item.pixels).all()
                assert 0.0 <= item.pixels.min() <= item.pixels.max() <= 1.0
