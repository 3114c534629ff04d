"""The HTML page of a data report: short text, one idea a plot, nothing to be loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from model.data_report import ALL, DataReport
from model.data_report_counts import (
    SCANNER_FIELDS,
    ClassCounts,
    count_classes,
    count_group_sizes,
    count_scanners,
    plane_of,
    size_of,
    source_of,
    type_of,
)
from model.data_report_findings import list_findings
from model.data_report_gallery import STYLE, Previews, render_suspects
from model.data_report_plots import (
    draw_classes,
    draw_cluster_sizes,
    draw_group_sizes,
    draw_leakage,
    draw_levels,
    draw_shortcuts,
    draw_sizes,
    draw_spacings,
)
from model.html_page import render_page, render_pictures, render_section, render_table
from model.metrics import Interval
from model.training_data import UNKNOWN

BASELINES: Final = {
    "image_size": "width and height only",
    "border": "rim and corners only",
    "background": "what is outside the head only",
    "source": "name of the source only",
}
SHOWN_SIZES: Final = 10


def render_report(report: DataReport, previews: Previews) -> str:
    """Render a data report as one HTML page."""
    sections = (
        _introduction(report),
        render_section("What is in it", _contents(report)),
        render_section("How the pictures look", _looks(report)),
        render_section("Scanners", _scanners(report)),
        render_section("What belongs together", _groups(report)),
        render_section("What a naive split leaks", _leakage(report)),
        render_section("How far one gets without looking at the brain", _shortcuts(report)),
        render_section("Labels worth a second look", render_suspects(report, previews)),
        render_section("Files that cannot be used", _set_aside(report)),
    )
    return render_page(f"Data report: {report.folder}", sections, STYLE)


def _introduction(report: DataReport) -> str:
    findings = "".join(f"<li>{escape(finding)}</li>" for finding in list_findings(report))
    return (
        "<p>What is to be known of these labelled pictures before anyone trains on them, or "
        f"believes a figure measured on them.</p><ul>{findings}</ul>"
    )


def _contents(report: DataReport) -> str:
    sources = count_classes(report.pictures, source_of)
    types = count_classes([p for p in report.pictures if p.image.label == 1], type_of)
    plots = [
        draw_classes("Classes", "Pictures with and without a tumour, by source.", sources),
        draw_classes("Tumour types", "Pictures with a tumour, by its type as labelled.", types),
    ]
    return render_pictures(plots if types else plots[:1]) + _counts_table("Sources", sources)


def _looks(report: DataReport) -> str:
    pictures = report.pictures
    planes = count_classes(pictures, plane_of)
    known = sum(kind.pictures for kind in planes if kind.name != UNKNOWN)
    spacings = [
        acquisition.pixel_spacing_mm
        for acquisition in (p.measures.acquisition for p in pictures)
        if acquisition.pixel_spacing_mm is not None
    ]
    plots = [draw_sizes(pictures), draw_levels(pictures)]
    if known:
        plots.append(draw_classes("Planes", "As the index or a DICOM file tells them.", planes))
    if spacings:
        plots.append(draw_spacings(spacings))
    words = (
        f"<p>The plane is known of {known} of {len(pictures)} pictures, the pixel spacing of "
        f"{len(spacings)}. Neither is guessed: the index may "
        "have a column <code>plane</code>, and DICOM files tell both.</p>"
    )
    return render_pictures(plots) + words + _sizes_table(report)


def _sizes_table(report: DataReport) -> str:
    sizes = count_classes(report.pictures, size_of)
    words = f"<p>There are {len(sizes)} sizes; these are the commonest.</p>"
    return words + _counts_table("Commonest sizes (pixels)", sizes[:SHOWN_SIZES])


def _counts_table(caption: str, kinds: Sequence[ClassCounts]) -> str:
    rows = [
        (
            escape(kind.name),
            str(kind.pictures),
            str(kind.tumors),
            str(kind.normals),
            _share(kind.tumors, kind.pictures),
            str(kind.groups),
        )
        for kind in kinds
    ]
    heads = ("", "pictures", "tumour", "no tumour", "share with a tumour", "groups")
    return render_table(caption, heads, rows)


def _scanners(report: DataReport) -> str:
    labelled = [p.measures.acquisition for p in report.pictures if p.format == "dicom"]
    heads = (*SCANNER_FIELDS.values(), "files")
    tables = [
        render_table(
            caption,
            heads,
            [(*map(escape, fields), str(count)) for fields, count in count_scanners(found)],
        )
        for caption, found in (
            ("Labelled DICOM files", labelled),
            ("Other DICOM files below the folder", report.read.unlisted_dicom),
        )
        if found
    ]
    unread = report.read.unread_dicom
    if unread:
        tables.append(f"<p>{unread} more DICOM files without a label cannot be read.</p>")
    return "".join(tables) or (
        "<p>There are no DICOM files below the folder: nothing tells the scanner.</p>"
    )


def _groups(report: DataReport) -> str:
    sizes, found = count_group_sizes(report.pictures), report.duplicates
    given = "as given" if report.groups_given else "near-duplicates, as no groups are given"
    crossing = ""
    if report.groups_given:
        crossing = (
            f" Clusters in more than one given group, which no split keeps apart: {found.crossing}."
        )
    words = (
        f"<p>{len(sizes)} groups ({given}), the largest of {sizes[0]} pictures. "
        f"{len(found.sizes)} clusters of near-duplicates hold {sum(found.sizes)} pictures, the "
        f"largest {max(found.sizes, default=0)}; {found.copies} files are exact copies of another."
        f"{crossing} Clusters that hold tumours and normals: {found.both_labels}.</p>"
        "<p>Near-duplicates: thumbnails of 32 x 32 pixels that correlate above 0.97 in any of the "
        "eight orientations, and what is linked through others.</p>"
    )
    plots = [draw_group_sizes(sizes)]
    if found.sizes:
        plots.append(draw_cluster_sizes(found.sizes))
    return words + render_pictures(plots)


def _leakage(report: DataReport) -> str:
    if not report.leakage:
        return "<p>Not measured: a split needs two pictures of either class.</p>"
    rows = [
        (
            escape(split.split),
            str(split.tested),
            _share(split.with_twin, split.tested),
            _share(split.with_group, split.tested),
            "-" if split.accuracy is None else f"{split.accuracy:.1%}",
        )
        for split in report.leakage
    ]
    heads = (
        "split",
        "tested",
        "with a near-duplicate in training",
        "with their own group in training",
        "accuracy of looking up the nearest thumbnail",
    )
    words = (
        "<p>Dealt out row by row, copies of one picture and slices of one patient stand on both "
        "sides, and a test part looks easier than a patient is. By row and by group: "
        "cross-validated, every picture is tested once.</p>"
    )
    table = render_table("Splits (accuracy: both classes weigh the same)", heads, rows)
    return words + render_pictures([draw_leakage(report.leakage)]) + table


def _shortcuts(report: DataReport) -> str:
    words = (
        "<p>Forests of random trees that never see the brain, measured on groups that they were "
        "not fitted on. Where one does well, the collection gives its labels away, and a network "
        "will learn that first.</p>"
    )
    overall = {name: _interval_of(row, "auc") for name, row in report.shortcuts[ALL].items()}
    shown = [(BASELINES[name], auc) for name, auc in overall.items() if auc is not None]
    if not shown:
        return "<p>Not measured: it takes two groups of either class.</p>"
    rows = [
        (escape(source), *(_figure(scores.get(name)) for name in BASELINES))
        for source, scores in report.shortcuts.items()
    ]
    caption = "AUC with its 95% interval, and accuracy; a dash: too few groups, or no meaning"
    return (
        words
        + render_pictures([draw_shortcuts(shown)])
        + render_table(caption, ("", *BASELINES.values()), rows)
    )


def _interval_of(row: Mapping[str, Interval | None] | None, name: str) -> Interval | None:
    return row[name] if row else None


def _figure(row: Mapping[str, Interval | None] | None) -> str:
    auc, accuracy = _interval_of(row, "auc"), _interval_of(row, "accuracy")
    if auc is None or accuracy is None:
        return "-"
    return (
        f"{auc['value']:.3f}<small>{auc['low']:.3f}-{auc['high']:.3f}</small>"
        f"<small>accuracy {accuracy['value']:.1%}</small>"
    )


def _set_aside(report: DataReport) -> str:
    files = report.read.set_aside
    if not files:
        return "<p>None: every image and mask can be read.</p>"
    kinds = Counter(one.problem.split(":")[0] for one in files)
    table = render_table(
        "Problems",
        ("", "files"),
        [(escape(problem), str(count)) for problem, count in kinds.most_common()],
    )
    names = "".join(
        f"<li><code>{escape(one.path)}</code>: {escape(one.problem)}</li>" for one in files
    )
    return (
        f"<p>{len(files)} files are in none of the figures of this page.</p>{table}"
        f"<details><summary>All of them by name</summary><ol>{names}</ol></details>"
    )


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"
