"""The HTML page of an evaluation: one file that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Final

from model.cross_validation import ENOUGH_GROUPS
from model.evaluate_bundle import Evaluation
from model.evaluation_plots import draw_evaluation
from model.html_page import render_page, render_pictures, render_section, render_table

COLUMNS: Final = {
    "auc": "AUC",
    "accuracy": "accuracy",
    "log_loss": "log loss",
    "precision": "precision",
    "sensitivity": "sensitivity (recall)",
    "specificity": "specificity (normals cleared)",
    "npv": "NPV",
}
DIVISIONS: Final = {
    "source": "By source",
    "tumor_type": "By tumour type",
    "plane": "By plane",
    "lesion_size": "By size of the lesion (outlined share of the picture)",
}
SHORTCUTS: Final = {
    "image_size": "width and height of the picture only",
    "border_brightness": "brightness of the rim and the corners only",
    "source": "name of the source only",
}
LOCALISATION: Final = {
    "dice": "Dice of map and outline",
    "box_iou": "IoU of the boxes",
    "pointing_game": "pointing game",
}


def render_evaluation(evaluation: Evaluation) -> str:
    """Render an evaluation as one HTML page."""
    content, card = evaluation.content, evaluation.bundle.card
    title = f"Evaluation of {card.name} {card.version}"
    pictures = draw_evaluation(evaluation.slices, content["threshold"])
    sections = (
        _introduction(content, evaluation.bundle.digest),
        render_section("All slices", _metrics_table("All", {"all": content["overall"]})),
        _groups_in_words(content["overall"]),
        _at_sensitivity_table(content["overall"]),
        render_section("Curves", render_pictures(pictures)),
        *(
            render_section(heading, _metrics_table(heading, content["by"][division]))
            for division, heading in DIVISIONS.items()
        ),
        _cross_validation_table(content["cross_validation"]),
        render_section("Where the map points", _localisation_table(content["localisation"])),
        render_section("Scope gate", _scope_table(content["scope_gate"])),
        render_section("Shortcut baselines", _shortcut_table(content)),
    )
    return render_page(title, sections)


def _introduction(content: Mapping[str, Any], digest: str) -> str:
    data = content["data"]
    warning = f'<p class="warning">{escape(data["warning"])}</p>' if data["warning"] else ""
    return (
        f"<p>Measured on {content['overall']['n']} slices: {escape(data['reason'])}. A slice "
        f"counts as flagged as a night flags it: at or above the threshold "
        f"{content['threshold']:.4g}, or out of scope ({content['out_of_scope']:.1%} of these "
        f"slices). It assists; cleared means not flagged, never discharged.</p>{warning}"
        "<p>In small print: 95% intervals, bootstrapped over groups (a patient, or near-duplicate "
        "pictures), because slices of one group are not independent. NPV is stated for a "
        f"prevalence of {content['prevalence']:.1%}. A dash: not defined, a class is missing.</p>"
        f"<p>Bundle digest <code>{escape(digest)}</code></p>"
    )


def _groups_in_words(overall: Mapping[str, Any]) -> str:
    counted = overall["tumor_groups"]
    if counted is None:
        return ""
    return (
        f"<p>{counted['missed']} of {counted['groups']} groups with a tumour have at least one "
        f"tumour slice that is cleared: with 95% confidence (exact, one-sided) at least "
        f"{counted['lower_bound']:.1%} of such groups have none. Where nothing was missed, a "
        "bootstrap interval has no width; this bound is the one to quote.</p>"
    )


def _metrics_table(caption: str, rows: Mapping[str, Mapping[str, Any]]) -> str:
    heads = ("", "slices", "tumours", "groups", *COLUMNS.values(), "specificity at 99% sensitivity")
    body = [
        (
            escape(name),
            str(row["n"]),
            str(row["positives"]),
            str(row["groups"]),
            *(_figure(row[key]) for key in COLUMNS),
            _figure(row["specificity_at_sensitivity"]["0.99"]),
        )
        for name, row in rows.items()
    ]
    return render_table(caption, heads, body)


def _at_sensitivity_table(overall: Mapping[str, Any]) -> str:
    body = [
        (f"{float(target):.1%}", _figure(interval))
        for target, interval in overall["specificity_at_sensitivity"].items()
    ]
    caption = "Specificity where the threshold is picked on these same slices (optimistic)"
    return render_table(caption, ("sensitivity kept", "specificity"), body)


def _cross_validation_table(by_source: Mapping[str, Mapping[str, Any] | None]) -> str:
    if not by_source:
        return ""
    heads = ("", "threshold, lowest to highest", "sensitivity", "specificity")
    body = []
    for name, row in by_source.items():
        if row is None:
            body.append((escape(name), "a class has too few groups", "", ""))
            continue
        thresholds = f"{row['lowest_threshold']:.3f} to {row['highest_threshold']:.3f}"
        figures = (_figure(row["sensitivity"]), _figure(row["specificity"]))
        body.append((escape(name), thresholds, *figures))
    words = (
        f"<p>Sources with fewer than {ENOUGH_GROUPS} groups rest on few patients. Here a threshold "
        "for 99% sensitivity is chosen on four fifths of a source's groups and measured on the "
        "others, five times: what a hospital with so few patients can expect of a threshold of its "
        "own. The network is the same in all folds.</p>"
    )
    heading = "Grouped cross-validation of the threshold"
    return render_section(heading, words + render_table(heading, heads, body))


def _localisation_table(localisation: Mapping[str, Any]) -> str:
    if not localisation["n"]:
        return "<p>No outlines in these data.</p>"
    body = [(text, _figure(localisation["intervals"][key])) for key, text in LOCALISATION.items()]
    return render_table(f"{localisation['n']} outlined slices", ("", "mean"), body)


def _scope_table(check: Mapping[str, Mapping[str, Mapping[str, int]]]) -> str:
    sides = {"not_brain_mr": "not brain MR", "brain_mr": "brain MR"}
    body = [
        (
            escape(f"{text}: {name.replace('_', ' ')}"),
            str(row["n"]),
            str(row["out_of_scope"]),
            f"{row['out_of_scope'] / row['n']:.1%}",
        )
        for side, text in sides.items()
        for name, row in check[side].items()
    ]
    words = (
        "<p>Pictures that are not brain MR should be out of scope, and are flagged as such; brain "
        "MR should not. The former come with the package, drawn or from example data, and the "
        "gate was fitted on others.</p>"
    )
    return words + render_table(
        "Called out of scope", ("", "pictures", "out of scope", "share"), body
    )


def _shortcut_table(content: Mapping[str, Any]) -> str:
    body = [("the bundle", _figure(content["overall"]["auc"]), "")]
    for key, text in SHORTCUTS.items():
        row = content["shortcuts"][key] or {"auc": None, "accuracy": None}
        body.append((text, _figure(row["auc"]), _figure(row["accuracy"])))
    words = (
        "<p>Forests of random trees that never see the brain, cross-validated by group on these "
        "same images. Where one of them comes near the bundle, the collection gives its labels "
        "away, and a good figure of the bundle proves little.</p>"
    )
    return words + render_table(
        "Without looking at the brain", ("", "AUC", "accuracy at 0.5"), body
    )


def _figure(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}<small>{interval['low']:.3f}-{interval['high']:.3f}</small>"
