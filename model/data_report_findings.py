"""The findings of a data report in sentences: for the top of the page, and for the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from model.data_report import ALL, DataReport
from model.data_report_counts import ClassCounts, count_classes, size_of
from model.data_report_leakage import BY_GROUP, Leakage

IN_WORDS: Final = {
    "image_size": "the size of a picture",
    "border": "its rim and corners",
    "background": "what lies outside the head",
    "source": "its source",
}
TELLING: Final = 0.95
"""Share of one label from which a common size is worth naming."""

COMMON: Final = 0.05
"""Share of the pictures from which a size is common."""


def list_findings(report: DataReport) -> list[str]:
    """Say in one sentence each what a reader must know first."""
    return [
        _size(report),
        *_unusable(report),
        _duplicates(report),
        *_leak(report),
        *_shortcut(report),
        *_telling_size(report),
        *_contradictions(report),
    ]


def _size(report: DataReport) -> str:
    pictures = report.pictures
    tumors = sum(one.image.label == 1 for one in pictures)
    groups = len({one.image.group_id for one in pictures})
    sources = len({one.image.source for one in pictures})
    return (
        f"{len(pictures)} pictures of {groups} groups and {sources} sources; {tumors} show a "
        f"tumour, {len(pictures) - tumors} do not."
    )


def _unusable(report: DataReport) -> Iterator[str]:
    count = len(report.read.set_aside)
    if count:
        yield f"Files that cannot be used, listed at the end: {count}."


def _duplicates(report: DataReport) -> str:
    found = report.duplicates
    pictures, clusters = sum(found.sizes), len(found.sizes)
    sentence = f"{pictures} pictures are near-duplicates of another, in {clusters} clusters"
    if report.groups_given:
        return f"{sentence}; of these cross the given groups: {found.crossing}."
    return f"{sentence}; the clusters are the groups, as none are given."


def _leak(report: DataReport) -> Iterator[str]:
    grouped = next((one for one in report.leakage if one.split == BY_GROUP), None)
    for split in report.leakage:
        if split is not grouped:
            yield (
                f"Split {split.split}: {split.with_twin / split.tested:.0%} of the tested pictures "
                f"have a near-duplicate in training{_against(grouped)}."
            )
    accuracies = [(one.split, one.accuracy) for one in report.leakage if one.accuracy is not None]
    if len(accuracies) > 1:
        told = ", ".join(f"{accuracy:.0%} {split}" for split, accuracy in accuracies)
        yield f"Copying the label of the most alike training thumbnail is right in {told}."


def _against(grouped: Leakage | None) -> str:
    if grouped is None:
        return ""
    return f", by group {grouped.with_twin / grouped.tested:.0%}"


def _shortcut(report: DataReport) -> Iterator[str]:
    found = []
    for source, scores in report.shortcuts.items():
        for name, row in scores.items():
            auc = row["auc"] if row else None
            if auc is not None:
                found.append((auc["low"], auc["value"], name, source))
    if found:
        # By the lower end of the interval: of a few pictures a high figure means nothing.
        _, value, name, source = max(found)
        where = "" if source == ALL else f" within {source}"
        yield f"Without the brain, {IN_WORDS[name]} alone reaches an AUC of {value:.2f}{where}."


def _telling_size(report: DataReport) -> Iterator[str]:
    sizes = count_classes(report.pictures, size_of)
    enough = COMMON * len(report.pictures)
    for size in sizes if len(sizes) > 1 else ():
        label, count = _commoner(size)
        if size.pictures >= enough and count >= TELLING * size.pictures:
            yield f"Of {size.pictures} pictures of {size.name} pixels, {count} are {label}."


def _commoner(kind: ClassCounts) -> tuple[str, int]:
    return max(("tumours", kind.tumors), ("normals", kind.normals), key=lambda pair: pair[1])


def _contradictions(report: DataReport) -> Iterator[str]:
    yield from (
        f"{found.title}, in pairs: {len(found.entries)}."
        for found in report.suspects[:2]
        if found.entries
    )
