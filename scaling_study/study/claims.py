"""job.json of a run's folder: who works on the run or is to, and the attempts before that.

A claim lives as long as its process: on this host its pid and start time tell, elsewhere its
heartbeat, and within a scheduler's job that was started again every earlier start is dead.
"""

import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scaling_study.common.files import read_json, replace_file

HEARTBEAT_S = 10
# A worker on another machine is taken for dead after this long without a heartbeat.
STALE_S = 120
# Set for the processes of a scheduler's job: its id, and how often it was started before.
JOB_VARIABLE, RESTART_VARIABLE = "SCALING_STUDY_JOB", "SCALING_STUDY_RESTART"
# What is kept of an attempt when the next one begins.
ATTEMPT = ("node", "job", "began", "ended", "cause")


class Claim:
    """A run that this process works on. `cause`: why it ends without being finished, if it does."""

    cause: str | None = None


def write_note(path: Path, note: Mapping[str, Any]) -> None:
    """Replace a job.json whole. Not synced to disk: no process outlives the machine's crash."""
    replace_file(path, json.dumps(note, indent=1) + "\n", survives_crash=False)


def read_note(path: Path) -> dict[str, Any]:
    """What a job.json or sweep.json says; empty if it cannot be read."""
    return dict(read_json(path, {}))


def attempts_in(note: Mapping[str, Any], cause: str | None = None) -> list[dict[str, Any]]:
    """The attempts in job.json, the last one, which ended by `cause` if given, included."""
    earlier = note.get("attempts")
    found = [dict(a) for a in earlier if isinstance(a, dict)] if isinstance(earlier, list) else []
    # A job that was cancelled while it waited attempted nothing.
    if "pid" in note or ("ended" in note and note.get("cause") != "cancelled"):
        found.append({key: note.get(key) for key in ATTEMPT})
    if found and cause:
        found[-1]["cause"] = cause
    return found


def claim_of_this_process() -> dict[str, str | int | float]:
    """A claim of this process."""
    pid, host = os.getpid(), socket.gethostname()
    note: dict[str, str | int | float] = {"host": host, "pid": pid, "started": _started(pid) or ""}
    note |= {"node": os.environ.get("SLURMD_NODENAME", host), "began": time.time()}
    if job := os.environ.get(JOB_VARIABLE):
        note |= {"job": job, "restart": _restart()}
    return note


def _restart() -> int:
    return int(os.environ.get(RESTART_VARIABLE) or 0)


def _started(pid: int) -> str | None:
    """Start time of a live process in clock ticks since boot: tells a recycled pid from ours."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def alive(job_file: Path) -> bool:
    """Whether the process that wrote `job_file` still works on its run.

    False once it has noted its end (`ended`, seconds since 1970), is no longer there, or was an
    earlier start of the scheduler's job that this process is in.
    """
    job = read_note(job_file)
    try:
        host, pid, started = job["host"], int(job["pid"]), job["started"]
        beaten = job_file.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        return False
    ours = os.environ.get(JOB_VARIABLE)
    restarted = ours is not None and job.get("job") == ours and job.get("restart") != _restart()
    if "ended" in job or restarted:
        return False
    if host == socket.gethostname() and Path("/proc").is_dir():
        return bool(_started(pid) == started)
    return time.time() - beaten < STALE_S


def beat(path: Path, stop: threading.Event) -> None:
    """Touch `path` until `stop` is set: the heartbeat of a claim."""
    while not stop.wait(HEARTBEAT_S):
        os.utime(path)
