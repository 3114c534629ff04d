"""What names the code that scored an image: stored scores are reused by the same code only."""

from __future__ import annotations

import functools
import hashlib
from importlib import metadata
from pathlib import Path
from typing import Final

import jobs
import model

_PACKAGE: Final = "mri-triage"
_SCORING_PATTERNS: Final = ("scoring_*.py", "decoding_*.py", "schemas.py")
_DIGEST_CHARACTERS: Final = 12

NOT_SCORING: Final = (
    "architectures.py",
    "assembly.py",
    "augmentation.py",
    "drift*.py",
    "evaluation.py",
    "explanation*.py",
    "lesion_outline.py",
    "near_duplicates.py",
    "overlay*.py",
    "promotion.py",
    "reader_quality.py",
    "thresholds.py",
    "train*.py",
)
"""Modules of ``model`` that make a bundle or explain its scores; a new module counts as scoring."""


@functools.cache
def code_version() -> str:
    """Return the release and a digest of the modules that scores depend on.

    The release alone would not do: whoever changes the code and runs a night again must not be
    handed the scores of yesterday's code.
    """
    digest = hashlib.sha256()
    for path in scoring_sources():
        content = path.read_bytes()
        digest.update(f"{path.name} {len(content)} ".encode() + content)
    return f"{_release()}+{digest.hexdigest()[:_DIGEST_CHARACTERS]}"


def scoring_sources() -> list[Path]:
    """List the modules that scores depend on, sorted: of ``model`` all but `NOT_SCORING`."""
    model_folder, jobs_folder = (Path(next(iter(package.__path__))) for package in (model, jobs))
    of_jobs = (path for pattern in _SCORING_PATTERNS for path in jobs_folder.glob(pattern))
    of_model = set(model_folder.glob("*.py"))
    for pattern in NOT_SCORING:
        of_model -= set(model_folder.glob(pattern))
    return sorted([*of_model, *of_jobs])


def _release() -> str:
    try:
        return metadata.version(_PACKAGE)
    except metadata.PackageNotFoundError:
        return "0"  # run from a folder, not installed: the digest still tells
