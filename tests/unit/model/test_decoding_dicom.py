from __future__ import annotations

import io
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, Sequence, dcmread
from pydicom.encaps import encapsulate, generate_frames
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    RLELossless,
)

from model.decoding import DecodingLimits, decode_object
from model.errors import (
    ImageError,
    NonDiagnosticError,
    TooLargeError,
    UnreadableError,
    UnsupportedError,
)
from model.images import DecodedImage
from tests.unit.model.decoding_samples import (
    LIMITS,
    STUDY,
    bundled,
    bundled_as_mr,
    decode_all,
    decode_one,
    encode,
    make_slice,
    ramp,
    write,
)


def wide_ramp() -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """Values from -1000 to 3000."""
    return np.linspace(-1000, 3000, 64 * 48).reshape(64, 48).astype(np.int16)


def test_a_slice_without_window_is_shown_between_percentiles() -> None:
    image = decode_one(write(make_slice(wide_ramp())))

    assert image.format == "dicom"
    assert image.study_uid == STUDY
    assert (image.original_width, image.original_height) == (48, 64)
    assert image.detail is None
    np.testing.assert_allclose(image.pixels, np.linspace(0, 1, 64 * 48).reshape(64, 48), atol=0.01)


def test_a_few_hot_pixels_do_not_darken_the_picture() -> None:
    stored = wide_ramp()
    stored[0, :3] = 32767

    image = decode_one(write(make_slice(stored)))

    assert image.pixels[-1, -1] > 0.95


def test_the_window_of_the_file_is_applied_to_rescaled_values() -> None:
    dataset = make_slice(
        np.array([[0, 50, 100, 150, 200]], dtype=np.uint16),
        RescaleSlope="2",
        RescaleIntercept="-100",
        WindowCenter="100.5",
        WindowWidth="401",
    )

    image = decode_one(write(dataset))

    np.testing.assert_allclose(image.pixels[0], [0.0, 0.25, 0.5, 0.75, 1.0], atol=1e-6)


def test_a_window_that_hides_the_picture_is_replaced_and_said_so() -> None:
    dataset = make_slice(wide_ramp(), WindowCenter="-5000", WindowWidth="10")

    image = decode_one(write(dataset))

    assert image.detail == "the file's window hides the picture; a percentile window was used"
    assert 0.4 < image.pixels.mean() < 0.6


def test_monochrome1_is_inverted() -> None:
    upright = decode_one(write(make_slice(wide_ramp())))
    inverted = decode_one(write(make_slice(wide_ramp(), PhotometricInterpretation="MONOCHROME1")))

    np.testing.assert_allclose(inverted.pixels, 1.0 - upright.pixels, atol=1e-6)


def test_a_negative_slope_turns_dark_into_bright() -> None:
    image = decode_one(write(make_slice(wide_ramp(), RescaleSlope="-1", RescaleIntercept="0")))

    assert image.pixels[0, 0] == 1.0
    assert image.pixels[-1, -1] == 0.0


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_is_black_and_does_not_count_for_the_percentiles(photometric: str) -> None:
    stored = wide_ramp()
    stored[:, :8] = -32768
    dataset = make_slice(stored, PixelPaddingValue=-32768, PhotometricInterpretation=photometric)

    image = decode_one(write(dataset))

    assert image.pixels[:, :8].max() == 0.0
    assert 0.4 < image.pixels[:, 8:].mean() < 0.6


@pytest.mark.parametrize("bits", range(8, 17))
@pytest.mark.parametrize("signed", [False, True])
def test_eight_to_sixteen_bits_with_and_without_sign_give_the_same_picture(
    bits: int, signed: bool
) -> None:
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    kind = ("i" if signed else "u") + ("1" if bits == 8 else "2")
    levels = np.linspace(0, 1, 64 * 48).reshape(64, 48)
    stored = np.rint(low + levels * (high - low)).astype(kind)

    image = decode_one(write(make_slice(stored, BitsStored=bits, HighBit=bits - 1)))

    np.testing.assert_allclose(image.pixels, levels, atol=0.01)


