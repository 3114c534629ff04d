"""Folders of a cache: those used longest ago are removed, so that none grows for ever."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

KEPT: Final = 8
"""More than are in use at a time, roll-backs included."""


def mark_used(folder: Path, pattern: str, kept: int = KEPT) -> None:
    """Note that a folder of a cache was used, and remove those used longest ago.

    Args:
        folder: just used; its siblings are the rest of the cache.
        pattern: of the siblings' names; what does not match stays.
        kept: how many may stay.
    """
    try:
        os.utime(folder)
        siblings = [path for path in folder.parent.glob(pattern) if path.is_dir()]
        oldest_first = sorted(siblings, key=lambda path: path.stat().st_mtime)
    except OSError:
        return  # a cache that is only read, or another process tidies up just now
    for old in oldest_first[:-kept]:
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
