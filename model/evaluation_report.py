"""The HTML page of an evaluation: one file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final

from model.evaluate_bundle import ENOUGH_GROUPS, Evaluation
from model.evaluation_plots import Picture, draw_evaluation

STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .875rem; }
caption { text-align: left; font-weight: 600; padding: .5rem 0; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #d0d0d0; text-align: right;
  vertical-align: top; white-space: nowrap; }
th[scope=row], th:first-child { text-align: left; }
th[scope=col] { white-space: normal; vertical-align: bottom; }
td small { display: block; color: #555; }
.wide { overflow-x: auto; }
.warning { border-left: .4rem solid #D55E00; background: #fdf1e8; padding: .6rem 1rem; }
.pictures { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; max-width: 36rem; } figure img { max-width: 100%; height: auto; }
figcaption { font-size: .875rem; }
"""

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
        _section("All slices", _metrics_table("All", {"all": content["overall"]})),
        _groups_in_words(content["overall"]),
        _at_sensitivity_table(content["overall"]),
        _section("Curves", _figures(pictures)),
        *(
            _section(heading, _metrics_table(heading, content["by"][division]))
            for division, heading in DIVISIONS.items()
        ),
        _small_sources(content["data"]["sources_under_100_groups"]),
        _section("Where the map points", _localisation_table(content["localisation"])),
        _section("Shortcut baselines", _shortcut_table(content)),
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


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
    return _table(caption, heads, body)


def _at_sensitivity_table(overall: Mapping[str, Any]) -> str:
    body = [
        (f"{float(target):.1%}", _figure(interval))
        for target, interval in overall["specificity_at_sensitivity"].items()
    ]
    caption = "Specificity where the threshold is picked on these same slices (optimistic)"
    return _table(caption, ("sensitivity kept", "specificity"), body)


def _small_sources(names: Sequence[str]) -> str:
    if not names:
        return ""
    return (
        f'<p class="warning">Fewer than {ENOUGH_GROUPS} groups: {escape(", ".join(names))}. Their '
        "figures rest on few patients. Grouped cross-validation would use more of them, but it "
        "means training anew for every fold; it is not part of this page.</p>"
    )


def _localisation_table(localisation: Mapping[str, Any]) -> str:
    if not localisation["n"]:
        return "<p>No outlines in these data.</p>"
    body = [(text, _figure(localisation["intervals"][key])) for key, text in LOCALISATION.items()]
    return _table(f"{localisation['n']} outlined slices", ("", "mean"), body)


def _shortcut_table(content: Mapping[str, Any]) -> str:
    body = [("the bundle", _figure(content["overall"]["auc"]), "")]
    for key, text in SHORTCUTS.items():
        row = content["shortcuts"][key] or {"auc": None, "accuracy": None}
        body.append((text, _figure(row["auc"]), _figure(row["accuracy"])))
    words = (
        "<p>Logistic regressions that never see the brain, cross-validated by group on these same "
        "images. Where one of them comes near the bundle, the collection gives its labels away, "
        "and a good figure of the bundle proves little.</p>"
    )
    return words + _table("Without looking at the brain", ("", "AUC", "accuracy at 0.5"), body)


def _figures(pictures: Iterable[Picture]) -> str:
    figures = [
        f'<figure><img alt="{escape(picture.description)}" '
        f'src="data:image/png;base64,{base64.b64encode(picture.png).decode()}">'
        f"<figcaption><strong>{escape(picture.title)}.</strong> {escape(picture.description)}"
        "</figcaption></figure>"
        for picture in pictures
    ]
    return f'<div class="pictures">{"".join(figures)}</div>'


def _section(heading: str, inner: str) -> str:
    return f"<h2>{escape(heading)}</h2>{inner}"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Render a table; the cells are HTML already."""
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in rows
    )
    return (
        f'<div class="wide"><table><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _figure(interval: Mapping[str, float] | None) -> str:
    if interval is None:
        return "-"
    return f"{interval['value']:.3f}<small>{interval['low']:.3f}-{interval['high']:.3f}</small>"
