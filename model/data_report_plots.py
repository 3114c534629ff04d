"""The plots of a data report, as PNG; colours are those of the evaluation's plots."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from model.data_report_counts import ClassCounts
from model.data_report_leakage import Leakage
from model.data_report_pictures import MeasuredPicture
from model.evaluation_plots import BLUE, DOTS_PER_INCH, GRID, INK, REFERENCE, VERMILION, Picture
from model.metrics import Interval

WIDTH: Final = 6.6
"""Inches of a plot."""

BAR: Final = 0.36
"""Inches of a bar with the gap to the next."""

CLASSES: Final = (("no tumour", 0, BLUE, ""), ("tumour", 1, VERMILION, "////"))
"""Name, label, colour and hatch: no class is told by its colour alone."""

SHOWN_BARS: Final = 20
"""Beyond so many kinds the smallest are left to the table."""

FADED: Final = 0.45
LARGEST_SIZE: Final = 7
"""Clusters of more pictures share a bar."""


def draw_classes(title: str, description: str, kinds: Sequence[ClassCounts]) -> Picture:
    """Draw how many pictures of both classes each kind has."""
    shown = list(reversed(kinds[:SHOWN_BARS]))
    figure, axes = _make_axes("pictures", height=0.9 + BAR * len(shown))
    names = [kind.name for kind in shown]
    left = np.zeros(len(shown))
    for name, label, colour, hatch in CLASSES:
        counts = np.array([kind.tumors if label else kind.normals for kind in shown])
        axes.barh(names, counts, left=left, height=0.7, label=name, **_fill(colour, hatch))
        left = left + counts
    for position, kind in enumerate(shown):
        axes.annotate(
            f"{kind.pictures}",
            (kind.pictures, position),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize=9,
        )
    axes.margins(x=0.12)
    axes.grid(axis="y", visible=False)
    figure.legend(loc="outside upper right", frameon=False, ncols=2)
    return _as_picture(figure, title, description)


def draw_sizes(pictures: Sequence[MeasuredPicture]) -> Picture:
    """Draw width against height, one mark a size and class, as large as it is frequent."""
    figure, axes = _make_axes("width (pixels, log scale)", "height (pixels, log scale)", height=5.2)
    for name, label, colour, marker in (("no tumour", 0, BLUE, "s"), ("tumour", 1, VERMILION, "o")):
        counts = Counter(
            (one.measures.width, one.measures.height)
            for one in pictures
            if one.image.label == label
        )
        if counts:
            widths, heights = zip(*counts, strict=True)
            axes.scatter(
                widths,
                heights,
                s=[14 + 2.5 * np.sqrt(n) ** 1.7 for n in counts.values()],
                marker=marker,
                facecolor="none",
                edgecolor=colour,
                linewidth=1.3,
                label=name,
            )
    for axis, scale in ((axes.xaxis, axes.set_xscale), (axes.yaxis, axes.set_yscale)):
        scale("log", base=2)
        axis.set_major_formatter("{x:.0f}")
    marks = [
        Line2D(
            [], [], marker=marker, markerfacecolor="none", color=colour, linestyle="", label=name
        )
        for name, colour, marker in (("no tumour", BLUE, "s"), ("tumour", VERMILION, "o"))
    ]
    figure.legend(handles=marks, loc="outside upper right", frameon=False, ncols=2)
    return _as_picture(
        figure,
        "Sizes of the pictures",
        "Each mark is a size; the larger it is, the more pictures have that size. Where circles "
        "and squares lie apart, the size alone tells the label.",
    )


def draw_levels(pictures: Sequence[MeasuredPicture]) -> Picture:
    """Draw the mean brightness of the pictures by source and class, as boxes."""
    sources = sorted({one.image.source for one in pictures}, reverse=True)[-SHOWN_BARS:]
    figure, axes = _make_axes(
        "mean gray of a picture (0 black, 1 white)", height=1 + len(sources) * 0.6
    )
    for offset, (_, label, colour, hatch) in zip((-0.17, 0.17), CLASSES, strict=True):
        for position, source in enumerate(sources):
            levels = [
                one.measures.mean_level
                for one in pictures
                if one.image.source == source and one.image.label == label
            ]
            if levels:
                axes.boxplot(
                    levels,
                    positions=[position + offset],
                    orientation="horizontal",
                    widths=0.28,
                    patch_artist=True,
                    whis=(2.5, 97.5),
                    showfliers=False,
                    boxprops=_fill(colour, hatch),
                    medianprops={"color": INK, "linewidth": 1.8},
                )
    axes.set_yticks(range(len(sources)), sources)
    axes.grid(axis="y", visible=False)
    _class_legend(figure)
    return _as_picture(
        figure,
        "Brightness",
        "Box: the middle half of the pictures; line: the median; whiskers: 95% of them. A source "
        "or a class that is brighter as a whole can be told without a look at the brain.",
    )


def draw_group_sizes(sizes: Sequence[int]) -> Picture:
    """Draw how many groups have how many pictures."""
    doublings = Counter(int(size - 1).bit_length() for size in sizes)
    steps = range(max(doublings) + 1)
    names = [_name_doubling(step) for step in steps]
    figure, axes = _make_axes("pictures in a group", "groups", height=3.6)
    _draw_counts(axes, names, [doublings[step] for step in steps])
    return _as_picture(
        figure,
        "Sizes of the groups",
        "A group is one patient, or pictures that are nearly the same. Figures rest on the number "
        "of groups, not on the number of pictures: those of one group say much the same.",
    )


def draw_cluster_sizes(sizes: Sequence[int]) -> Picture:
    """Draw how many near-duplicate clusters have how many pictures."""
    figure, axes = _make_axes("pictures in a cluster", "clusters", height=3.6)
    counts = Counter(min(size, LARGEST_SIZE + 1) for size in sizes)
    names = [*map(str, range(2, LARGEST_SIZE + 1)), f"more than {LARGEST_SIZE}"]
    heights = [counts[size] for size in range(2, LARGEST_SIZE + 2)]
    _draw_counts(axes, names, heights)
    return _as_picture(
        figure,
        "Near-duplicates",
        "How many clusters hold how many pictures that are nearly the same: copies, re-encoded, "
        "resized, turned or mirrored ones, and neighbouring slices.",
    )


def draw_leakage(splits: Sequence[Leakage]) -> Picture:
    """Draw how many tested pictures of each split have a twin in training, and its worth."""
    figure = Figure(figsize=(WIDTH, 2 + 1.3 * len(splits)), layout="constrained")
    FigureCanvasAgg(figure)
    upper, lower = figure.subplots(2, 1, sharex=True)
    shown = list(reversed(splits))
    names = [split.split for split in shown]
    rows = np.arange(len(shown))
    kinds = (
        ("same group", [one.with_group / one.tested for one in shown], 0.18, BLUE, ""),
        ("near-duplicate", [one.with_twin / one.tested for one in shown], -0.18, VERMILION, "////"),
    )
    for name, shares, offset, colour, hatch in kinds:
        bars = upper.barh(rows + offset, shares, height=0.34, label=name, **_fill(colour, hatch))
        upper.bar_label(bars, [f"{share:.1%}" for share in shares], padding=3, fontsize=9)
    upper.legend(loc="lower right", frameon=False)
    upper.set_xlabel("tested pictures with one in training")
    accuracies = [one.accuracy if one.accuracy is not None else 0.0 for one in shown]
    bars = lower.barh(rows, accuracies, height=0.5, **_fill(BLUE, ""))
    lower.bar_label(bars, [_percent(one.accuracy) for one in shown], padding=3, fontsize=9)
    lower.axvline(0.5, color=REFERENCE, linestyle="--", linewidth=1.5)
    lower.set_xlabel("accuracy of looking up the nearest thumbnail (dashed: chance)")
    for axes in (upper, lower):
        axes.set_xlim(0, 1.15)
        axes.set_xticks((0, 0.25, 0.5, 0.75, 1), ("0", "25%", "50%", "75%", "100%"))
        axes.set_yticks(rows, names)
        _style(axes)
        axes.grid(axis="y", visible=False)
    return _as_picture(
        figure,
        "Leakage",
        "Above: tested pictures of which training holds a near-duplicate, or another picture of "
        "the group. Below: how often the label of the most alike training picture is right; what "
        "a split gains over the one by group was remembered, not read.",
    )


def draw_shortcuts(scores: Sequence[tuple[str, Interval]]) -> Picture:
    """Draw the AUC of each baseline with its interval."""
    shown = list(reversed(scores))
    figure, axes = _make_axes("AUC on groups that were not fitted on", height=1 + 0.45 * len(shown))
    for position, (_, auc) in enumerate(shown):
        axes.plot((auc["low"], auc["high"]), (position, position), color=BLUE, linewidth=2.5)
        axes.plot(auc["value"], position, marker="o", color=BLUE, markersize=8)
        axes.annotate(
            f"{auc['value']:.3f}",
            (auc["value"], position),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.axvline(0.5, color=REFERENCE, linestyle="--", linewidth=1.5)
    axes.set_yticks(range(len(shown)), [name for name, _ in shown])
    axes.set_xlim(min(0.4, *(auc["low"] - 0.02 for _, auc in shown)), 1.02)
    axes.set_ylim(-0.6, len(shown) - 0.3)
    axes.grid(axis="y", visible=False)
    return _as_picture(
        figure,
        "Shortcut baselines",
        "How well forests of random trees tell tumours without looking at the brain, with 95% "
        "intervals. 0.5 (dashed) is chance.",
    )


def draw_spacings(spacings: Sequence[float]) -> Picture:
    """Draw the pixel spacings that DICOM files tell."""
    figure, axes = _make_axes("pixel spacing (mm)", "files", height=3.2)
    axes.hist(spacings, bins=20, **_fill(BLUE, ""))
    return _as_picture(
        figure,
        "Pixel spacing",
        f"Told by {len(spacings)} DICOM files; PNG and JPEG files do not tell it.",
    )


def _name_doubling(step: int) -> str:
    """Name the sizes above 2 ** (step - 1), up to 2 ** step."""
    first, last = 2 ** (step - 1) + 1 if step else 1, 2**step
    return f"{last}" if first >= last else f"{first}-{last}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _draw_counts(axes: Any, names: Sequence[str], counts: Sequence[int]) -> None:  # noqa: ANN401 - matplotlib has no types
    axes.bar_label(axes.bar(names, counts, **_fill(BLUE, "")), fontsize=9)
    axes.margins(y=0.1)
    axes.grid(axis="x", visible=False)


def _fill(colour: str, hatch: str) -> dict[str, Any]:
    red, green, blue = (int(colour[start : start + 2], 16) / 255.0 for start in (1, 3, 5))
    return {
        "facecolor": (red, green, blue, FADED),
        "edgecolor": colour,
        "hatch": hatch,
        "linewidth": 1.2,
    }


def _class_legend(figure: Figure) -> None:
    patches = [Patch(label=name, **_fill(colour, hatch)) for name, _, colour, hatch in CLASSES]
    figure.legend(handles=patches, loc="outside upper right", frameon=False, ncols=2)


def _make_axes(x_label: str, y_label: str = "", *, height: float) -> tuple[Figure, Any]:
    # A figure of its own and no pyplot: nothing is kept open, no display is looked for.
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    _style(axes)
    return figure, axes


def _style(axes: Any) -> None:  # noqa: ANN401 - matplotlib has no types
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _as_picture(figure: Figure, title: str, description: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return Picture(title, description, buffer.getvalue())
