"""A self-contained report.html: verdicts in words first, figures, cells, what is missing."""

import base64
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from analysis.output import Saved
from analysis.records import Record
from scaling_study.results import replace_file

CSS = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #1a1a1a; background: #fff; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; font-size: .85rem; } figure { margin: 1.5rem 0; }
th, td { padding: .2rem .7rem; border-bottom: 1px solid #ddd; text-align: right; }
th:first-child, td:first-child { text-align: left; }
img { max-width: 100%; height: auto; } code { font-size: .85em; overflow-wrap: anywhere; }
.verdict { border-left: .3rem solid #999; padding: .2rem 1rem; margin: 1rem 0; }
.supported { border-color: #009e73; } .refuted { border-color: #d55e00; }
.inconclusive { border-color: #e69f00; } .scroll { overflow-x: auto; } .small { font-size: .85rem; }
"""


def paragraph(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def verdict(value: str, name: str, claim: str, sentence: str, notes: Sequence[str]) -> str:
    """A verdict in words, its numbers, and what to know about them; all plain text."""
    word = value.replace("_", " ")
    small = "".join(f"<li>{escape(note)}</li>" for note in notes)
    return (
        f'<div class="verdict {escape(value)}"><p><strong>{escape(name)}: {escape(word)}.</strong> '
        f"Claim: {escape(claim)}.</p><p>{escape(sentence)}</p>"
        f'<ul class="small">{small}</ul></div>'
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return escape(f"{value:.4g}" if isinstance(value, float) else str(value))


def table(records: Sequence[Record], columns: Mapping[str, str]) -> str:
    """Records as a table; `columns` maps keys to headings."""
    head = "".join(f"<th>{escape(title)}</th>" for title in columns.values())
    rows = (
        "<tr>" + "".join(f"<td>{_cell(r.get(key))}</td>" for key in columns) + "</tr>"
        for r in records
    )
    body = "".join(rows)
    return (
        f'<div class="scroll"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def figure(saved: Saved) -> str:
    """The PNG inside the page, and where its numbers are."""
    data = base64.b64encode(saved.png.read_bytes()).decode("ascii")
    name = escape(saved.name)
    return (
        f'<figure><figcaption>{escape(saved.title)} <span class="small">(numbers: '
        f"<code>{name}.csv</code>, vector: <code>{name}.svg</code>)</span></figcaption>"
        f'<img alt="{escape(saved.title)}" src="data:image/png;base64,{data}"></figure>'
    )


def write(path: Path, title: str, sections: Sequence[tuple[str, Sequence[str]]]) -> None:
    """Write the page: a heading and HTML parts per section."""
    body = "".join(f"<h2>{escape(head)}</h2>" + "".join(parts) for head, parts in sections)
    replace_file(
        path,
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{CSS}</style></head>"
        f"<body><h1>{escape(title)}</h1>{body}</body></html>\n",
    )
