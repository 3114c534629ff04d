"""What arrives in each of the three nights: which slices, in which files, beside which rubbish."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from tests.mini_lake.bad_files import BadKind
from tests.mini_lake.contrasts import Contrast
from tests.mini_lake.dicom_files import Examination, Scanner
from tests.mini_lake.recipes import SliceRecipe, draw_recipe, draw_study


class Format(StrEnum):
    """How a slice is stored."""

    JPEG = "jpeg"
    PNG = "png"
    PNG_16_BIT = "png16"
    DICOM = "dicom"


@dataclass(frozen=True)
class Picture:
    """One slice that arrives as a plain picture."""

    key: str
    format: Format
    recipe: SliceRecipe
    quality: int


@dataclass(frozen=True)
class DicomStudy:
    """One examination that arrives as DICOM, slice by slice.

    Attributes:
        folder: below the night.
        examination: whose.
        recipes: series by series.
        transfer_syntaxes: one a series.
        inverted: stored as MONOCHROME1.
    """

    folder: str
    examination: Examination
    recipes: tuple[SliceRecipe, ...]
    transfer_syntaxes: tuple[UID, ...]
    inverted: bool = False


@dataclass(frozen=True)
class BadObject:
    """One object that is no readable brain slice."""

    key: str
    kind: BadKind


@dataclass(frozen=True)
class Night:
    """Everything that arrives in one night."""

    date: str
    pictures: tuple[Picture, ...]
    studies: tuple[DicomStudy, ...]
    bad: tuple[BadObject, ...]


# Twenty pictures; two neighbours share a folder, so a study.
_FORMATS: Final = (Format.JPEG,) * 13 + (Format.PNG,) * 4 + (Format.PNG_16_BIT,) * 3
_EXTENSIONS: Final = {Format.JPEG: "jpg", Format.PNG: "png", Format.PNG_16_BIT: "png"}
_LARGEST_MATRIX: Final = {Format.JPEG: 320, Format.PNG: 230, Format.PNG_16_BIT: 204}
_STUDY_MATRIX: Final = 144

_SCANNERS: Final = (
    Scanner("SIEMENS", "Example 1.5T", 1.5),
    Scanner("GE MEDICAL SYSTEMS", "Example 3T", 3.0),
    Scanner("Philips Medical Systems", "Example 1.0T", 1.0),
)

NIGHTS: Final = ("2026-11-18", "2026-11-19", "2026-11-20")


def plan_nights() -> tuple[Night, ...]:
    """The three nights."""
    return tuple(
        Night(
            date=date,
            pictures=_plan_pictures(index),
            studies=_plan_studies(date),
            bad=_BAD_OBJECTS[date],
        )
        for index, date in enumerate(NIGHTS)
    )


def _plan_pictures(night: int) -> tuple[Picture, ...]:
    return tuple(
        _plan_picture(1000 * (night + 1) + index, index, format_)
        for index, format_ in enumerate(_FORMATS)
    )


def _plan_picture(seed: int, index: int, format_: Format) -> Picture:
    # Pairs, so that a study holds either healthy slices or slices with a lesion.
    with_lesion = index // 2 % 2 == 0
    folder = f"neuro/study-{seed // 1000}{index // 2:03d}"
    recipe = draw_recipe(seed, with_lesion=with_lesion, largest_matrix=_LARGEST_MATRIX[format_])
    return Picture(
        key=f"{folder}/image-{index % 2 + 1}.{_EXTENSIONS[format_]}",
        format=format_,
        recipe=recipe,
        quality=85 + seed % 8,
    )


def _plan_studies(date: str) -> tuple[DicomStudy, ...]:
    return {
        "2026-11-18": (
            DicomStudy(
                folder="neuro/study-0003",
                examination=_examine("study-0003", "A", date, _SCANNERS[0]),
                recipes=tuple(
                    draw_study(
                        501,
                        slices=4,
                        contrasts=(Contrast.T1, Contrast.FLAIR),
                        diameter_mm=None,
                        matrix=_STUDY_MATRIX,
                    ),
                ),
                transfer_syntaxes=(ExplicitVRLittleEndian, JPEGLSLossless),
            ),
        ),
        "2026-11-19": (
            DicomStudy(
                folder="neuro/study-0005",
                examination=_examine("study-0005", "B", date, _SCANNERS[1]),
                recipes=tuple(
                    draw_study(
                        503,
                        slices=3,
                        contrasts=(Contrast.T1_CONTRAST, Contrast.T2),
                        diameter_mm=32.0,
                        matrix=_STUDY_MATRIX,
                    ),
                ),
                transfer_syntaxes=(RLELossless, JPEGLSLossless),
            ),
        ),
        "2026-11-20": (
            DicomStudy(
                folder="neuro/study-0007",
                examination=_examine("study-0007", "C", date, _SCANNERS[2]),
                recipes=tuple(
                    draw_study(
                        506,
                        slices=4,
                        contrasts=(Contrast.T1_CONTRAST, Contrast.FLAIR),
                        diameter_mm=21.0,
                        matrix=_STUDY_MATRIX,
                    ),
                ),
                transfer_syntaxes=(DeflatedExplicitVRLittleEndian, JPEGLSLossless),
            ),
            DicomStudy(
                folder="neuro/study-0008",
                examination=_examine("study-0008", "D", date, _SCANNERS[0]),
                recipes=tuple(
                    draw_study(
                        509,
                        slices=2,
                        contrasts=(Contrast.T1,),
                        diameter_mm=None,
                        matrix=_STUDY_MATRIX,
                    ),
                ),
                transfer_syntaxes=(ExplicitVRLittleEndian,),
                inverted=True,
            ),
        ),
    }[date]


def _examine(name: str, letter: str, date: str, scanner: Scanner) -> Examination:
    return Examination(
        name=name,
        patient_name=f"DEMO^PATIENT {letter}",
        patient_id=f"DEMO-{name[-4:]}",
        date=date.replace("-", ""),
        scanner=scanner,
    )


_BAD_OBJECTS: Final = {
    "2026-11-18": (
        BadObject("transfer/picture-17.jpg", BadKind.TRUNCATED_JPEG),
        BadObject("transfer/picture-18.jpg", BadKind.EMPTY),
    ),
    "2026-11-19": (
        BadObject("transfer/notes.jpg", BadKind.TEXT),
        BadObject("inbox/kitchen.jpg", BadKind.PHOTOGRAPH),
        BadObject("neuro/study-0005/localizer.dcm", BadKind.LOCALIZER),
        BadObject("neuro/study-0005/state.dcm", BadKind.PRESENTATION_STATE),
    ),
    "2026-11-20": (
        BadObject("transfer/picture-31.jpg", BadKind.TRUNCATED_JPEG),
        BadObject("transfer/picture-32.jpg", BadKind.EMPTY),
        BadObject("transfer/readme.jpg", BadKind.TEXT),
        BadObject("transfer/slice-009.dcm", BadKind.NO_PIXELS),
        BadObject("transfer/panorama.png", BadKind.ABSURD_SIZE),
        BadObject("inbox/cat.jpg", BadKind.PHOTOGRAPH),
        BadObject("neuro/study-0007/report.dcm", BadKind.REPORT),
        BadObject("neuro/study-0008/localizer.dcm", BadKind.LOCALIZER),
        BadObject("neuro/study-0008/state.dcm", BadKind.PRESENTATION_STATE),
    ),
}
