"""sweep.json of a study: which process works on it now, and on how many runs at a time."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaling_study.common.files import replace_file
from scaling_study.study.claims import alive, claim_of_this_process, read_note
from scaling_study.study.liveness import holding, process_in

FILE = "sweep.json"


@contextmanager
def recorded(study_dir: Path, slots: int) -> Iterator[None]:
    """Keep sweep.json while this process runs the study, so that `cancel` can find and stop it."""
    path = study_dir / FILE
    replace_file(path, json.dumps(claim_of_this_process() | {"slots": slots}) + "\n")
    try:
        with holding(study_dir):
            yield
    finally:
        path.unlink(missing_ok=True)


def sweep_process(study_dir: Path) -> int | None:
    """Pid of the sweep that works on the study here now, proved to be one, or None."""
    pid = process_in(read_note(study_dir / FILE), study_dir)
    return pid if pid != os.getpid() else None


def is_at_work(study_dir: Path) -> bool:
    """Whether a sweep works on the study now, as far as can be seen from here."""
    return alive(study_dir / FILE)


def slots_of_sweep(study_dir: Path) -> int | None:
    """Runs at a time of the sweep that works on the study now, here or elsewhere, or None."""
    path = study_dir / FILE
    slots = read_note(path).get("slots")
    return slots if isinstance(slots, int) and alive(path) else None


def was_killed(study_dir: Path) -> bool:
    """Whether the last sweep on this host was killed: it left its note."""
    path = study_dir / FILE
    return read_note(path).get("host") == socket.gethostname() and not alive(path)
