"""Files replaced whole, and the ends of logs."""

import csv
import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def replace_file(path: Path, text: str, survives_crash: bool = True) -> None:
    """Write `text` so that a reader sees the old file or the whole new one.

    That holds after a crash of the machine only if the text `survives_crash`: it costs a sync.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        if survives_crash:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)


def replace_csv(path: Path, rows: Iterable[Iterable[Any]]) -> None:
    """Write a table, its header first, as `replace_file` does."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    replace_file(path, text.getvalue())


def file_end(path: Path, size: int = 4000) -> str:
    """The last `size` bytes of a text; raises an OSError if it cannot be read."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")


def read_json(path: Path, empty: Any) -> Any:
    """What a JSON file holds; `empty` if it cannot be read, or holds something of another type."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return empty
    return found if isinstance(found, type(empty)) else empty
