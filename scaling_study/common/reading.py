"""Files of a store as somebody else may have left them: read whole or refused, whatever they hold.

Files are cut off by crashes, edited, copied over each other, or made by people who mean harm.
"""

import csv
import io
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

# No file that we write and read whole is nearly so large; nor has one so many values.
MOST_BYTES = 256_000_000
MOST_VALUES = 1_000_000
# Of YAML that is surely not nested deeply.
SHALLOW = 2000
# No value that we write is nested nearly so deeply.
MOST_NESTED = 100


class UnreadableError(ValueError):
    """What is in a file's place cannot be read; the message says why, without the file's name."""


class NestingError(UnreadableError):
    """Values within values, or aliases that repeat them, beyond any that is written here."""

    def __init__(self, what: str = "nested too deeply") -> None:
        super().__init__(what)


def text_in(path: Path, errors: str = "strict") -> str:
    """The text in a file; `errors` is Python's word for what happens to bytes that are no UTF-8.

    Raises:
        FileNotFoundError: nothing is there.
        UnreadableError: no regular file, one that is too large, or no UTF-8; or no right to read.
    """
    try:
        # Not to wait for the writer of a pipe that lies there.
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise UnreadableError(f"cannot be opened: {_reason(error)}") from None
    try:
        with os.fdopen(file, "rb") as opened:
            found = os.fstat(file)
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableError("no regular file")
            if found.st_size > MOST_BYTES:
                raise UnreadableError(f"{found.st_size} bytes, more than any that is written here")
            return opened.read().decode("utf-8", errors)
    except UnicodeDecodeError:
        raise UnreadableError("no UTF-8 text") from None
    except OSError as error:
        raise UnreadableError(f"cannot be read: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


def _refused(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _finite(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is no finite number")
    return value


def _whole(text: str) -> int:
    _finite(text)  # sizes and counts meet fractions
    return int(text)


# Made once: there are thousands of results.
DECODER = json.JSONDecoder(parse_constant=_refused, parse_int=_whole, parse_float=_finite)


def parsed_json(text: str) -> Any:
    """The value that a JSON text holds, all numbers finite; raises an UnreadableError."""
    try:
        return DECODER.decode(text)
    except RecursionError:
        raise NestingError from None
    except ValueError as error:
        raise UnreadableError(f"no JSON: {error}") from None


def json_in(path: Path) -> Any:
    """The value in a JSON file; raises as `text_in` and `parsed_json` do."""
    return parsed_json(text_in(path))


def read_json(path: Path, empty: Any) -> Any:
    """What a JSON file holds; `empty` if it cannot be read, or holds something of another type."""
    try:
        found = json_in(path)
    except (FileNotFoundError, UnreadableError):
        return empty
    return found if isinstance(found, type(empty)) else empty


def yaml_in(path: Path, deepest: int = MOST_NESTED) -> Any:
    """The value in a YAML file; raises as `text_in` does, and an UnreadableError if it is none.

    A NestingError as well for values nested more than `deepest`, or within themselves.
    """
    import yaml

    try:
        text = text_in(path)
        # The C library takes a tenth of the time, and dies of what is nested deeply.
        quick = depth_of_text(text) < SHALLOW and hasattr(yaml, "CSafeLoader")
        found = yaml.load(text, yaml.CSafeLoader if quick else yaml.SafeLoader)
        _count(found, deepest)
    except RecursionError:
        raise NestingError from None
    except UnreadableError:
        raise
    except (ValueError, OverflowError, yaml.YAMLError) as error:
        raise UnreadableError(f"no YAML ({' '.join(str(error).split())})") from None
    return found


def depth_of_text(text: str) -> int:
    """A number that the nesting of a YAML text does not exceed."""
    signs = ("- ", "? ", ": ")
    lines = (
        len(line) - len(line.lstrip()) + sum(line.count(sign) for sign in signs)
        for line in text.splitlines()
    )
    return text.count("[") + text.count("{") + max(lines, default=0)


def _count(value: Any, deepest: int, room: list[int] | None = None) -> None:
    """Refuse a value nested deeper, or whose aliases repeat more than anybody could write out."""
    left = [MOST_VALUES] if room is None else room
    left[0] -= 1
    if left[0] < 0:
        raise NestingError("its aliases stand for more than it can hold")
    parts = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        if deepest == 0:
            raise NestingError
        for part in parts:
            _count(part, deepest - 1, left)


def csv_in(path: Path) -> list[dict[str, str]]:
    """The rows of a table with a header; raises as `text_in` does.

    An UnreadableError as well for a row with more or fewer values than the header has columns.
    """
    try:
        text = text_in(path).removeprefix("\ufeff")  # of spreadsheets
        csv.field_size_limit(max(csv.field_size_limit(), len(text)))
        lines = [*csv.reader(io.StringIO(text, newline=""), strict=True)]
    except csv.Error as error:
        raise UnreadableError(f"no table: {error}") from None
    rows = [line for line in lines[1:] if line]
    if any(len(row) != len(lines[0]) for row in rows):
        raise UnreadableError("a row has more or fewer values than the header has columns")
    return [dict(zip(lines[0], row, strict=True)) for row in rows]
