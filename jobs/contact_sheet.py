"""One self-contained page a night with all its explanations; it names no patient and no object.

Pictures of which nobody can say that no text is burned into them stay out of it: a page is
carried further than a folder of the lake.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import Any, Final

import pyarrow as pa
from PIL import Image

from jobs.lake import Lake
from jobs.night_keys import explanations_prefix
from model.errors import NotRetrievedError
from model.html_page import embed, render_page, render_table

CONTACT_SHEET_NAME: Final = "contact_sheet.html"

MOST_PICTURES: Final = 200
"""About 40 MB; a browser opens that, and the folder of the night has the rest."""

PICTURE_WIDTH: Final = 1200
PICTURE_QUALITY: Final = 80

STYLE: Final = """
body { max-width: 110rem; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(34rem, 1fr)); gap: 1.5rem; }
.sheet figure { max-width: none; border: 1px solid #d0d0d0; border-radius: .4rem; padding: .8rem; }
.sheet figure.doubtful { border: 2px solid #D55E00; }
.sheet .none { background: #f2f2f2; padding: 2rem 1rem; }
figcaption p { margin: .3rem 0; } .doubt { color: #A33B00; font-weight: 600; }
code { font-size: .8rem; overflow-wrap: anywhere; }
.switch { position: absolute; opacity: 0; }
label { border: 1px solid #555; border-radius: .3rem; padding: .2rem .6rem; cursor: pointer; }
.switch:focus-visible + label { outline: 3px solid #0072B2; }
.blind, #blue:checked ~ .sheet .usual { display: none; }
#blue:checked ~ .sheet .blind { display: inline; }
#blue:checked + label, #green:checked + label { background: #1a1a1a; color: #fff; }
"""

CHOSEN_FOR: Final[Mapping[str, str]] = {
    "highest_score": "among the highest probabilities",
    "near_threshold": "flagged, and nearest the threshold",
    "each_reason": "for its reason",
    "each_scanner": "for its scanner",
    "random": "by lot",
    "asked": "asked for",
}


@dataclass(frozen=True)
class SheetImage:
    """One explanation of the sheet.

    Attributes:
        row: of the night's index, see `jobs.schemas.EXPLANATIONS`.
        overlay: JPEG in green and red; None where there is none, or it may not leave the lake.
        overlay_colour_blind: JPEG in blue and orange, or None likewise.
    """

    row: Mapping[str, Any]
    overlay: bytes | None
    overlay_colour_blind: bytes | None


def write_contact_sheet(lake: Lake, night: date, index: pa.Table) -> None:
    """Write the page of a night beside its explanations, whose pictures are in place already.

    Args:
        lake: where.
        night: which.
        index: `jobs.schemas.EXPLANATIONS`.

    Raises:
        OutputError: if the lake does not take it.
    """
    folder = explanations_prefix(night)
    images = [
        _read_image(lake, folder, row, with_picture=place < MOST_PICTURES)
        for place, row in enumerate(index.to_pylist())
    ]
    lake.write(f"{folder}{CONTACT_SHEET_NAME}", render_contact_sheet(night, images).encode())


def render_contact_sheet(night: date, images: Sequence[SheetImage]) -> str:
    """Render the page of a night; the same explanations give the same page."""
    shown = sum(image.overlay is not None for image in images)
    doubtful = sum(bool(image.row["doubts"]) for image in images)
    sections = [
        (
            f"<p>{len(images)} images were explained; {shown} are shown, {doubtful} explanations "
            "are doubtful and say why. Each picture: the slice, what moved the model's score "
            "(LIME), and the model's own tumor map, at one scale.</p>"
            "<p><strong>This assists radiologists. It never diagnoses: a tinted region is what the "
            "model reacted to, not a finding.</strong></p>"
        ),
        _render_summary(images),
        (
            '<h2>Images</h2><input class="switch" type="radio" name="colours" id="green" checked>'
            '<label for="green">green and red</label> '
            '<input class="switch" type="radio" name="colours" id="blue">'
            '<label for="blue">blue and orange</label>'
            f'<div class="sheet">{"".join(_render_image(image) for image in images)}</div>'
        ),
    ]
    return render_page(f"Explanations of the night {night.isoformat()}", sections, STYLE)


def _read_image(
    lake: Lake, folder: str, row: Mapping[str, Any], *, with_picture: bool
) -> SheetImage:
    paths = (row["overlay"], row["overlay_colour_blind"])
    if not (with_picture and row["may_leave_lake"] and all(paths)):
        return SheetImage(row, None, None)
    try:
        return SheetImage(row, *(_shrink(lake.read(f"{folder}{path}")) for path in paths))
    except NotRetrievedError:
        return SheetImage(row, None, None)


def _shrink(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGB")
    height = max(1, round(image.height * PICTURE_WIDTH / image.width))
    buffer = io.BytesIO()
    small = image.resize((PICTURE_WIDTH, height), Image.Resampling.LANCZOS)
    small.save(buffer, "JPEG", quality=PICTURE_QUALITY)
    return buffer.getvalue()


def _render_summary(images: Sequence[SheetImage]) -> str:
    rows = [
        (
            f"<code>{escape(image.row['image_id'])}</code>",
            escape(CHOSEN_FOR.get(image.row["chosen_for"], image.row["chosen_for"])),
            escape(image.row["reason"].replace("_", " ")),
            *(
                _number(image.row[name])
                for name in (
                    "probability",
                    "r_squared",
                    "stability",
                    "inside_head",
                    "map_agreement",
                )
            ),
        )
        for image in images
    ]
    heads = (
        "image",
        "chosen",
        "reason",
        "probability",
        "fit (R²)",
        "agreement of two halves",
        "positive weight inside the head",
        "density inside the map's outline",
    )
    return render_table("How far each explanation may be trusted", heads, rows) if rows else ""


def _render_image(image: SheetImage) -> str:
    row = image.row
    lines = [f"<code>{escape(row['image_id'])}</code>"]
    lines.append(
        f"{escape(row['reason'].replace('_', ' '))}, probability {_number(row['probability'])}, "
        f"chosen {escape(CHOSEN_FOR.get(row['chosen_for'], row['chosen_for']))}"
    )
    text = "".join(f"<p>{line}</p>" for line in lines)
    for doubt in filter(None, (row["doubts"] or "").split("; ")):
        text += f'<p class="doubt">{escape(doubt)}</p>'
    kind = ' class="doubtful"' if row["doubts"] else ""
    return f"<figure{kind}>{_render_pictures(image)}<figcaption>{text}</figcaption></figure>"


def _render_pictures(image: SheetImage) -> str:
    if image.overlay is None or image.overlay_colour_blind is None:
        withheld = "it stays in the lake, because text may be burned into its pixels"
        room = f"only {MOST_PICTURES} fit here, it lies in the night's folder"
        why = image.row["detail"] or (room if image.row["may_leave_lake"] else withheld)
        return f'<p class="none">No picture: {escape(why)}.</p>'
    alternatives: Iterable[tuple[str, bytes]] = (
        ("usual", image.overlay),
        ("blind", image.overlay_colour_blind),
    )
    what = f"Slice, LIME and tumor map of image {image.row['image_id']}"
    return "".join(
        f'<img class="{name}" alt="{escape(what)}" src="{embed("jpeg", picture)}">'
        for name, picture in alternatives
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"
