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
from functools import cache
from pathlib import Path
from typing import Any

# A worker that the kernel here cannot see is taken for dead so long after its last heartbeat.
STALE_S = 120
# In the command line of every process that works on a study: what its fork server loads, -m, or the
# name of the program.
OURS = (b"scaling_study", b"scaling-study")


@cache
def where() -> str:
    """Within what a pid is unique: this boot of this machine and this namespace of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def started(pid: int) -> str | None:
    """Start time of a live process in clock ticks since boot: tells a recycled pid from ours."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except (OSError, ValueError):
        return None
    return None if fields[0] == "Z" else fields[19]


def same_process(note: Mapping[str, Any]) -> bool | None:
    """Whether the process in a note lives, as the kernel says; None if it cannot be seen here.

    Notes of versions before have no `where`: the host's name was all that there was.
    """
    pid, here = note.get("pid"), where()
    if note.get("host") != socket.gethostname() or not here or note.get("where", here) != here:
        return None
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 1 << 31:
        return False
    if (since := started(pid)) is not None:
        return since == note.get("started")
    try:
        os.kill(pid, 0)
    except PermissionError:
        return None  # another user's, where /proc shows one's own alone
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
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
        if any(name in words for name in OURS) and _holds(pid, folder):
            return pid
    return None


def _holds(pid: int, folder: Path) -> bool:
    wanted = folder.stat()
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(file.stat(), wanted):
                return True
    return False


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