@pytest.mark.parametrize("kind", ["u2", "i2"])
def test_twelve_bits_at_the_top_of_sixteen_are_moved_down(kind: str) -> None:
    stored = np.linspace(0, 4095, 64 * 48).reshape(64, 48).astype("u2")
    window = {"WindowCenter": "2048", "WindowWidth": "4096"}
    if kind == "i2":
        window["WindowCenter"] = "0"
        stored = stored - 2048
    frames = np.stack([stored.astype(kind) << 4 | 9] * 2).astype(kind)  # an overlay below them

    images = decode_all(write(make_slice(frames, BitsStored=12, HighBit=15, **window)))

    for image in images:
        assert isinstance(image, DecodedImage)
        assert image.detail is None
        expected = np.linspace(0, 1, 64 * 48).reshape(64, 48)
        np.testing.assert_allclose(image.pixels, expected, atol=0.001)


def test_an_overlay_of_its_own_is_not_drawn() -> None:
    plain = make_slice(wide_ramp())
    overlaid = make_slice(wide_ramp())
    overlaid.add_new(0x60000010, "US", 64)
    overlaid.add_new(0x60000011, "US", 48)
    overlaid.add_new(0x60000040, "CS", "G")
    overlaid.add_new(0x60000050, "SS", [1, 1])
    overlaid.add_new(0x60000100, "US", 1)
    overlaid.add_new(0x60000102, "US", 0)
    overlaid.add_new(0x60003000, "OW", b"\xff" * (64 * 48 // 8))

    images = [decode_one(write(dataset)) for dataset in (plain, overlaid)]

    np.testing.assert_array_equal(images[0].pixels, images[1].pixels)


def test_a_file_with_an_overlay_from_a_scanner_is_read() -> None:
    image = decode_one(bundled_as_mr("examples_overlay.dcm"))

    assert image.pixels.shape == (300, 484)


def test_overlay_bits_above_the_stored_ones_are_dropped() -> None:
    plain = np.linspace(0, 4095, 64 * 48).reshape(64, 48).astype(np.uint16)
    with_overlay = plain | (np.eye(64, 48, dtype=np.uint16) << 15)

    shown = [
        decode_one(write(make_slice(stored, BitsStored=12, HighBit=11)))
        for stored in (plain, with_overlay)
    ]

    np.testing.assert_array_equal(shown[0].pixels, shown[1].pixels)


def test_every_frame_of_a_multi_frame_object_is_an_image() -> None:
    frames = np.stack([ramp(), 255 - ramp(), ramp()])

    images = decode_all(write(make_slice(frames)))

    assert [image.frame for image in images] == [0, 1, 2]
    assert all(image.study_uid == STUDY for image in images)


def test_one_broken_frame_does_not_take_the_others_with_it() -> None:
    good = encode(ramp(), "JPEG")
    scan = good.index(b"\xff\xda")
    broken = good[:scan] + b"\xff\xda\x00\x02\xff\xd9"
    dataset = make_slice(np.stack([ramp()] * 3))
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([good, broken, good])

    first, second, third = decode_all(write(dataset))

    assert isinstance(first, DecodedImage)
    assert isinstance(second, UnreadableError)
    assert (second.frame, second.study_uid, second.format) == (1, STUDY, "dicom")
    assert isinstance(third, DecodedImage)
    assert third.frame == 2


def test_functional_groups_of_a_frame_are_read() -> None:
    dataset = make_slice(np.stack([ramp(), ramp()]))
    dataset.PerFrameFunctionalGroupsSequence = Sequence(
        [group([1, 0, 0, 0, 1, 0]), group([0, 1, 0, 0, 0, -1])]
    )

    images = list(decode_object(write(dataset), LIMITS))

    planes = [image.acquisition.plane for image in images if isinstance(image, DecodedImage)]
    assert planes == ["axial", "sagittal"]


def group(orientation: list[int]) -> Dataset:
    plane, functional = Dataset(), Dataset()
    plane.ImageOrientationPatient = orientation
    functional.PlaneOrientationSequence = Sequence([plane])
    return functional


@pytest.mark.parametrize(
    "name",
    [
        "MR_small.dcm",
        "MR_small_RLE.dcm",
        "MR_small_bigendian.dcm",
        "MR_small_implicit.dcm",
        "MR_small_jp2klossless.dcm",
        "MR_small_jpeg_ls_lossless.dcm",
        "MR_small_padded.dcm",
    ],
)
def test_every_lossless_transfer_syntax_gives_the_same_picture(name: str) -> None:
    expected = decode_one(bundled("MR_small_expb.dcm"))

    image = decode_one(bundled(name))

    np.testing.assert_array_equal(image.pixels, expected.pixels)
    assert image.acquisition.plane == "axial"


@pytest.mark.parametrize(
    ("name", "frames"),
    [
        ("JPEG2000.dcm", 1),
        ("JPGExtended.dcm", 1),
        ("JPEGLSNearLossless_16.dcm", 1),
        ("SC_rgb_jpeg_gdcm.dcm", 1),
        ("SC_rgb_jpeg_lossy_gdcm.dcm", 1),
        ("693_J2KI.dcm", 1),
        ("GDCMJ2K_TextGBR.dcm", 1),
        ("SC_rgb_jls_lossy_line.dcm", 1),
        ("SC_rgb_rle_16bit.dcm", 1),
        ("SC_rgb_small_odd_big_endian.dcm", 1),
        ("examples_rgb_color.dcm", 1),
        ("SC_rgb_rle_2frame.dcm", 2),
        ("SC_ybr_full_422_uncompressed.dcm", 1),
        ("examples_palette.dcm", 1),
        ("image_dfl.dcm", 1),
        ("examples_ybr_color.dcm", 30),
    ],
)
def test_other_codecs_and_colour_models_are_read(name: str, frames: int) -> None:
    images = decode_all(bundled_as_mr(name))

    assert len(images) == frames
    for image in images:
        assert isinstance(image, DecodedImage), image
        assert 0.02 < image.pixels.mean() < 0.98


def test_a_compressed_slice_whose_syntax_is_not_named_is_unreadable() -> None:
    noise = np.random.default_rng(0).integers(0, 4096, (64, 48)).astype(np.uint16)
    dataset = make_slice(noise, BitsStored=12, HighBit=11)
    dataset.compress(RLELossless)
    data = write(dataset).replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0")
    assert len(dataset.PixelData) > noise.nbytes  # so that nothing seems to be missing

    (error,) = decode_all(data)

    assert isinstance(error, UnreadableError)


def test_a_slice_without_preamble_and_meta_information_is_read() -> None:
    data = bundled("MR_small_implicit.dcm")
    dataset = dcmread(io.BytesIO(data))
    buffer = io.BytesIO()
    del dataset.file_meta
    dataset.preamble = None
    dataset.save_as(buffer, implicit_vr=True, little_endian=True)

    image = decode_one(buffer.getvalue())

    np.testing.assert_array_equal(image.pixels, decode_one(data).pixels)


def test_the_acquisition_is_read_without_free_text() -> None:
    dataset = make_slice(
        ramp(),
        Manufacturer="SIEMENS, Jane Doe",
        ManufacturerModelName="Skyra 3T of Jane Doe",
        MagneticFieldStrength="30000",
        PixelSpacing=["0.5", "0.7"],
        ImageOrientationPatient=["1", "0", "0", "0", "0", "-1"],
        ScanningSequence="SE",
        RepetitionTime="600",
        EchoTime="10",
        ContrastBolusAgent="Jane Doe 10 ml",
        PatientName="Doe^Jane",
        SeriesDescription="T1 of Jane Doe",
    )

    image = decode_one(write(dataset))

    assert image.acquisition.manufacturer == "Siemens"
    assert image.acquisition.scanner_model == "Skyra 3T"
    assert image.acquisition.field_strength_tesla == 3.0
    assert image.acquisition.pixel_spacing_mm == 0.5
    assert image.acquisition.plane == "coronal"
    assert image.acquisition.sequence == "T1+C"
    assert "Doe" not in repr(image)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"ScanningSequence": "SE", "RepetitionTime": "4000", "EchoTime": "100"}, "T2"),
        ({"ScanningSequence": "SE", "RepetitionTime": "3000", "EchoTime": "15"}, "PD"),
        (
            {
                "ScanningSequence": ["SE", "IR"],
                "RepetitionTime": "9000",
                "EchoTime": "120",
                "InversionTime": "2500",
            },
            "FLAIR",
        ),
        (
            {
                "ScanningSequence": ["GR", "IR"],
                "RepetitionTime": "2300",
                "EchoTime": "3",
                "InversionTime": "900",
            },
            "T1",
        ),
        ({"ScanningSequence": "GR", "RepetitionTime": "600", "EchoTime": "20"}, "T2*"),
        ({"ScanningSequence": ["EP", "SE"], "EchoTime": "80"}, "EPI"),
        ({"ScanningSequence": "SE"}, None),
    ],
)
def test_the_sequence_is_named_from_its_timing(
    attributes: dict[str, object], expected: str | None
) -> None:
    image = decode_one(write(make_slice(ramp(), **attributes)))

    assert image.acquisition.sequence == expected


