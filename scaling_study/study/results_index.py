"""The results of a large store in one file, so that not every command parses 100,000 of them.

It lies in the user's own cache, not in the store, where others may write; each entry counts as long
as its result.json is the same file, by inode, size and time of change.
"""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from scaling_study.common.files import replacing
from scaling_study.common.verify import why_shared
from scaling_study.study.result import SCHEMA, Result

# Fewer results are parsed in less time than anybody notices.
LEAST = 2000
# Raised when entries are written in another way.
VERSION = 1
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


def state_of(path: Path) -> State | None:
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
        entries = {}
        for line in body.splitlines():
            run_id, state, record = json.loads(line)
            entries[run_id] = Entry(State(*state), Result(**record))
    except (OSError, ValueError, TypeError):
        return {}
    return entries


def write_index(store: Path, entries: Mapping[str, Entry]) -> None:
    """Keep the entries of a store, if they are many and there is a place for them."""
    if len(entries) < LEAST:
        return
    lines = (json.dumps([r, e.state, asdict(e.result)]) + "\n" for r, e in entries.items())
    body = "".join(lines).encode()
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
    return Path.home() / IN_HOME / f"{name}.jsonl"
