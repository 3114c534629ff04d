"""The pictures of a comparison, as PNG: one panel a row, so that no line is told by its colour."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, Final

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from model.comparison_words import Row, says_tumor_every_time
from model.evaluation_plots import (
    BLUE,
    DOTS_PER_INCH,
    GRID,
    INK,
    REFERENCE,
    VERMILION,
    Picture,
)

COLUMNS: Final = 3
PANEL_INCHES: Final = (3.4, 2.7)
TITLE_LETTERS: Final = 34

EVERY_TIME: Final = "tumour every time"


def draw_comparison(rows: Sequence[Row]) -> list[Picture]:
    """Draw the finished rows."""
    return [_draw_figures(rows), _draw_calls(rows), _draw_losses(rows), _draw_rocs(rows)]


def _draw_figures(rows: Sequence[Row]) -> Picture:
    figure = _make_figure(9.4, 1.4 + 0.42 * len(rows))
    left, right = figure.subplots(1, 2, sharey=True)
    places = range(len(rows), 0, -1)
    aucs = [row["test"]["overall"]["auc"] for row in rows]
    at_99 = [row["test"]["overall"]["specificity_at_sensitivity"]["0.99"] for row in rows]
    shown = ((left, "AUC", aucs), (right, "specificity at 99% sensitivity", at_99))
    for axes, label, intervals in shown:
        for place, interval in zip(places, intervals, strict=True):
            axes.plot((interval["low"], interval["high"]), (place, place), color=BLUE, linewidth=2)
            axes.plot(interval["value"], place, color=INK, marker="o")
        axes.set_xlabel(label, color=INK)
        axes.set_xlim(-0.02, 1.02)
        _tidy(axes)
    left.set_yticks(list(places), [_fold(row["title"]) for row in rows])
    left.axvline(0.5, color=REFERENCE, linewidth=1, linestyle="--")
    return _as_picture(
        figure,
        "Test part",
        "Each row's figure with its 95% interval over groups. The dashed line is an AUC of chance.",
    )


def _draw_calls(rows: Sequence[Row]) -> Picture:
    def draw(axes: Any, row: Row) -> None:  # noqa: ANN401 - matplotlib has no types
        seen, called, accuracy = _series(row, "called_tumor", "accuracy")
        rate = row["readings"][-1]["base_rate"]
        axes.axhline(rate, color=REFERENCE, linewidth=1.5, linestyle=":", label="share of tumours")
        axes.plot(seen, accuracy, color=BLUE, marker="o", markersize=3, label="accuracy")
        axes.plot(seen, called, color=VERMILION, linestyle="--", linewidth=2, label="called tumour")
        axes.set_ylim(-0.02, 1.06)
        if says_tumor_every_time(row):
            axes.text(0.5, 0.06, EVERY_TIME, color=INK, ha="center", transform=axes.transAxes)

    return _draw_panels(
        rows,
        draw,
        ("training pictures seen", "share of slices"),
        "What is called a tumour, epoch by epoch",
        "Share of the calibration part that is called a tumour at 0.5 (dashed), accuracy (solid) "
        "and share of tumours (dotted). A network whose dashed line stays at 1 says tumour every "
        "time: its accuracy is then the share of tumours and no more.",
    )


def _draw_losses(rows: Sequence[Row]) -> Picture:
    def draw(axes: Any, row: Row) -> None:  # noqa: ANN401 - as above
        seen, training, held = _series(row, "training_loss", "loss")
        axes.plot(seen, training, color=VERMILION, linestyle="--", label="training")
        axes.plot(seen, held, color=BLUE, marker="o", markersize=3, label="calibration part")
        axes.set_ylim(0.0, 1.2)

    return _draw_panels(
        rows,
        draw,
        ("training pictures seen", "loss (nats)"),
        "Loss, epoch by epoch",
        "Cross-entropy of the training pictures as drawn and changed (dashed), and of the "
        "calibration part (solid); what exceeds 1.2 is cut off.",
    )


def _draw_rocs(rows: Sequence[Row]) -> Picture:
    def draw(axes: Any, row: Row) -> None:  # noqa: ANN401 - as above
        for other in rows:
            roc = other["roc"]
            axes.plot(roc["false"], roc["true"], color=GRID, linewidth=1, label="other rows")
        roc = row["roc"]
        axes.plot(roc["false"], roc["true"], color=BLUE, linewidth=2, label="this row")
        axes.set_ylim(-0.02, 1.02)

    return _draw_panels(
        rows,
        draw,
        ("1 - specificity", "sensitivity"),
        "ROC curves",
        "Of the test part; each panel shows one row in front of the others in gray.",
    )


def _draw_panels(
    rows: Sequence[Row],
    draw: Callable[[Any, Row], None],
    labels: tuple[str, str],
    title: str,
    description: str,
) -> Picture:
    columns = min(COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    width, height = PANEL_INCHES
    figure = _make_figure(max(4.6, width * columns), height * lines + 0.5)
    panels = figure.subplots(lines, columns, squeeze=False, sharey=True).ravel()
    for axes, row in zip(panels, rows, strict=False):
        draw(axes, row)
        axes.set_title(_fold(row["title"]), fontsize=10, color=INK)
        axes.tick_params(axis="x", labelsize=8)
        axes.locator_params(axis="x", nbins=4)
        _tidy(axes)
    for axes in panels[len(rows) :]:
        axes.set_axis_off()
    handles, names = panels[0].get_legend_handles_labels()
    known = dict(zip(names, handles, strict=True))
    figure.legend(known.values(), known.keys(), loc="outside upper center", ncols=3, frameon=False)
    figure.supxlabel(labels[0], fontsize=10, color=INK)
    figure.supylabel(labels[1], fontsize=10, color=INK)
    return _as_picture(figure, title, description)


def _series(row: Row, *keys: str) -> tuple[list[float], ...]:
    return tuple([reading[key] for reading in row["readings"]] for key in ("pictures", *keys))


def _fold(title: str) -> str:
    return "\n".join(textwrap.wrap(title, TITLE_LETTERS))


def _tidy(axes: Any) -> None:  # noqa: ANN401 - as above
    axes.grid(color=GRID, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _make_figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _as_picture(figure: Figure, title: str, description: str) -> Picture:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return Picture(title, description, buffer.getvalue())
