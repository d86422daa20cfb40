"""Whether the process that a note names is alive: by the kernel if it can see it, else by a file.

A name of a host and a pid alone prove nothing: containers may share the host's name, and number
their processes anew.
"""

import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scaling_study.common import processes
from scaling_study.common.processes import boot_and_namespace, command_line, has_open, start_time

# A worker that the kernel here cannot see is taken for dead so long after its last heartbeat.
STALE_S = 120
# In the command line of every process that works on a study: what its fork server loads, -m, or the
# name of the program. Where forks are not safe, all that Python says of a run's process.
OURS, SPAWNED = (b"scaling_study", b"scaling-study"), b"multiprocessing.spawn"


def same_process(note: Mapping[str, Any]) -> bool | None:
    """Whether the process in a note lives, as the kernel says; None if it cannot be seen here.

    Notes of versions before have no `where`: the host's name was all that there was.
    """
    pid, here = note.get("pid"), boot_and_namespace()
    if note.get("host") != socket.gethostname() or not here or note.get("where", here) != here:
        return None
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 1 << 31:
        return False
    if (since := start_time(pid)) is not None:
        return since == note.get("started")
    try:
        os.kill(pid, 0)
    except PermissionError:
        return None  # another user's, where only one's own are shown
    except OSError:
        return False
    return False  # it ends this moment


@contextmanager
def holding(folder: Path) -> Iterator[None]:
    """Meanwhile this process has a folder open, which proves to others that it works there.

    Nobody else can make it open one, whatever a note says.
    """
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield
    finally:
        os.close(held)


def process_in(note: Mapping[str, Any], folder: Path) -> int | None:
    """The pid in a note if it is proved to be a live process of ours at work on `folder`, or None.

    Anybody may write a note, so only such a process may be signalled: it started when the note
    says, in the same namespace, by a command of this project, and it is `holding` the folder.
    """
    pid = note.get("pid")
    if "ended" in note or "where" not in note or not same_process(note) or not isinstance(pid, int):
        return None
    words = command_line(pid)
    names = OURS if processes.FORKS_ARE_SAFE else (*OURS, SPAWNED)
    with suppress(OSError):  # there is no such folder
        if any(name in words for name in names) and has_open(pid, folder):
            return pid
    return None


def beats(job_file: Path) -> bool:
    """Whether a heartbeat is fresh, by this machine's clock or else by that of the file's disk."""
    try:
        beaten = job_file.stat().st_mtime
    except OSError:
        return False
    if abs(time.time() - beaten) < STALE_S:
        return True
    return abs(_time_on_disk(job_file) - beaten) < STALE_S


def _time_on_disk(path: Path) -> float:
    """The present time as the disk of `path` writes it: clocks of machines may differ."""
    probe = path.with_name(f".clock.{secrets.token_hex(6)}.tmp")
    try:
        probe.touch()
        return probe.stat().st_mtime
    except OSError:
        return time.time()
    finally:
        with suppress(OSError):
            probe.unlink()
