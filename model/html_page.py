"""Parts of an HTML page that needs nothing else: style, sections, tables, pictures."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from model.evaluation_plots import Picture

STYLE: Final = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff;
  max-width: 78rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.25rem; margin-top: 2.5rem; }
p, li { max-width: 52rem; }
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


def render_page(title: str, sections: Iterable[str], more_style: str = "") -> str:
    """Render a whole page.

    Args:
        title: plain text.
        sections: HTML.
        more_style: CSS beyond `STYLE`.
    """
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{more_style}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def render_section(heading: str, inner: str) -> str:
    """Put a heading over HTML."""
    return f"<h2>{escape(heading)}</h2>{inner}"


def render_table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
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


def render_pictures(pictures: Iterable[Picture]) -> str:
    """Render plots beside each other, each with its title and what it shows."""
    figures = [
        f'<figure><img alt="{escape(picture.description)}" src="{embed("png", picture.png)}">'
        f"<figcaption><strong>{escape(picture.title)}.</strong> {escape(picture.description)}"
        "</figcaption></figure>"
        for picture in pictures
    ]
    return f'<div class="pictures">{"".join(figures)}</div>'


def embed(kind: str, content: bytes) -> str:
    """Return the address of a picture that stands in the page itself.

    Args:
        kind: ``png`` or ``jpeg``.
        content: the file.
    """
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
