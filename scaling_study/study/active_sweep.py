"""sweep.json of a study: which process works on it now, and on how many runs at a time."""

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from scaling_study.common.files import replace_file
from scaling_study.study.claims import alive, claim_of_this_process


@contextmanager
def recorded(study_dir: Path, slots: int) -> Iterator[None]:
    """Keep sweep.json while this process runs the study, so that `cancel` can find and stop it."""
    path = _path(study_dir)
    replace_file(path, json.dumps(claim_of_this_process() | {"slots": slots}) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def sweep_process(study_dir: Path) -> int | None:
    """Pid of the sweep that works on the study on this host now, or None."""
    note = _note(study_dir)
    if note.get("host") != socket.gethostname() or not alive(_path(study_dir)):
        return None
    pid = note.get("pid")
    return pid if isinstance(pid, int) and pid != os.getpid() else None


def slots_of_sweep(study_dir: Path) -> int | None:
    """Runs at a time of the sweep that works on the study now, here or elsewhere, or None."""
    slots = _note(study_dir).get("slots")
    return slots if isinstance(slots, int) and alive(_path(study_dir)) else None


def was_killed(study_dir: Path) -> bool:
    """Whether the last sweep on this host was killed: it left its note."""
    note = _note(study_dir)
    return note.get("host") == socket.gethostname() and not alive(_path(study_dir))


def _path(study_dir: Path) -> Path:
    return study_dir / "sweep.json"


def _note(study_dir: Path) -> Mapping[str, Any]:
    try:
        note = json.loads(_path(study_dir).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return note if isinstance(note, dict) else {}
