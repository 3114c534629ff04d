"""The pictures of an evaluation, as PNG: ROC, precision and recall, reliability, histogram.

Colours are Okabe and Ito's, and no line or bar is told from another by its colour alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from sklearn.metrics import precision_recall_curve, roc_curve

from model.evaluation import ScoredSlices
from model.metrics import Flags, Floats

BLUE: Final = "#0072B2"
VERMILION: Final = "#D55E00"
INK: Final = "#1a1a1a"
GRID: Final = "#d0d0d0"
REFERENCE: Final = "#767676"
LINES: Final = (
    ("#0072B2", "--"),
    ("#D55E00", ":"),
    ("#009E73", "-."),
    ("#CC79A7", (0, (5, 1, 1, 1, 1, 1))),
    ("#56B4E9", (0, (1, 1))),
)
"""Of the sources: the overall curve is solid and of ink."""

DOTS_PER_INCH: Final = 110
RELIABILITY_BINS: Final = 10
LEAST_IN_BIN: Final = 5
"""A bin of fewer slices is drawn hollow: its share is mostly chance."""

SHOWN_ODDS: Final = 9.0
"""Log-odds at the edges of the histogram, about 0.01% and 99.99%; what lies beyond is there."""

ODDS_TICKS: Final = (0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999)


@dataclass(frozen=True)
class Picture:
    """One plot.

    Attributes:
        title: above it.
        description: what it shows, for whoever cannot see it.
        png: the picture.
    """

    title: str
    description: str
    png: bytes


def draw_evaluation(slices: ScoredSlices, threshold: float) -> list[Picture]:
    """Draw what can be drawn: curves need tumours and normals."""
    histogram = _draw_histogram(slices, threshold)
    if len(set(slices.labels.tolist())) < 2:  # noqa: PLR2004 - two classes
        return [histogram]
    return [
        _draw_roc(slices),
        _draw_precision_recall(slices),
        _draw_reliability(slices),
        histogram,
    ]


def _draw_roc(slices: ScoredSlices) -> Picture:
    figure, axes = _make_axes("1 - specificity (normals flagged)", "sensitivity (tumours flagged)")
    axes.plot((0, 1), (0, 1), color=REFERENCE, linewidth=1)
    for (colour, style), name in zip(LINES, _sources_of_both_classes(slices), strict=False):
        here = slices.where(slices.strata["source"] == name)
        false, true, _ = roc_curve(here.labels, here.probabilities)
        axes.plot(false, true, color=colour, linestyle=style, linewidth=1.6, label=name)
    false, true, _ = roc_curve(slices.labels, slices.probabilities)
    axes.plot(false, true, color=INK, linewidth=2.2, label="all")
    at = _operating_point(slices)
    axes.plot(*at, marker="D", color=VERMILION, markeredgecolor=INK, linestyle="", label="decided")
    axes.legend(loc="lower right", frameon=False)
    return _as_picture(
        figure,
        "ROC curve",
        f"Sensitivity over 1 - specificity, all slices and by source. The diamond is what the "
        f"whole chain decides: sensitivity {at[1]:.3f}, specificity {1 - at[0]:.3f}.",
    )


def _draw_precision_recall(slices: ScoredSlices) -> Picture:
    figure, axes = _make_axes("sensitivity (recall)", "precision (tumours among the flagged)")
    precision, recall, _ = precision_recall_curve(slices.labels, slices.probabilities)
    share = float(slices.labels.mean())
    by_chance = f"by chance ({share:.2f})"
    axes.axhline(share, color=REFERENCE, linewidth=1.5, linestyle="--", label=by_chance)
    axes.plot(recall, precision, color=INK, linewidth=2.2, label="all")
    axes.legend(loc="lower left", frameon=False)
    return _as_picture(
        figure,
        "Precision and recall",
        f"Precision over sensitivity at the mixture of these images, {share:.0%} tumours; on a "
        "ward with fewer tumours precision is lower.",
    )


def _draw_reliability(slices: ScoredSlices) -> Picture:
    figure, axes = _make_axes("probability given", "share of slices with a tumour")
    axes.plot((0, 1), (0, 1), color=REFERENCE, linewidth=1.5, linestyle="--", label="as promised")
    given, found, counts = reliability_bins(slices)
    enough = counts >= LEAST_IN_BIN
    axes.plot(given, found, color=BLUE, linewidth=1)
    axes.plot(given[enough], found[enough], color=BLUE, marker="o", linestyle="", label="found")
    axes.plot(
        given[~enough],
        found[~enough],
        color=BLUE,
        marker="o",
        markerfacecolor="white",
        linestyle="",
        label=f"fewer than {LEAST_IN_BIN} slices",
    )
    for x, y, count in zip(given, found, counts, strict=True):
        axes.annotate(f"{count}", (x, y), (4, -11), textcoords="offset points", fontsize=8)
    axes.legend(loc="upper left", frameon=False)
    return _as_picture(
        figure,
        "Reliability",
        "How often slices with a given probability show a tumour; the numbers count slices. Points "
        "on the dashed line keep the probability's promise.",
    )


def _draw_histogram(slices: ScoredSlices, threshold: float) -> Picture:
    figure, axes = _make_axes("probability (log-odds scale)", "slices (log scale)", square=False)
    edges = np.linspace(-SHOWN_ODDS, SHOWN_ODDS, 46)
    odds = np.clip(_log_odds(slices.probabilities), -SHOWN_ODDS, SHOWN_ODDS)
    shown = (("no tumour", 0, BLUE, None), ("tumour", 1, VERMILION, "////"))
    for name, label, colour, hatch in shown:
        axes.hist(
            odds[slices.labels == label],
            bins=edges,
            histtype="stepfilled",
            facecolor=(*_rgb(colour), 0.35),
            edgecolor=colour,
            linewidth=1.5,
            hatch=hatch,
            label=name,
        )
    axes.axvline(
        float(_log_odds(np.array([threshold]))[0]),
        color=INK,
        linewidth=1.8,
        linestyle="--",
        label=f"threshold {threshold:.3g}",
    )
    axes.set_yscale("log")
    axes.set_ylim(bottom=0.7)
    axes.yaxis.set_major_formatter("{x:.0f}")
    axes.set_xticks(_log_odds(np.array(ODDS_TICKS)), [f"{tick * 100:g}%" for tick in ODDS_TICKS])
    axes.legend(loc="upper center", frameon=False, ncols=3, bbox_to_anchor=(0.5, 1.12))
    return _as_picture(
        figure,
        "Scores",
        "How many slices have which probability, those without a tumour filled plainly, those with "
        "one hatched. Left of the dashed line the threshold clears.",
    )


def reliability_bins(
    slices: ScoredSlices,
) -> tuple[Floats, Floats, npt.NDArray[np.int64]]:
    """Return mean probability, share of tumours and count of each bin that is not empty."""
    positions = np.minimum(
        (slices.probabilities * RELIABILITY_BINS).astype(int),
        RELIABILITY_BINS - 1,
    )
    counts = np.bincount(positions, minlength=RELIABILITY_BINS).astype(np.int64)
    filled = counts > 0
    given = np.bincount(positions, slices.probabilities, RELIABILITY_BINS)[filled]
    found = np.bincount(positions, slices.labels, RELIABILITY_BINS)[filled]
    return given / counts[filled], found / counts[filled], counts[filled]


def _sources_of_both_classes(slices: ScoredSlices) -> Sequence[str]:
    """Name the sources that have a curve, the largest first."""
    sources = slices.strata["source"]
    names = sorted(set(sources.tolist()), key=lambda name: -int((sources == name).sum()))
    return [name for name in names if len(set(slices.labels[sources == name].tolist())) > 1]


def _operating_point(slices: ScoredSlices) -> tuple[float, float]:
    normal: Flags = slices.labels == 0
    return float(slices.flagged[normal].mean()), float(slices.flagged[~normal].mean())


def _log_odds(probabilities: Floats) -> Floats:
    inner = np.clip(probabilities, 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(inner / (1.0 - inner)), dtype=np.float64)


def _rgb(colour: str) -> tuple[float, float, float]:
    red, green, blue = (int(colour[start : start + 2], 16) / 255.0 for start in (1, 3, 5))
    return red, green, blue


def _make_axes(x_label: str, y_label: str, *, square: bool = True) -> tuple[Figure, Any]:
    # A figure of its own and no pyplot: nothing is kept open, no display is looked for.
    figure = Figure(figsize=(5.2, 4.8) if square else (7.4, 4.8), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(x_label, color=INK)
    axes.set_ylabel(y_label, color=INK)
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if square:
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_aspect("equal")
    return figure, axes


def _as_picture(figure: Figure, title: str, description: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return Picture(title, description, buffer.getvalue())
