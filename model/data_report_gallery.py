"""The part of a data report's page that shows pictures with suspected wrong labels."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Final

from model.data_report import DataReport
from model.data_report_suspects import LABEL_NAMES, Suspect, Suspects
from model.html_page import embed
from model.training_data import UNKNOWN

SHOWN_SUSPECTS: Final = 12
"""Of a list, with their pictures; the others are named below them."""

NAMED_SUSPECTS: Final = 100
"""Of a list, the shown ones among them; beyond them a doubt is hardly one."""

STYLE: Final = """
.suspects { display: grid; grid-template-columns: repeat(auto-fill, minmax(17rem, 1fr));
  gap: 1.2rem; }
.suspects img { height: 8rem; width: auto; max-width: 48%; background: #000; margin-right: .3rem; }
.suspects figcaption { overflow-wrap: anywhere; }
details { margin: .8rem 0; } summary { cursor: pointer; }
"""

Previews = Mapping[int, bytes]
"""JPEG files of pictures, by their position; a picture that must not be shown has none."""


def shown_positions(report: DataReport) -> list[int]:
    """Return the positions of the pictures that the page shows, for whoever reads them anew."""
    entries = [entry for found in report.suspects for entry in found.entries[:SHOWN_SUSPECTS]]
    positions = {position for entry in entries for position in entry.positions}
    return sorted(n for n in positions if report.pictures[n].may_be_shown)


def render_suspects(report: DataReport, previews: Previews) -> str:
    """Render the lists of suspects, their pictures first."""
    words = (
        "<p>Nothing here was corrected or left out. A doubt is a reason to look, not a proof.</p>"
    )
    return words + "".join(_suspect_list(report, one, previews) for one in report.suspects)


def _suspect_list(report: DataReport, found: Suspects, previews: Previews) -> str:
    head = f"<h3>{escape(found.title)}: {len(found.entries)}</h3><p>{escape(found.words)}</p>"
    shown = "".join(
        _suspect_figure(report, entry, previews) for entry in found.entries[:SHOWN_SUSPECTS]
    )
    others = found.entries[SHOWN_SUSPECTS:NAMED_SUSPECTS]
    if not others:
        return f'{head}<div class="suspects">{shown}</div>'
    names = "".join(f"<li>{_caption(report, entry)}</li>" for entry in others)
    last = SHOWN_SUSPECTS + len(others)
    return (
        f'{head}<div class="suspects">{shown}</div><details><summary>Numbers {SHOWN_SUSPECTS + 1} '
        f"to {last} of {len(found.entries)}, by name</summary>"
        f'<ol start="{SHOWN_SUSPECTS + 1}">{names}</ol></details>'
    )


def _suspect_figure(report: DataReport, entry: Suspect, previews: Previews) -> str:
    images = "".join(
        f'<img alt="{escape(report.pictures[n].name)}" src="{embed("jpeg", previews[n])}">'
        if n in previews
        else "<em>not shown: the file does not rule out text in its pixels.</em> "
        for n in entry.positions
    )
    return f"<figure>{images}<figcaption>{_caption(report, entry)}</figcaption></figure>"


def _caption(report: DataReport, entry: Suspect) -> str:
    pictures = [report.pictures[position] for position in entry.positions]
    told = "<br>".join(
        f"<code>{escape(one.name)}</code>: {LABEL_NAMES[one.image.label]}, "
        f"{escape(one.image.tumor_type or UNKNOWN)}"
        for one in pictures
    )
    return f"{told}<br>{escape(entry.note)}"
