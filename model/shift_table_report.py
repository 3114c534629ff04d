"""The HTML page of a shift table: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from model.changed_picture import OriginalPicture
from model.html_page import render_page, render_pictures, render_section, render_table
from model.picture_changes import BACKGROUND, PAINTED
from model.robustness_plots import draw_contact_sheet, draw_flips, draw_rows
from model.shift_table import LEAST_TUMORS_FLAGGED, MOST_FLIPS, ShiftTable, open_picture
from model.training_data import LabelledImage

SHOWN: Final = 2
"""Tumours, and as many normals, of which every change is shown."""

WIDE_PICTURES: Final = "figure { max-width: 72rem; }"

HEADS: Final = (
    "change",
    "what is done",
    "slices",
    "left out",
    "AUC",
    "tumours flagged",
    "of these by the scope gate",
    "tumours lost",
    "normals cleared",
    "decisions that change",
    "bars",
)


def render_shift_table(table: ShiftTable) -> str:
    """Render a shift table as one HTML page, with some of its pictures under every change."""
    content, card = table.content, table.bundle.card
    rows: Mapping[str, Any] = content["changes"]
    unchanged = {"unchanged": content["unchanged"]}
    others = {name: row for name, row in rows.items() if row["family"] != PAINTED}
    painted = {name: row for name, row in rows.items() if row["family"] == PAINTED}
    plot = draw_rows({**unchanged, **rows}, LEAST_TUMORS_FLAGGED, "Flagged and cleared")
    sections = (
        _introduction(table),
        render_section("At a glance", render_pictures([plot])),
        render_section("Every change", _changes_table({**unchanged, **others})),
        render_section("Painted lesions", _painted_table(painted)) if painted else "",
        _background_section(content),
        render_section("What the changes look like", _sheets(table)),
    )
    return render_page(f"Shift table of {card.name} {card.version}", sections, WIDE_PICTURES)


def _introduction(table: ShiftTable) -> str:
    content = table.content
    data = content["data"]
    warning = f'<p class="warning">{escape(data["warning"])}</p>' if data["warning"] else ""
    return (
        f"<p>Measured on {content['unchanged']['n']} slices: {escape(data['reason'])}. Each change "
        "is applied to the decoded picture, as another hospital might have delivered it; then the "
        "bundle prepares, scores and decides as in a night. A slice counts as flagged at or above "
        f"the threshold {content['threshold']:.4g}, or out of scope.</p>{warning}"
        f"<p>At least {LEAST_TUMORS_FLAGGED:.0%} of the tumours should stay flagged under every "
        f"change; another background should change at most {MOST_FLIPS:.0%} of the decisions. Head "
        "and brain are outlined for these changes by other methods than the bundle's own. "
        "<em>Left out</em>: no head, no background or no room to change. <em>Tumours lost</em>: "
        "flagged unchanged, cleared now. In small print: 95% intervals, bootstrapped over "
        f"groups.</p><p>Bundle digest <code>{escape(content['bundle_digest'])}</code></p>"
    )


def _changes_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    body = [
        (
            escape(name),
            escape(row.get("description", "")),
            str(row["n"]),
            str(row.get("left_out", "")),
            format_figure(row["auc"]),
            format_figure(row["tumors_flagged"]),
            format_figure(row["by_scope_gate"]),
            str(row.get("tumors_lost", "")),
            format_figure(row["normals_cleared"]),
            format_figure(row.get("flips")),
            _bars(row.get("bars", {})),
        )
        for name, row in rows.items()
    ]
    return render_table("All slices", HEADS, body)


def _painted_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    words = (
        "<p>Lesions painted onto the slices without a tumour. They are no tumours: a row says "
        "whether something evident is noticed in pictures of these scanners. <em>Newly flagged"
        "</em> counts slices that are cleared without the lesion; the AUC is that of painted "
        "against unpainted copies.</p>"
    )
    body = [
        (
            escape(name),
            escape(row["description"]),
            str(row["positives"]),
            str(row["left_out"]),
            format_figure(row["auc"]),
            format_figure(row["tumors_flagged"]),
            format_figure(row["by_scope_gate"]),
            format_figure(row["newly_flagged"]),
        )
        for name, row in rows.items()
    ]
    heads = (
        "lesion",
        "what is painted",
        "slices",
        "left out",
        "AUC",
        "flagged",
        "of these by the scope gate",
        "newly flagged",
    )
    return words + render_table("Slices without a tumour", heads, body)


def _background_section(content: Mapping[str, Any]) -> str:
    rows = {n: row for n, row in content["changes"].items() if row["family"] == BACKGROUND}
    if not rows:
        return ""
    flips = {"this bundle": rows, **content["compared"]}
    body = [
        (escape(network), *(format_figure(by_change[name]["flips"]) for name in rows))
        for network, by_change in flips.items()
    ]
    table = render_table("Decisions that change", ("network", *rows), body)
    plot = render_pictures([draw_flips(flips, MOST_FLIPS)])
    return render_section("Another background", table + plot)


def _sheets(table: ShiftTable) -> str:
    parameters = table.bundle.card.preprocessing
    sheets = [
        draw_contact_sheet(
            picture,
            table.changes,
            parameters,
            f"{image.source}, {'with' if image.label else 'without'} a tumour",
        )
        for image, picture in _choose_shown(table)
    ]
    return render_pictures(sheets)


def _choose_shown(table: ShiftTable) -> Iterator[tuple[LabelledImage, OriginalPicture]]:
    for label in (1, 0):
        sources: set[str] = set()
        for image in _of_label(table.part.images, label):
            if image.source in sources or len(sources) == SHOWN:
                continue
            picture = open_picture(image, table.bundle.card.preprocessing)
            if _may_be_shown(picture):
                sources.add(image.source)
                yield image, picture


def _of_label(images: Sequence[LabelledImage], label: int) -> list[LabelledImage]:
    return [image for image in images if image.label == label]


def _may_be_shown(picture: OriginalPicture) -> bool:
    """Refuse DICOM files that do not rule out text, perhaps a name, burned into their pixels."""
    return picture.image.format != "dicom" or picture.image.burned_in_text is False


def _bars(bars: Mapping[str, Mapping[str, Any]]) -> str:
    return "<br>".join(
        f"{'met' if bar['met'] else '<strong>missed</strong>'}: {escape(name.replace('_', ' '))}"
        for name, bar in bars.items()
    )


def format_figure(interval: Mapping[str, float] | None) -> str:
    """Return a value with its interval in small print; a dash where it is not defined."""
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}<small>{interval['low']:.3f}-{interval['high']:.3f}</small>"
