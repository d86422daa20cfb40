"""What the operating system knows of processes: from /proc, else from its commands ps and lsof.

Linux has /proc; macOS and the BSDs have the commands.
"""

import os
import subprocess
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

PROC = Path("/proc")
# Libraries of macOS may end a fork of a process that has used them.
FORKS_ARE_SAFE = sys.platform != "darwin"


def has_proc() -> bool:
    """Whether there is a /proc that knows this process."""
    return (PROC / str(os.getpid()) / "stat").exists()


@cache
def boot_and_namespace() -> str:
    """Within what a pid is unique: this boot of this machine and this namespace of processes.

    Empty where nothing is known.
    """
    with suppress(OSError):
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink(PROC / 'self/ns/pid')}"
    return said("sysctl", "-n", "kern.bootsessionuuid").strip()  # of macOS


def start_time(pid: int) -> str | None:
    """When a live process began, by which a recycled pid is told from it; None if it is gone.

    In clock ticks since boot, or to the second and in words.
    """
    if has_proc():
        try:
            text = (PROC / str(pid) / "stat").read_text(encoding="utf-8")
        except (OSError, ValueError):
            return None
        fields = text.rpartition(")")[2].split()
        return None if fields[0] == "Z" else fields[19]
    state, _, began = _ps("stat=,lstart=", pid).partition(" ")
    return began.strip() or None if not state.startswith("Z") else None


def command_line(pid: int) -> bytes:
    """A process's program and arguments; empty if they cannot be seen."""
    if has_proc():
        with suppress(OSError):
            return (PROC / str(pid) / "cmdline").read_bytes()
        return b""
    return _ps("command=", pid).encode()


def has_open(pid: int, folder: Path) -> bool:
    """Whether a process has this folder open; False if its files cannot be seen."""
    wanted = folder.stat()
    for file in _open_files(pid):
        with suppress(OSError):  # closed meanwhile
            if os.path.samestat(file.stat(), wanted):
                return True
    return False


def resident_bytes(pid: int | None) -> int:
    """Resident memory of a process and its children, shared memory included; 0 if it is gone."""
    if has_proc():
        return _resident_by_proc(pid)
    rows = [[*map(int, line.split())] for line in said("ps", "-axo", "pid=,ppid=,rss=").split("\n")]
    kibibytes, family = 0, {pid}
    # Children begin after their parents, but pids start again at their highest.
    while found := [row for row in rows if row and (row[0] in family or row[1] in family)]:
        family |= {row[0] for row in found}
        kibibytes += sum(row[2] for row in found)
        rows = [row for row in rows if row not in found]
    return kibibytes << 10


def _resident_by_proc(pid: int | None) -> int:
    process = PROC / str(pid)
    try:
        pages = int((process / "statm").read_text(encoding="ascii").split()[1])
        children = (process / f"task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE") + sum(_resident_by_proc(int(c)) for c in children)


def _open_files(pid: int) -> list[Path]:
    if has_proc():
        with suppress(OSError):
            return [*(PROC / str(pid) / "fd").iterdir()]
        return []
    lines = said("lsof", "-w", "-p", str(pid), "-Fn").split("\n")
    return [Path(line[1:]) for line in lines if line.startswith("n/")]


def _ps(columns: str, pid: int) -> str:
    return said("ps", "-p", str(pid), *(f"-o{column}" for column in columns.split(","))).strip()


def said(*command: str) -> str:
    """What a command prints, in the words of no language; nothing if it is not there or fails."""
    environment = os.environ | {"LC_ALL": "C"}
    with suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=20, env=environment, errors="replace"
        )
        return done.stdout
    return ""
