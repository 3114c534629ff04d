"""How a slice was made: scanner, field, plane, and a short name of its sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from model.dicom_attributes import FrameAttributes, read_number, read_text, read_words
from model.images import Acquisition
from model.scanner_names import name_maker, name_scanner

OBLIQUE_BELOW: Final = 0.8
"""Largest component of the slice's normal below which it is oblique: more than 37 degrees off."""

PLANES: Final = ("sagittal", "coronal", "axial")
"""By the axis of the patient (x to the left, y to the back, z to the head) that is the normal."""

STRONGEST_FIELD_TESLA: Final = 30.0
"""Above it the value is in gauss, as some old scanners write it."""

NO_CONTRAST_WORDS: Final = frozenset({"", "NO", "NONE", "N", "NO CONTRAST", "WITHOUT", "0"})


def read_acquisition(frame: FrameAttributes) -> Acquisition:
    """Collect the scanner fields of one frame: numbers and words of lists, no free text."""
    spacing = frame.numbers("PixelSpacing")
    return Acquisition(
        manufacturer=name_maker(read_text(frame.dataset, "Manufacturer")),
        scanner_model=name_scanner(read_text(frame.dataset, "ManufacturerModelName")),
        field_strength_tesla=_read_field_strength(frame),
        pixel_spacing_mm=spacing[0] if spacing and spacing[0] > 0 else None,
        plane=name_plane(frame.numbers("ImageOrientationPatient")),
        sequence=name_sequence(_read_timing(frame)),
    )


def name_plane(orientation: list[float]) -> str | None:
    """Name the plane of a slice.

    Args:
        orientation: ImageOrientationPatient (PS3.3 C.7.6.2.1.1): direction of a row, then of a
            column, x to the patient's left, y to the back, z to the head.

    Returns:
        ``axial``, ``coronal``, ``sagittal`` or ``oblique``; None if it is absent or degenerate.
    """
    if len(orientation) != 6:  # noqa: PLR2004 - two directions of three components
        return None
    normal = np.cross(orientation[:3], orientation[3:])
    length = float(np.linalg.norm(normal))
    if not np.isfinite(length) or length < 1e-6:  # noqa: PLR2004 - parallel directions
        return None
    components = np.abs(normal) / length
    axis = int(np.argmax(components))
    return PLANES[axis] if components[axis] >= OBLIQUE_BELOW else "oblique"


@dataclass(frozen=True)
class Timing:
    """What the name of a sequence is told from; times in milliseconds, None where not known.

    Attributes:
        techniques: defined terms of ScanningSequence, SequenceVariant and the like.
        repetition: repetition time.
        echo: echo time.
        inversion: inversion time.
        diffusion: b-value in s/mm2.
        contrast: whether a contrast agent was given.
        angiography: whether it is an angiogram.
    """

    techniques: frozenset[str]
    repetition: float | None
    echo: float | None
    inversion: float | None
    diffusion: float | None
    contrast: bool
    angiography: bool


def name_sequence(timing: Timing) -> str | None:
    """Name the weighting of a sequence from its timing.

    The limits are the usual textbook ones at 1.5 and 3 tesla; what lies between has no name.

    Returns:
        ``T1``, ``T1+C``, ``T2``, ``T2*``, ``PD``, ``FLAIR``, ``DWI``, ``EPI``, ``MRA`` or None.
    """
    if timing.angiography:
        return "MRA"
    if timing.diffusion is not None:
        return "DWI"
    if "EP" in timing.techniques:
        return "EPI"
    weighting = _name_weighting(timing)
    return "T1+C" if weighting == "T1" and timing.contrast else weighting


def _name_weighting(timing: Timing) -> str | None:
    repetition, echo, inversion = timing.repetition, timing.echo, timing.inversion
    if echo is None or echo <= 0:
        return None
    if inversion is not None and inversion >= 1500:  # noqa: PLR2004 - long enough to null fluid
        return "FLAIR" if echo >= 60 or (repetition or 0) >= 4000 else "T1"  # noqa: PLR2004
    if inversion is not None and 0 < inversion < 1500 and echo < 30:  # noqa: PLR2004
        return "T1"
    if "GR" in timing.techniques and "SE" not in timing.techniques:
        return "T2*" if echo >= 12 else "T1"  # noqa: PLR2004
    if repetition is None:
        return None
    return _name_spin_echo(repetition, echo)


def _name_spin_echo(repetition: float, echo: float) -> str | None:
    if echo >= 60 and repetition >= 1800:  # noqa: PLR2004
        return "T2"
    if echo < 40 and repetition >= 1800:  # noqa: PLR2004
        return "PD"
    if echo < 40 and repetition < 1200:  # noqa: PLR2004
        return "T1"
    return None


def _read_timing(frame: FrameAttributes) -> Timing:
    techniques = [*frame.words("ScanningSequence"), *frame.words("SequenceVariant")]
    echo_pulse = {"GRADIENT": "GR", "SPIN": "SE"}  # the enhanced objects' own words
    techniques += [echo_pulse.get(word, word) for word in frame.words("EchoPulseSequence")]
    if "YES" in frame.words("EchoPlanarPulseSequence"):
        techniques.append("EP")
    diffusion = frame.number("DiffusionBValue")
    return Timing(
        techniques=frozenset(techniques),
        repetition=frame.number("RepetitionTime"),
        echo=frame.number("EchoTime") or frame.number("EffectiveEchoTime"),
        inversion=frame.number("InversionTime") or frame.number("InversionTimes"),
        diffusion=diffusion,
        contrast=_has_contrast(frame),
        angiography="Y" in read_words(frame.dataset, "AngioFlag"),
    )


def _has_contrast(frame: FrameAttributes) -> bool:
    """Tell whether an agent is named; the text itself is never passed on."""
    agent = read_text(frame.dataset, "ContrastBolusAgent")
    if agent is not None:
        return agent.upper() not in NO_CONTRAST_WORDS
    return bool(read_number(frame.dataset, "ContrastBolusVolume"))


def _read_field_strength(frame: FrameAttributes) -> float | None:
    strength = frame.number("MagneticFieldStrength")
    if strength is None or strength <= 0:
        return None
    return strength / 10_000 if strength > STRONGEST_FIELD_TESLA else strength
