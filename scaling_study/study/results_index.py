"""The results of a large store in one file, so that not every command parses 100,000 of them.

It lies in the user's own cache, not in the store, where others may write; each entry counts as long
as its result.json is the same file, by inode, size and time of change.
"""

import gc
import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple

from scaling_study.common.files import replacing
from scaling_study.common.verify import why_shared
from scaling_study.study.result import SCHEMA, Result

# Fewer results are parsed in less time than anybody notices.
LEAST = 2000
# Raised when entries are written in another way, or with other columns.
VERSION = 2
IN_HOME = Path(".cache", "scaling-study", "results")


class State(NamedTuple):
    """What changes whenever a file is replaced."""

    inode: int
    size: int
    changed_ns: int


class Entry(NamedTuple):
    """A result, and the state of the file that held it."""

    state: State
    result: Result


def state_of(path: str) -> State | None:
    """The state of a file; None if there is none that can be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return State(found.st_ino, found.st_size, found.st_mtime_ns)


def read_index(store: Path) -> dict[str, Entry]:
    """The entries of a store by run id; empty if there is no index, or it is not whole."""
    try:
        content = _path(store).read_bytes()
        digest, _, body = content.partition(b"\n")
        if digest != _digest(body):
            return {}
        with _nothing_collected():
            found = json.loads(body)
            names = found["columns"]
            return {row[0]: Entry(State(*row[1]), _result(names, row[2])) for row in found["rows"]}
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return {}


@contextmanager
def _nothing_collected() -> Iterator[None]:
    """Python looks for garbage whenever much was made; here all of it stays."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _result(names: Sequence[str], values: Sequence[Any]) -> Result:
    """A result of its values; not by its constructor, which takes longer than to parse it."""
    result = object.__new__(Result)
    result.__dict__.update(zip(names, values, strict=True))
    return result


def write_index(store: Path, entries: Mapping[str, Entry]) -> None:
    """Keep the entries of a store, if they are many and there is a place for them."""
    if len(entries) < LEAST:
        return
    names = [field.name for field in fields(Result)]
    rows = [[r, e.state, [getattr(e.result, n) for n in names]] for r, e in entries.items()]
    body = json.dumps({"columns": names, "rows": rows}).encode()
    path = _path(store)
    with suppress(OSError, RuntimeError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if why_shared(path.parent.resolve()) is None:
            with replacing(path, survives_crash=False) as file:
                file.write(_digest(body) + b"\n" + body)


def _digest(body: bytes) -> bytes:
    return f"{VERSION} {SCHEMA} {hashlib.sha256(body).hexdigest()}".encode()


def _path(store: Path) -> Path:
    name = hashlib.sha256(os.fsencode(store.resolve())).hexdigest()[:16]
    return Path.home() / IN_HOME / f"{name}.json"