@pytest.mark.parametrize(("answer", "expected"), [("YES", True), ("NO", False), ("", None)])
def test_burned_in_text_is_yes_no_or_open(answer: str, expected: bool | None) -> None:
    image = decode_one(write(make_slice(ramp(), BurnedInAnnotation=answer)))

    assert image.burned_in_text is expected


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.88.22", "Modality": "SR"}, "structured report"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.11.1", "Modality": "PR"}, "presentation state"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7", "Modality": "MR"}, "secondary capture"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2", "Modality": "CT"}, "another modality"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"SeriesDescription": "AAHead_Scout"}, "localizer"),
        ({"ProtocolName": "3-pl loc"}, "localizer"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "screen capture"),
        ({"BodyPartExamined": "KNEE"}, "another part of the body"),
        ({"ImageType": ["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]}, "derived map"),
        ({"ImageType": ["DERIVED", "SECONDARY", "PROJECTION IMAGE"]}, "derived map"),
        ({"QualityControlImage": "YES"}, "phantom"),
        ({"PatientName": "ACR^Phantom"}, "phantom"),
        ({"StudyDescription": "QA PHANTOM weekly"}, "phantom"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.39.1", "Modality": "OT"}, "colour palette"),
    ],
)
def test_what_is_no_diagnostic_brain_image_is_named(
    attributes: dict[str, object], kind: str
) -> None:
    (error,) = decode_all(write(make_slice(ramp(), **attributes)))

    assert isinstance(error, NonDiagnosticError)
    assert kind in str(error)
    assert (error.study_uid, error.format) == (STUDY, "dicom")


@pytest.mark.parametrize(
    "attributes",
    [
        {"ImageType": ["DERIVED", "SECONDARY"]},
        {"ImageType": ["DERIVED", "SECONDARY", "MPR"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "DIFFUSION", "ADC"]},
        {"PatientName": "Phantomas^Jane", "QualityControlImage": "NO"},
        {"BodyPartExamined": "HEAD"},
        {"BodyPartExamined": "CSPINE"},
        {"BodyPartExamined": "WHOLEBODY"},
        {"SeriesDescription": "T1 allocated, resurvey"},
        {"Modality": "OT"},
        {"Modality": "CT"},  # contradicts the class, which says MR
    ],
)
def test_doubt_ends_in_scoring_the_image(attributes: dict[str, object]) -> None:
    assert decode_one(write(make_slice(ramp(), **attributes))).pixels.shape == (64, 48)


def test_bundled_reports_and_plans_are_non_diagnostic() -> None:
    for name in ("test-SR.dcm", "rtplan.dcm", "waveform_ecg.dcm", "CT_small.dcm"):
        (error,) = decode_all(bundled(name))

        assert isinstance(error, NonDiagnosticError), name


def test_an_image_object_without_pixel_data_is_unreadable() -> None:
    dataset = make_slice(ramp())
    del dataset.PixelData

    (error,) = decode_all(write(dataset))

    assert isinstance(error, UnreadableError)
    assert error.study_uid == STUDY


def test_truncated_pixel_data_are_unreadable() -> None:
    (error,) = decode_all(bundled("MR_truncated.dcm"))

    assert isinstance(error, UnreadableError)
    assert str(error) == "truncated: 8130 of 8192 bytes of pixel data"


@pytest.mark.parametrize("lost", [1, 30, 200])
def test_a_compressed_frame_that_breaks_off_is_unreadable(lost: int) -> None:
    whole = encode(ramp(), "JPEG")
    dataset = make_slice(ramp())
    dataset.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    dataset.PixelData = encapsulate([whole[:-lost] + bytes(lost)])

    (error,) = decode_all(write(dataset))

    assert isinstance(error, UnreadableError)


@pytest.mark.parametrize("name", ["MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_compressed_frame_with_a_zeroed_part_is_unreadable(name: str, share: float) -> None:
    dataset = dcmread(io.BytesIO(bundled(name)))
    frame = bytearray(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    start = int(share * len(frame))
    frame[start : start + 70] = bytes(70)
    dataset.PixelData = encapsulate([bytes(frame)])

    (error,) = decode_all(write(dataset))

    assert isinstance(error, UnreadableError)


def test_a_mostly_black_frame_is_whole_in_every_codec() -> None:
    black = np.zeros((512, 512), np.uint16)
    black[200:300, 200:300] = 900 + np.random.default_rng(0).integers(0, 90, (100, 100))
    for syntax in (JPEGLSLossless, JPEG2000Lossless, RLELossless):
        dataset = make_slice(black, BitsStored=12, HighBit=11)
        dataset.compress(syntax)

        assert decode_one(write(dataset)).pixels.max() == 1.0


def test_a_video_is_unsupported() -> None:
    dataset = make_slice(ramp())
    dataset.PixelData = encapsulate([b"\x00\x00\x01\xb3"])
    dataset.file_meta.TransferSyntaxUID = UID("1.2.840.10008.1.2.4.102")

    (error,) = decode_all(write(dataset))

    assert isinstance(error, UnsupportedError)


@pytest.mark.parametrize(
    "attributes", [{"Rows": 65535, "Columns": 65535}, {"NumberOfFrames": 2_000_000}]
)
def test_absurd_declarations_are_too_large(attributes: dict[str, object]) -> None:
    (error,) = decode_all(write(make_slice(ramp(), **attributes)))

    assert isinstance(error, TooLargeError)
    assert error.study_uid == STUDY


def test_a_codestream_larger_than_its_rows_and_columns_say_is_too_large() -> None:
    codestream = b"\xff\x4f\xff\x51\x00\x29\x00\x00" + (60_000).to_bytes(4, "big") * 2 + bytes(30)
    dataset = make_slice(ramp())
    dataset.file_meta.TransferSyntaxUID = JPEG2000Lossless
    dataset.PixelData = encapsulate([codestream])

    (error,) = decode_all(write(dataset))

    assert isinstance(error, TooLargeError)


def test_an_object_that_inflates_beyond_the_limit_is_too_large() -> None:
    plain = make_slice(ramp())
    plain.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
    data = write(plain)
    start = data.index(b"1.2.840.10008.1.2.1.99")
    bomb = zlib.compressobj(9, wbits=-15)
    meta = data[: data.index(b"\x02\x00\x12\x00", start)]
    length = (len(meta) - 144).to_bytes(4, "little")

    stream = meta[:140] + length + meta[144:] + bomb.compress(bytes(10_000_000)) + bomb.flush()
    (error,) = decode_all(stream, DecodingLimits(1_000_000, 2**22, 10))

    assert isinstance(error, TooLargeError)


def test_decoding_leaves_warnings_and_loggers_as_they_were(
    recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = make_slice(ramp())
    dataset.StudyInstanceUID = STUDY
    data = write(dataset).replace(STUDY.encode(), b"Doe^Jane".ljust(len(STUDY)))

    image = decode_one(data)

    assert image.study_uid is None
    assert not recwarn.list
    assert not caplog.records


@pytest.mark.data
def test_real_slices_are_axial_and_well_lit() -> None:
    folder = Path(os.environ["MRI_DATA"]) / "dicom_healthy_t1"

    for path in sorted(folder.glob("*.dcm")):
        image = decode_one(path.read_bytes())

        assert image.acquisition.plane == "axial"
        assert image.pixels.shape == (384, 274)
        assert 0.02 < image.pixels.mean() < 0.3


def test_no_error_escapes_that_is_not_an_image_error() -> None:
    for name in ("badVR.dcm", "UN_sequence.dcm", "nested_priv_SQ.dcm", "meta_missing_tsyntax.dcm"):
        for item in decode_all(bundled(name)):
            assert isinstance(item, ImageError)
