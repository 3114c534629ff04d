"""The rim of a picture: flat borders, painted frames, the bright background of a negative."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from model.quick_filters import is_median_above

Levels = npt.NDArray[np.float32]
"""(height, width), 0 black to 1 white."""

Window = tuple[int, int, int, int]
"""top, bottom, left, right of a part of a picture, the second and the last excluded."""

FLAT_LINE_RANGE: Final = 0.06
"""A row or column whose values span less than this share of the picture's range is a border."""

SMALLEST_REST: Final = 8
"""If trimming leaves fewer pixels than this on a side, it was no border that was trimmed."""

LEAST_FRAME_LEVEL: Final = 0.12
"""A frame is brighter than this, or it is background."""

FRAME_SHARE: Final = 0.6
"""Of a line: that much of it even and bright is a frame that the head lies over."""

DEEPEST_FRAME: Final = 10
"""A frame is at most one part in so many of the picture's shorter side deep."""

LINE_END: Final = 10
"""An end of a line is one part in so many of it: there a frame shows beside the head over it."""

BRIGHT_RING: Final = 0.7
"""A rim at this share of the picture's range, or above, belongs to an inverted picture."""


def trim_flat_borders(levels: Levels) -> Window:
    """Return top, bottom, left, right of what is left without flat rows and columns."""
    top, left = 0, 0
    bottom, right = levels.shape
    limit_rows, limit_columns = bottom // 4, right // 4
    # A painted frame may lie inside a flat margin, so that rows and columns take turns.
    changed = True
    while changed and bottom - top > limit_rows and right - left > limit_columns:
        inner = levels[top:bottom, left:right]
        rows, columns = _not_flat(inner, axis=1), _not_flat(inner, axis=0)
        if rows.size == 0 or columns.size == 0:
            return 0, levels.shape[0], 0, levels.shape[1]
        changed = (rows[-1] - rows[0], columns[-1] - columns[0]) != (
            bottom - top - 1,
            right - left - 1,
        )
        top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
        left, right = left + int(columns[0]), left + int(columns[-1]) + 1
    if min(bottom - top, right - left) < SMALLEST_REST:
        return 0, levels.shape[0], 0, levels.shape[1]
    return top, bottom, left, right


def _not_flat(levels: npt.NDArray[np.float32], axis: int) -> npt.NDArray[np.intp]:
    """Return the numbers of the rows (axis 1) or columns (axis 0) that are not flat."""
    return np.flatnonzero(levels.max(axis=axis) - levels.min(axis=axis) >= FLAT_LINE_RANGE)


def trim_frame(levels: Levels, window: Window) -> Window:
    """Trim a bright frame that the head lies over here and there, so that no line of it is flat."""
    top, bottom, left, right = _trim_mostly_even_lines(levels, window)
    inner = levels[top:bottom, left:right]
    deepest = min(levels.shape) // DEEPEST_FRAME
    if min(inner.shape) < 2 * deepest + SMALLEST_REST:
        return top, bottom, left, right
    return (
        top + _frame_depth(inner[: deepest + 1]),
        bottom - _frame_depth(inner[: -deepest - 2 : -1]),
        left + _frame_depth(inner[:, : deepest + 1].T),
        right - _frame_depth(inner[:, : -deepest - 2 : -1].T),
    )


def _frame_depth(lines: Levels) -> int:
    """Return how many lines, from the rim inwards, are a frame by their two ends.

    A neck may cover most of a frame's line, but not its ends. Behind a frame it is dark; a bright
    background goes on.
    """
    length = max(2, lines.shape[1] // LINE_END)
    for depth, line in enumerate(lines):
        ends = line[:length], line[-length:]
        if not all(_is_even_and_bright(end) for end in ends):
            is_dark = not any(is_median_above(end, LEAST_FRAME_LEVEL) for end in ends)
            return depth if is_dark else 0
    return 0


def _trim_mostly_even_lines(levels: Levels, window: Window) -> Window:
    top, bottom, left, right = window
    for _ in range(min(levels.shape) // DEEPEST_FRAME):
        lines = (
            levels[top, left:right],
            levels[bottom - 1, left:right],
            levels[top:bottom, left],
            levels[top:bottom, right - 1],
        )
        framed = [_is_even_and_bright(line) for line in lines]
        if not any(framed):
            break
        top, bottom = top + framed[0], bottom - framed[1]
        left, right = left + framed[2], right - framed[3]
    return top, bottom, left, right


def _is_even_and_bright(line: npt.NDArray[np.float32]) -> bool:
    if not is_median_above(line, LEAST_FRAME_LEVEL):
        return False
    median = float(np.median(line))
    return bool((np.abs(line - median) < FLAT_LINE_RANGE / 2).mean() > FRAME_SHARE)


def is_negative(levels: npt.NDArray[np.float32]) -> bool:
    """Tell a negative: its rim is bright and even, its middle darker."""
    thickness = max(1, min(levels.shape) // 24)
    inside = np.zeros(levels.shape, dtype=bool)
    inside[thickness:-thickness, thickness:-thickness] = True
    if not inside.any():
        return False
    rim = levels[~inside]
    if not is_median_above(rim, BRIGHT_RING):
        return False
    return bool(np.median(rim) > np.median(levels[inside]) + 0.1)
