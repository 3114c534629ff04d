"""Telling, from a DICOM header, what is surely not a diagnostic brain-MR image.

Only what is positively recognised is refused: a document, another modality, a screen capture, a
localizer, a map that was computed from slices, a phantom, a part of the body that cannot be the
head. Refused objects stay flagged, but do not count when their study is judged; so every doubt
must end in scoring the image. In particular ``DERIVED`` and ``SECONDARY`` in ImageType are no
reason by themselves: converters and anonymisers write them into ordinary slices, and reformatted
slices (MPR) show what the original ones show. Free text (series description, protocol, names) is
matched, never passed on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pydicom import Dataset

from model.dicom_attributes import read_text, read_uid, read_words
from model.errors import NonDiagnosticError

MR_CLASSES: Final = frozenset(
    {
        "1.2.840.10008.5.1.4.1.1.4",  # MR Image
        "1.2.840.10008.5.1.4.1.1.4.1",  # Enhanced MR Image
        "1.2.840.10008.5.1.4.1.1.4.3",  # Enhanced MR Color Image
        "1.2.840.10008.5.1.4.1.1.4.4",  # Legacy Converted Enhanced MR Image
    },
)

# SOP class UIDs by their beginning (PS3.4, table B.5-1), and what the reader is told.
NON_IMAGE_CLASSES: Final = (
    ("1.2.840.10008.5.1.4.1.1.88.59", "a key object selection"),
    ("1.2.840.10008.5.1.4.1.1.88.", "a structured report"),
    ("1.2.840.10008.5.1.4.1.1.11.", "a presentation state"),
    ("1.2.840.10008.5.1.4.1.1.104.", "an encapsulated document"),
    ("1.2.840.10008.5.1.4.1.1.9.", "a waveform"),
    ("1.2.840.10008.5.1.4.1.1.481.", "a radiotherapy object"),
    ("1.2.840.10008.5.1.4.1.1.66", "raw data, a registration or a segmentation"),
    ("1.2.840.10008.5.1.4.1.1.4.2", "MR spectroscopy"),
    ("1.2.840.10008.5.1.4.39.", "a colour palette"),
    ("1.2.840.10008.1.3.10", "a media directory"),
)

SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"

NON_IMAGE_MODALITIES: Final = {
    "SR": "a structured report",
    "PR": "a presentation state",
    "KO": "a key object selection",
    "DOC": "an encapsulated document",
    "REG": "a registration",
    "SEG": "a segmentation",
    "RWV": "a real-world value mapping",
}

_IMAGE_MODALITIES: Final = (
    "AR AU BI BMD CR CT DG DX ECG EEG EMG EPS ES FID GM HD IO IVOCT IVUS KER LEN LS MG NM OAM OCT"
    " OP OPM OPT OPV OSS PLAN PT PX RF RG RTDOSE RTIMAGE RTPLAN RTRECORD RTSTRUCT SM SMR SRF STAIN"
    " TEXTUREMAP TG US VA XA XC"
)

IMAGE_MODALITIES: Final = frozenset(_IMAGE_MODALITIES.split())
"""Defined terms of Modality (PS3.3 C.7.3.1.1.1) other than MR; a misspelt one is not among them.
OT (other) is left out: converters write it into MR."""

LOCALIZER_TYPES: Final = frozenset({"LOCALIZER", "SCOUT"})
CAPTURE_TYPES: Final = frozenset({"SCREEN SAVE", "SCREENSAVE", "SCREEN_SAVE", "POSDISP", "REPORT"})

DERIVED_TYPES: Final = frozenset(
    {
        # Defined terms of value 3 (PS3.3 C.8.3.1.1.1) that are no picture of tissue.
        "DENSITY MAP",
        "DIFFUSION MAP",
        "PHASE MAP",
        "T1 MAP",
        "T2 MAP",
        "VELOCITY MAP",
        "PHASE SUBTRACT",
        "PROJECTION IMAGE",
        # Of value 4 in enhanced objects (PS3.3 C.8.16.2), and the makers' own.
        "ADC",
        "CBF",
        "CBV",
        "COLFA",
        "FA",
        "MIP",
        "MTT",
        "TTP",
    },
)
"""What a derived object shows that is computed from slices; read only beside ``DERIVED``."""

LOCALIZER_TEXT: Final = re.compile(
    r"(?<![a-z])"
    r"(locali[sz]ers?|(aa)?h?(ead)?[ _-]?scout|survey|smartbrain|3[ _-]?pl(ane)?[ _-]?loc)"
    r"(?![a-z])",
    re.IGNORECASE,
)
"""What the makers' own localizer protocols are called; read where ImageType leaves it open."""

