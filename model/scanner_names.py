"""Maker and model of a scanner, told in words of a list.

Both DICOM fields are free text, and rows of results leave the lake: whatever a site, a converter
or a mistake has written into them, only what is listed here comes out.
"""

from __future__ import annotations

import re
from typing import Final

MAKERS: Final = {
    "SIEMENS": "Siemens",
    "GE": "GE",
    "GENERAL": "GE",  # General Electric
    "PHILIPS": "Philips",
    "TOSHIBA": "Toshiba",
    "CANON": "Canon",
    "HITACHI": "Hitachi",
    "FUJIFILM": "Fujifilm",
    "UIH": "United Imaging",
    "UNITED": "United Imaging",
    "SHIMADZU": "Shimadzu",
    "PICKER": "Picker",
    "MARCONI": "Marconi",
    "ELSCINT": "Elscint",
    "ESAOTE": "Esaote",
    "HYPERFINE": "Hyperfine",
    "BRUKER": "Bruker",
    "NEUSOFT": "Neusoft",
    "MINDRAY": "Mindray",
    "ALLTECH": "AllTech",
    "PARAMED": "Paramed",
    "FONAR": "Fonar",
    "SYNAPTIVE": "Synaptive",
}
"""By a word of the field, in capitals."""

_MODELS: Final = (
    "ACHIEVA AERA AIRIS ALTAIRE ALTEA AMBITION AMIRA APERTO ARCHITECT ARTIST ASPIRE AVANTO BIOGRAPH"
    " BRIVO CENTAURI CIMA CONCERTO DISCOVERY DSTREAM ECHELON ELAN ELITION ESPREE ESSENZA EVOLUTION"
    " EXCELART EXCITE EXPERT EXPLORER FIT FLOW FREE GALAN GENESIS GYROSCAN HARMONY HDX HDXT HERO"
    " HORIZON IMPACT INGENIA INTERA LUMINA MAGNETOM MAX MMR MR MULTIVA NOVA OASIS OMEGA ONYX OPTIMA"
    " OPTIMUS ORIAN OVAL PANORAMA PIONEER POWER PREMIER PRISMA PRODIVA PROFILE QUANTUM SEMPRA SIGNA"
    " SKYRA SMART SOLA SONATA SPECTRA SUPREME SWOOP SYMPHONY TERRA TITAN TRILLIUM TRIO TRIOTIM UMR"
    " VANTAGE VERIO VERSANA VIBRANT VIDA VISION VOYAGER XGV X"
)

MODEL_WORDS: Final = frozenset(_MODELS.split())
"""What the makers call their MR scanners."""

_WORD: Final = re.compile(r"[A-Za-z]+|[0-9]+(?:\.[0-9]+)?[Ww]?T?")

_NUMBER: Final = re.compile(r"[0-9](\.[0-9]{1,2})?T?|[1-9][0-9]{2}W?")
"""1.5T, MR750w, uMR 780: too short for an identity number or a date."""


def name_maker(text: str | None) -> str | None:
    """Name the maker of a scanner, or None for one that is not listed.

    Args:
        text: Manufacturer (0008,0070) as it stands in the file.
    """
    words = re.findall(r"[A-Z]+", (text or "").upper())
    return next((MAKERS[word] for word in words if word in MAKERS), None)


def name_scanner(text: str | None) -> str | None:
    """Name the model of a scanner by those words that are listed, or None if there is none.

    Args:
        text: ManufacturerModelName (0008,1090) as it stands in the file.
    """
    words = _WORD.findall(text or "")
    named = [word for word in words if word.upper() in MODEL_WORDS]
    kept = [word for word in words if word in named or _NUMBER.fullmatch(word.upper())]
    return " ".join(kept) if named else None
