"""Files an analysis leaves behind: figures with their numbers, CSV and JSON."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fontTools.subset import Options
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from analysis.descriptions.findings import FORMATS
from analysis.study.columns import Record
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file

# What draws each format, and the metadata that would differ from one time to the next.
CANVASES: dict[str, tuple[type[FigureCanvasBase], str]] = {
    "png": (FigureCanvasAgg, "Software"),
    "svg": (FigureCanvasSVG, "Date"),
    "pdf": (FigureCanvasPdf, "CreationDate"),
}
# A font's tables by which text is laid out: a PDF has the place of each glyph.
LAYOUT_TABLES = ("GSUB", "GPOS", "GDEF")


@dataclass(frozen=True)
class Saved:
    """A figure on disk: DIR/NAME.png and .csv, and .svg and .pdf where they were asked for."""

    name: str
    title: str
    png: Path


def prepare(directory: Path) -> None:
    """Create the folder for output and try to write there, before anything is computed.

    Raises:
        InputError: that fails.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        replace_file(directory / ".probe", "")
        (directory / ".probe").unlink()
    except OSError as error:
        raise InputError(f"-o {directory}: cannot write there ({error.strerror})") from None


def write_csv(path: Path, records: Sequence[Record]) -> None:
    """All keys of all records as columns, in order of appearance; None is an empty field.

    What a spreadsheet would take for a formula has an apostrophe before it: names come from files
    of others.
    """
    columns = list(dict.fromkeys(key for record in records for key in record))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _no_formula(v) for k, v in record.items()} for record in records)
    replace_file(path, text.getvalue())


def _no_formula(value: Any) -> Any:
    active = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if active else value


def write_json(path: Path, content: Any) -> None:
    """Strict JSON: NaN and infinity are refused, so that any reader can read it."""
    replace_file(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def formats_of(text: str | None) -> tuple[str, ...]:
    """The formats that `--formats` asks for, without it all of them.

    Raises:
        InputError: one is unknown.
    """
    if text == "none":
        return ()
    asked = FORMATS if text is None else (FORMATS[0], *text.split(","))
    if unknown := [kind for kind in asked if kind not in FORMATS]:
        raise InputError(
            f"--formats {text}: {unknown[0]!r} is none of {', '.join(FORMATS)}; none: no figures"
        )
    return tuple(kind for kind in FORMATS if kind in asked)


def save(
    figure: Figure,
    records: Sequence[Record],
    directory: Path,
    name: str,
    title: str,
    formats: Sequence[str] = FORMATS,
) -> Saved:
    """Write the figure in these formats (PNG: 150 dpi) and the plotted numbers as CSV.

    The title is in each file's metadata, where other programs find it.
    """
    with _fonts_without_layout():
        for kind in formats:
            # Canvases rather than Figure.savefig, which draws every figure twice for its layout.
            canvas, stamp = CANVASES[kind]
            write: Any = getattr(canvas(figure), f"print_{kind}")
            write(directory / f"{name}.{kind}", metadata={stamp: None, "Title": title})
            figure.set_layout_engine("none")  # the first has found the layout
    save_numbers(records, directory, name, formats)
    return Saved(name, title, directory / f"{name}.png")


@contextmanager
def _fonts_without_layout() -> Iterator[None]:
    """Embed no `LAYOUT_TABLES`: to reduce them to a figure's glyphs takes longer than to draw it.

    Matplotlib embeds what fontTools leaves, and has no setting for it.
    """
    usual = Options._drop_tables_default
    Options._drop_tables_default = [*usual, *LAYOUT_TABLES]
    try:
        yield
    finally:
        Options._drop_tables_default = usual


def save_numbers(
    records: Sequence[Record], directory: Path, name: str, formats: Sequence[str] = ()
) -> None:
    """Write what a figure plots as CSV; files in other formats go, they show older numbers."""
    for kind in set(FORMATS) - {*formats}:
        (directory / f"{name}.{kind}").unlink(missing_ok=True)
    write_csv(directory / f"{name}.csv", records)
