"""From stored DICOM values to the gray levels that a viewer shows.

Stored value → modality value (rescale) → window → gray, inverted for MONOCHROME1 (PS3.3 C.11).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from model.dicom_attributes import FrameAttributes, read_number
from model.errors import UnreadableError
from model.gray_levels import linear_levels, robust_levels
from model.images import GrayPixels

MOST_WHITE: Final = 0.25
"""A window that shows more of the picture than this as plain white hides what is in it."""

LEAST_BRIGHT: Final = 0.2
"""Brightest level, at least, of a picture in a useful window."""

LEAST_VISIBLE: Final = 0.3
"""Share of the pixels visible in the robust window that a useful window must show as well."""

VISIBLE_FROM: Final = 0.05

WINDOW_REPLACED: Final = "the file's window hides the picture; a percentile window was used"


@dataclass(frozen=True)
class Window:
    """A linear window in modality values.

    Attributes:
        low: shown as black.
        high: shown as white.
    """

    low: float
    high: float


def show_stored_values(
    stored: npt.NDArray[Any],
    attributes: FrameAttributes,
    *,
    is_inverted: bool,
) -> tuple[GrayPixels, str | None]:
    """Turn the stored values of one frame into gray levels.

    Args:
        stored: (height, width), as the codec gave them; not changed.
        attributes: of the frame.
        is_inverted: whether the lowest value is to be shown white (MONOCHROME1).

    Returns:
        (height, width) in 0..1 with padding black, and what the reader should know, or None.

    Raises:
        UnreadableError: if no pixel holds a number.
    """
    padding = find_padding(stored, attributes)
    values = rescale(stored, attributes)
    if not np.isfinite(values).any():
        message = "no pixel holds a number"
        raise UnreadableError(message)
    shown, detail = _apply_window(values, padding, choose_window(attributes))
    if is_inverted:
        shown = np.float32(1.0) - shown
    if padding is not None:
        shown = np.where(padding, np.float32(0.0), shown)
    return shown, detail


def rescale(stored: npt.NDArray[Any], attributes: FrameAttributes) -> npt.NDArray[np.float32]:
    """Apply RescaleSlope and RescaleIntercept; a slope of 0 would erase the picture and is 1."""
    slope = attributes.number("RescaleSlope") or 1.0
    intercept = attributes.number("RescaleIntercept") or 0.0
    values = stored.astype(np.float32)
    if (slope, intercept) == (1.0, 0.0):
        return values
    with np.errstate(over="ignore"):
        return values * np.float32(slope) + np.float32(intercept)


def find_padding(
    stored: npt.NDArray[Any],
    attributes: FrameAttributes,
) -> npt.NDArray[np.bool_] | None:
    """Return True where a pixel is padding (PS3.3 C.7.5.1.1.2), None where there is none."""
    value = read_number(attributes.dataset, "PixelPaddingValue")
    if value is None:
        return None
    limit = read_number(attributes.dataset, "PixelPaddingRangeLimit")
    low, high = sorted((value, value if limit is None else limit))
    padding: npt.NDArray[np.bool_] = (stored >= low) & (stored <= high)
    # A padding range over the whole picture is an error of the file: nothing would be left.
    return padding if padding.any() and not padding.all() else None


def choose_window(attributes: FrameAttributes) -> Window | None:
    """Return the file's first window, or None if it has none that can be used.

    The formulas are those of PS3.3 C.11.2.1.2 and C.11.2.1.3.2; a sigmoid is taken as linear.
    """
    centre, width = attributes.number("WindowCenter"), attributes.number("WindowWidth")
    if centre is None or width is None or width <= 0:
        return None
    if "LINEAR_EXACT" in attributes.words("VOILUTFunction"):
        return Window(centre - width / 2, centre + width / 2)
    if width <= 1:
        return None
    return Window(centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2)


def hides_picture(shown: GrayPixels, robust: GrayPixels) -> bool:
    """Tell whether a window shows much less than the picture holds.

    A lesion lost in plain white or plain black would be cleared, so a window that was made for
    other values (of another series, before a rescale) is not trusted.

    Args:
        shown: (height, width) in the file's window.
        robust: (height, width) of the same picture between its own percentiles.
    """
    visible = np.count_nonzero((shown > VISIBLE_FROM) & (shown < 1.0))
    could_be = np.count_nonzero(robust > VISIBLE_FROM)
    return bool(
        np.mean(shown >= 1.0) > MOST_WHITE
        or np.percentile(shown, 99.9) < LEAST_BRIGHT
        or visible < LEAST_VISIBLE * could_be,
    )


def _apply_window(
    values: npt.NDArray[np.float32],
    padding: npt.NDArray[np.bool_] | None,
    window: Window | None,
) -> tuple[GrayPixels, str | None]:
    robust = robust_levels(values, padding)
    if window is None:
        return robust, None
    shown = linear_levels(values, window.low, window.high)
    if hides_picture(shown, robust):
        return robust, WINDOW_REPLACED
    return shown, None
