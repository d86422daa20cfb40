"""Parts of the page as HTML. Every text that goes in is escaped here, whatever it holds."""

import base64
import io
import json
import re
from collections.abc import Container, Mapping, Sequence
from html import escape
from typing import Any

from PIL import Image

from analysis.figures.files import Saved
from analysis.study.columns import Record

COLORS = 96
# A share with its interval of equal sides, which a line's end would tear apart.
SHARE = re.compile(r"\d[\d.]* %( ± \d[\d.]* %)?")


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def listed(items: Sequence[str]) -> str:
    """A list of sentences."""
    return f"<ul>{''.join(f'<li>{_prose(item)}</li>' for item in items)}</ul>"


def definitions(words: Sequence[tuple[str, str]]) -> str:
    """Words with their meanings, folded away."""
    items = "".join(f"<dt>{escape(word)}</dt><dd>{escape(text)}</dd>" for word, text in words)
    return f"<dl>{items}</dl>"


def _prose(text: str) -> str:
    """A sentence whose numbers stay in one line each."""
    return SHARE.sub(r'<span class="whole">\g<0></span>', escape(text))


def script_json(content: Any) -> str:
    """JSON that may stand inside a <script> element: nothing in it can end the element."""
    text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def verdict(
    value: str, word: str, sentence: str, below: Sequence[str], notes: Sequence[str]
) -> str:
    """A verdict: its `word`, what was found, what is said below it, and `notes` behind a click."""
    return (
        f'<article class="verdict {escape(value)}"><p class="badge">{escape(word)}</p>'
        f'<div><p class="sentence">{_prose(sentence)}</p>{_below(below)}'
        f"{folded('numbers and checks', [_notes(notes)]) if notes else ''}</div></article>"
    )


def open_verdict(
    value: str, word: str, head: str, below: Sequence[str], notes: Sequence[str]
) -> str:
    """A verdict in one line, `head`, that opens to what was found and to `notes`."""
    return (
        f'<details class="verdict open {escape(value)}"><summary>'
        f'<span class="badge">{escape(word)}</span> <span>{_prose(head)}</span></summary>'
        f"<div>{_below(below)}{_notes(notes)}</div></details>"
    )


def _below(texts: Sequence[str]) -> str:
    return "".join(f'<p class="why">{_prose(text)}</p>' for text in texts if text)


def _notes(notes: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(note)}</li>' for note in notes)}</ul>"


def folded(summary: str, parts: Sequence[str]) -> str:
    """Parts that are there on request."""
    return f"<details><summary>{escape(summary)}</summary>{''.join(parts)}</details>"


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def table(records: Sequence[Record], columns: Mapping[str, str], text: Container[str] = ()) -> str:
    """Records as a table; `columns` maps keys to headings; those in `text` may break into lines."""
    kinds = {key: ' class="text"' if key in text else "" for key in columns}
    head = "".join(f"<th{kinds[key]}>{escape(title)}</th>" for key, title in columns.items())
    rows = (
        "<tr>" + "".join(f"<td{kinds[key]}>{_cell(r.get(key))}</td>" for key in columns) + "</tr>"
        for r in records
    )
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def figure(saved: Saved, role: str = "") -> str:
    """The PNG inside the page, white made transparent, and where its numbers are.

    `role` is a class for the style: `main` is the picture that the page opens with.

    Line art needs few colours: a palette makes the page's copy a third of the file's size.
    """
    small = io.BytesIO()
    with Image.open(saved.png) as image:
        drawn = image.convert("RGB").quantize(COLORS, method=Image.Quantize.FASTOCTREE)
        paper = drawn.getpixel((0, 0))  # every figure has a margin
        drawn.save(small, "PNG", transparency=paper)
        width, height = image.size  # in the HTML, so that nothing moves when it is decoded
    data = base64.b64encode(small.getvalue()).decode("ascii")
    name, title = escape(saved.name), escape(saved.title)
    return (
        f'<figure class="{escape(role)}"><div class="scroll"><img alt="{title}" loading="lazy" '
        f'width="{width}" height="{height}" src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{title} "
        f'<span class="small">{name}.csv, .pdf, .svg</span></figcaption></figure>'
    )


def section(name: str, title: str, parts: Sequence[str]) -> str:
    """A section of the page, with its heading if it has one; `name` is its anchor."""
    heading = f"<h2>{escape(title)}</h2>" if title else ""
    return f'<section id="{escape(name)}">{heading}{"".join(parts)}</section>'
