"""job.json of a run's folder: who works on the run or is to, and the attempts before that.

A claim lives as long as its process. Where that can be seen, in the same namespace of processes
since the same boot of the same host, its pid and start time tell; elsewhere its heartbeat does.
Within a scheduler's job that was started again every earlier start is dead. A claim has a token:
who was taken for dead meanwhile finds another one in the file, and writes nothing any more.
"""

import json
import os
import secrets
import shutil
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scaling_study.common.files import WriteError, replace_file
from scaling_study.common.processes import boot_and_namespace, start_time
from scaling_study.common.reading import read_json
from scaling_study.study.liveness import beats, same_process

HEARTBEAT_S = 10
# Set for the processes of a scheduler's job: its id, and how often it was started before.
JOB_VARIABLE, RESTART_VARIABLE = "SCALING_STUDY_JOB", "SCALING_STUDY_RESTART"
# The types of what a note may say.
KINDS: dict[str, Any] = {
    **dict.fromkeys(("host", "started", "where", "token", "queued"), str),
    **dict.fromkeys(("node", "job", "cause"), str | None),
    **dict.fromkeys(("began", "ended", "submitted"), int | float),
    **dict.fromkeys(("pid", "restart", "slots"), int),
    "attempts": list,
}
# What is kept of an attempt when the next one begins.
ATTEMPT = ("node", "job", "began", "ended", "cause")


class LostClaimError(RuntimeError):
    """This process was taken for dead, and another one works on its run."""


class Claim:
    """A run that this process works on. `cause`: why it ends without being finished, if it does."""

    cause: str | None = None

    def __init__(self, path: Path, token: str) -> None:
        self._path, self._token = path, token

    @property
    def holds(self) -> bool:
        """Whether nobody else has taken the run over; a file that cannot be read now says nothing.

        A run's owner looks before it writes a checkpoint or a result.
        """
        note = read_note(self._path)
        return bool(note.get("token", self._token) == self._token)

    def require(self) -> None:
        """Raise a LostClaimError unless the claim holds."""
        if not self.holds:
            raise LostClaimError("another process has taken this run over")


def write_note(path: Path, note: Mapping[str, Any]) -> None:
    """Replace a job.json whole. Not synced to disk: no process outlives the machine's crash.

    What is no file but lies there is renamed to job.json.bad.
    """
    text = json.dumps(note, indent=1) + "\n"
    try:
        replace_file(path, text, survives_crash=False)
    except WriteError:
        if not path.is_dir() or path.is_symlink():
            raise
        bad = path.with_name(f"{path.name}.bad")
        shutil.rmtree(bad, ignore_errors=True)
        path.rename(bad)
        replace_file(path, text, survives_crash=False)


def read_note(path: Path) -> dict[str, Any]:
    """What a job.json or sweep.json says, as far as it can be so; empty if it cannot be read."""
    return _possible(read_json(path, {}))


def _possible(note: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in note.items() if isinstance(value, KINDS.get(key, object))}
    if isinstance(earlier := found.pop("attempts", None), list):
        found["attempts"] = [_possible(attempt) for attempt in earlier if isinstance(attempt, dict)]
    return found


def attempts_in(note: Mapping[str, Any], cause: str | None = None) -> list[dict[str, Any]]:
    """The attempts in job.json, the last one, which ended by `cause` if given, included."""
    found = [dict(attempt) for attempt in note.get("attempts", ())]
    # A job that was cancelled while it waited attempted nothing.
    if "pid" in note or ("ended" in note and note.get("cause") != "cancelled"):
        found.append({key: note.get(key) for key in ATTEMPT})
    if found and cause:
        found[-1]["cause"] = cause
    return found


def claim_of_this_process() -> dict[str, str | int | float]:
    """A claim of this process, with a new token."""
    pid, host = os.getpid(), socket.gethostname()
    note: dict[str, str | int | float] = {
        "host": host,
        "pid": pid,
        "started": start_time(pid) or "",
    }
    note |= {"where": boot_and_namespace(), "token": secrets.token_hex(8)}
    note |= {"node": os.environ.get("SLURMD_NODENAME", host), "began": time.time()}
    if job := os.environ.get(JOB_VARIABLE):
        note |= {"job": job, "restart": _restart()}
    return note


def _restart() -> int:
    return int(os.environ.get(RESTART_VARIABLE) or 0)


def alive(job_file: Path) -> bool:
    """Whether the process that wrote `job_file` still works on its run.

    False once it has noted its end (`ended`, seconds since 1970), is no longer there, or was an
    earlier start of the scheduler's job that this process is in.
    """
    job = read_note(job_file)
    if not {"host", "pid", "started"} <= job.keys() or "ended" in job:
        return False
    ours = os.environ.get(JOB_VARIABLE)
    if ours is not None and job.get("job") == ours and job.get("restart") != _restart():
        return False
    if not isinstance(job["pid"], int):
        return False
    seen = same_process(job)
    return beats(job_file) if seen is None else seen


def cancelled_in_this_job(note: Mapping[str, Any]) -> bool:
    """Whether the scheduler's job that this process is in was to work on the run until cancelled.

    It takes a while until a job learns that; from the note on it begins no run.
    """
    ours = os.environ.get(JOB_VARIABLE)
    over = "ended" in note and note.get("cause") == "cancelled"
    return over and bool(ours) and note.get("job") == ours


def beat(path: Path, claim: Claim, stop: threading.Event, lost: Callable[[], None]) -> None:
    """Touch `path` until `stop` is set: the heartbeat of a claim. Calls `lost` if it is.

    A disk that does not answer for a while is no reason to stop.
    """
    while not stop.wait(HEARTBEAT_S):
        if not claim.holds:
            return lost()
        with suppress(OSError):
            os.utime(path)
