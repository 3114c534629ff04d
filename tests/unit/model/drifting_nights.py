"""Nights of a hospital with three scanners, drawn from a seed."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from model.drift_images import NightImages

FIRST = date(2026, 1, 1)
SCANNERS = ("GE", "Philips", "Siemens")
SIZES = {"GE": "256x256", "Philips": "320x320", "Siemens": "512x512", "Toshiba": "640x640"}


def draw_night(number: int, random: np.random.Generator, studies: int = 60) -> NightImages:
    """Draw a night of some 390 images, those of one study alike."""
    sizes = random.integers(3, 11, studies)
    of = np.repeat(np.arange(studies), sizes)
    scanner = random.choice(SCANNERS, studies, p=[0.5, 0.3, 0.2])[of]
    evidence = random.normal(-1.5, 1.2, studies)[of] + random.normal(0, 1, len(of))
    probability = 1 / (1 + np.exp(-evidence))
    brightness = random.normal(0.2, 0.03, studies)[of] + random.normal(0, 0.01, len(of))
    return NightImages(
        night=FIRST + timedelta(days=number),
        studies=of,
        probability=probability,
        flagged=probability > 0.37,
        out_of_scope=random.random(len(of)) < 0.02,
        brightness=brightness,
        resolution=np.array([SIZES[name] for name in scanner]),
        scanner=scanner.astype("U20"),
    )


def darken(night: NightImages, factor: float = 0.6) -> NightImages:
    return replace(night, brightness=night.brightness * factor)


def bring_scanner(night: NightImages, share: float, random: np.random.Generator) -> NightImages:
    """Let another scanner have made a share of the studies."""
    other = (random.random(night.studies.max() + 1) < share)[night.studies]
    return replace(
        night,
        scanner=np.where(other, "Toshiba", night.scanner),
        resolution=np.where(other, SIZES["Toshiba"], night.resolution),
    )