PHANTOM_TEXT: Final = re.compile(r"(?<![a-z])phantoms?(?![a-z])", re.IGNORECASE)

PHANTOM_KEYWORDS: Final = (
    "PatientName",
    "PatientID",
    "StudyDescription",
    "SeriesDescription",
    "ProtocolName",
    "BodyPartExamined",
)

_OTHER_BODY_PARTS: Final = (
    "ABDOMEN ABDOMENPELVIS ANKLE ARM BLADDER BREAST CALF CHEST CLAVICLE COLON ELBOW EXTREMITY FEMUR"
    " FINGER FOOT FOREARM HAND HEART HIP HUMERUS KIDNEY KNEE LEG LIVER LSPINE LUMBAR PANCREAS"
    " PELVIS PROSTATE RECTUM SHOULDER SIJOINT SPLEEN TESTIS THIGH THORAX THUMB TOE TSPINE UTERUS"
    " WRIST"
)

OTHER_BODY_PARTS: Final = frozenset(_OTHER_BODY_PARTS.split())
"""Parts that no brain slice shows. NECK, SPINE and CSPINE are left out: head protocols that
started from a neck or spine protocol keep that word."""


def refuse_non_diagnostic(dataset: Dataset) -> None:
    """Refuse what the header positively says is not a diagnostic brain-MR image.

    Args:
        dataset: a parsed object; pixel data are not needed.

    Raises:
        NonDiagnosticError: naming the kind of object in a fixed phrase.
    """
    kind = recognise_other_object(dataset) or recognise_other_image(dataset)
    if kind is not None:
        message = f"{kind}, not a diagnostic brain-MR image"
        raise NonDiagnosticError(message)


def recognise_other_object(dataset: Dataset) -> str | None:
    """Name a document or another modality; None for MR and for anything doubtful."""
    sop_class = read_uid(dataset, "SOPClassUID") or _class_in_meta(dataset)
    modality = next(iter(read_words(dataset, "Modality")), "")
    if sop_class in MR_CLASSES:
        return None  # a contradicting Modality makes it doubtful, and doubt is scored
    for beginning, kind in NON_IMAGE_CLASSES:
        if sop_class is not None and sop_class.startswith(beginning):
            return kind
    if sop_class == SECONDARY_CAPTURE or (sop_class or "").startswith(f"{SECONDARY_CAPTURE}."):
        return "a secondary capture"
    if modality in NON_IMAGE_MODALITIES:
        return NON_IMAGE_MODALITIES[modality]
    if modality in IMAGE_MODALITIES:
        return "another modality than MR"
    return None


def recognise_other_image(dataset: Dataset) -> str | None:
    """Name a localizer, capture, computed map, phantom or foreign body part; None for the rest."""
    image_type = set(read_words(dataset, "ImageType"))
    if image_type & LOCALIZER_TYPES or _named_as_localizer(dataset):
        return "a localizer"
    if image_type & CAPTURE_TYPES:
        return "a screen capture"
    if "DERIVED" in image_type and image_type & DERIVED_TYPES:
        return "a derived map or projection"
    if "YES" in read_words(dataset, "QualityControlImage") or _named_as_phantom(dataset):
        return "a phantom"
    body_part = "".join(read_words(dataset, "BodyPartExamined")[:1])
    if re.sub(r"[^A-Z]", "", body_part) in OTHER_BODY_PARTS:
        return "another part of the body"
    return None


def _class_in_meta(dataset: Dataset) -> str | None:
    meta = getattr(dataset, "file_meta", None)
    return read_uid(meta, "MediaStorageSOPClassUID") if isinstance(meta, Dataset) else None


def _named_as_localizer(dataset: Dataset) -> bool:
    return _matches(dataset, ("SeriesDescription", "ProtocolName"), LOCALIZER_TEXT)


def _named_as_phantom(dataset: Dataset) -> bool:
    return _matches(dataset, PHANTOM_KEYWORDS, PHANTOM_TEXT)


def _matches(dataset: Dataset, keywords: Iterable[str], pattern: re.Pattern[str]) -> bool:
    texts = (read_text(dataset, keyword) for keyword in keywords)
    return any(text and pattern.search(text) for text in texts)
