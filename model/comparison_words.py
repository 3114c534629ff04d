"""What a comparison says in words: how its rows were made, which fail, which head is ahead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Row = Mapping[str, Any]
"""The figures of a finished row, as `comparison.run_row` returns them."""

SHIPPED: Final = "two_headed"
SINGLE_HEADED: Final = "efficientnet_lite0"

PARTS: Final = (
    "Fit trains; the calibration part chooses each row's threshold (the highest that flags 99% of "
    "its tumours) and is what the epochs are read on; the test part is measured once. Specificity "
    "at 99% sensitivity picks its threshold on the test part itself and is optimistic, for all "
    "rows alike."
)
IMBALANCE: Final = (
    "Class imbalance: pictures are drawn so that both labels together count the same; within a "
    "label, each source counts as the square root of its number, and so do its groups. Lesions put "
    "onto healthy slices then raise the share of tumours among the pictures seen. The row with its "
    "classes as they lie draws every picture of the fit part as often as any other, as the first "
    "project did."
)
INTERVALS: Final = (
    "In small print: 95% intervals, bootstrapped over groups (a patient, or near-duplicate "
    "pictures)."
)


def describe_making(content: Mapping[str, Any]) -> list[str]:
    """Say how the rows were made.

    Args:
        content: what stands in ``compare.json``.
    """
    split = "; ".join(
        f"{name} {part['n']} slices of {part['groups']} groups, {part['tumors']:.1%} tumours"
        for name, part in content["parts"].items()
    )
    budget = (
        f"The same split by group ({split}), the same changes to the training pictures (rotation, "
        "brightness, and what fights shortcuts), the same recipe, and the same budget for every "
        f"row: {content['budget_minutes']:g} minutes of drawing and training. The learning rate "
        "follows the time, so that every training comes to its end; building graphs and measuring "
        "do not count."
    )
    return [budget, PARTS, IMBALANCE, INTERVALS]


def compare_heads(rows: Sequence[Row]) -> list[str]:
    """Say whether two heads are ahead of one on the same backbone, where both rows are made."""
    known = {row["name"]: row["test"]["overall"] for row in rows}
    if not {SHIPPED, SINGLE_HEADED} <= known.keys():
        return []
    two, one = (
        known[name]["specificity_at_sensitivity"]["0.99"] for name in (SHIPPED, SINGLE_HEADED)
    )
    ahead = "is ahead of" if two["value"] > one["value"] else "is not ahead of"
    overlap = two["low"] <= one["high"] and one["low"] <= two["high"]
    sentence = (
        f"The two-headed network {ahead} the single-headed one on specificity at 99% sensitivity: "
        f"{in_words(two)} against {in_words(one)}; the intervals "
        f"{'overlap' if overlap else 'do not overlap'}."
    )
    return [sentence]


def describe_calls(rows: Sequence[Row]) -> list[str]:
    """Say of each row how often its network called the whole calibration part a tumour."""
    return [_describe_calls(row) for row in rows]


def says_tumor_every_time(row: Row) -> bool:
    """Tell whether a row's network called everything a tumour at the end of its training."""
    return bool(row["readings"][-1]["called_tumor"] == 1.0)


def in_words(interval: Mapping[str, float]) -> str:
    """Write a figure with its interval."""
    return f"{interval['value']:.3f} ({interval['low']:.3f}-{interval['high']:.3f})"


def _describe_calls(row: Row) -> str:
    readings = row["readings"]
    every_time = sum(reading["called_tumor"] == 1.0 for reading in readings)
    last = readings[-1]
    return (
        f"{row['title']}: tumour every time in {every_time} of {len(readings)} epochs"
        f"{', the last among them' if says_tumor_every_time(row) else ''}. At the end "
        f"{last['called_tumor']:.1%} called tumour, accuracy {last['accuracy']:.3f} where calling "
        f"everything a tumour has {last['base_rate']:.3f}; {last['drawn_tumors']:.0%} of the "
        "pictures that it was shown last were tumours."
    )
