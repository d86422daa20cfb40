"""Tables that other tools wrote as CSV, with our columns."""

import codecs
import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd

from analysis.importing.columns import TWIN, converted, has
from analysis.importing.units import OURS
from scaling_study.common.errors import InputError
from scaling_study.study.axes import CELL_AXES

CELL = ("model", "family", *(axis.name for axis in CELL_AXES), "recipe", "data")


@dataclass(frozen=True)
class Imported:
    """A foreign table with our columns, and why rows of it are not among them."""

    frame: pd.DataFrame
    left_out: Mapping[str, str] = field(default_factory=dict)


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file, all values as written, separated by commas, semicolons or tabs.

    Columns of one name that differ are called NAME (column 3), NAME (column 4).

    Raises:
        InputError: no such file, not text, no rows, or a row that is longer than the header.
    """
    try:
        lines = _lines(_text(path))
    except (OSError, UnicodeError, csv.Error) as error:
        raise InputError(f"cannot read {path}: {error}") from None
    header, rows = lines[0] if lines else [], [line for line in lines[1:] if line]
    if not rows:
        raise InputError(f"{path} has no rows below its header")
    for number, row in enumerate(rows, start=1):
        if len(row) > len(header):
            raise InputError(f"{path}, row {number}: more values than the header has columns")
        row += [""] * (len(header) - len(row))
    names = _names(header, rows)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _text(path: Path) -> str:
    """UTF-8, or the UTF-16 that Excel calls Unicode text, which says so in its first bytes."""
    content = path.read_bytes()
    utf_16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return content.decode("utf-16" if utf_16 else "utf-8-sig")


def _lines(text: str) -> list[list[str]]:
    first = text.partition("\n")[0]
    separator = "," if "," in first else next((s for s in ";\t" if s in first), ",")
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    return [*csv.reader(io.StringIO(text, newline=""), delimiter=separator)]


def _names(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Names of the columns, those apart by their numbers that have one name and other values."""
    values = {
        name: {tuple(row[n] for row in rows) for n, other in enumerate(header) if other == name}
        for name in header
        if header.count(name) > 1
    }
    twins = {name for name, found in values.items() if len(found) > 1}
    return [f"{n}{TWIN}{i})" if n in twins else n for i, n in enumerate(header, start=1)]


def frame_of(rows: Sequence[Mapping[str, str]]) -> pd.DataFrame:
    """A frame of texts with all columns of all rows; what a row lacks is an empty text.

    JSON may escape half a character, which no file takes: it becomes a question mark.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {_whole(n): [_whole(row.get(n, "")) for row in rows] for n in names}
    return pd.DataFrame(columns, dtype=object)


def _whole(text: object) -> str:
    return str(text).encode("utf-8", "replace").decode("utf-8")


def with_numbers(
    frame: pd.DataFrame, columns: Sequence[str]
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Rows that have all these numbers, and what the others lack."""
    left_out = {}
    for row in frame.index[frame[list(columns)].isna().any(axis=1)]:
        missing = [column for column in columns if frame[column].isna()[row]]
        named = [str(frame.at[row, c]) for c in ("run_id", "model") if c in frame]
        name = next(filter(None, named), f"row {row + 1}")
        left_out[name] = f"no {' and no '.join(missing)}"
    kept = frame.dropna(subset=list(columns)).reset_index(drop=True)
    if kept.empty:
        raise InputError(f"no row has {' and '.join(columns)}")
    return kept, left_out


def refuse_duplicates(frame: pd.DataFrame) -> None:
    """Raise InputError if two rows are the same run.

    Same means the same name, model, settings and seed, as far as there are columns for them.
    """
    keys = [c for c in ("run_id", *CELL, "seed") if c in frame]
    twice = frame[frame.duplicated(keys, keep=False)] if keys else frame.iloc[:0]
    if len(twice):
        what = ", ".join(f"{key}={twice.iloc[0][key]}" for key in keys)
        raise InputError(
            f"two rows or more are the same run: {what} ({len(twice)} such rows in all); remove "
            "them, or map the column that tells them apart, such as seed"
        )


def imported(frame: pd.DataFrame, columns: Mapping[str, str], units: Mapping[str, str]) -> Imported:
    """Foreign texts with our columns; columns that bear our names already need no mapping.

    Raises:
        InputError: no validation error column, or whatever `converted` refuses, or duplicates.
    """
    own = {name: name for name in OURS if name not in columns and has(frame, name)}
    ours = converted(frame, own | dict(columns), units)
    if "val_error" not in ours:
        raise InputError(
            f"no column for val_error, the error to be minimised; the file has "
            f"{', '.join(map(str, frame.columns))}: map one, as in --map val_error=top1"
        )
    refuse_duplicates(ours)
    return Imported(*with_numbers(ours, ["val_error"]))


def read_csv(
    path: Path, columns: Mapping[str, str], units: Mapping[str, str] | None = None
) -> Imported:
    """Any CSV: `columns` maps ours to theirs, `units` gives their units in words.

    For example columns={"val_error": "top1", "flops": "GMACs"} with units={"val_error": "percent
    accuracy", "flops": "GMACs"}.

    Raises:
        InputError: unreadable, columns missing, values not in their unit, or duplicates.
    """
    return imported(frame_of(read_rows(path)), columns, units or {})
