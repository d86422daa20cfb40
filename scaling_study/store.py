"""The run folders: what state a run is in, who works on it, and how a worker claims it.

RUN/{config.yaml, metrics.jsonl, checkpoint.pt, result.json, log.txt, job.json}. A result is final;
without one, a live process named in job.json means the run is in work.
"""

import fcntl
import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from scaling_study.errors import InputError
from scaling_study.results import Result, read_result, replace_file

HEARTBEAT_S = 10
# A worker on another machine is taken for dead after this long without a heartbeat.
STALE_S = 120


class Store:
    """All runs under RESULTS/runs, shared by every grid."""

    def __init__(self, results_dir: Path) -> None:
        self.root = results_dir / "runs"

    def run_dir(self, run_id: str) -> Path:
        return self.root / run_id

    def result(self, run_id: str) -> Result | None:
        """The run's result, or None if there is none.

        Raises:
            ValueError: result.json cannot be read as a result.
        """
        try:
            return read_result(self.run_dir(run_id) / "result.json")
        except (FileNotFoundError, NotADirectoryError):
            return None

    def run_ids(self) -> list[str]:
        """Names of all run folders, of any grid."""
        try:
            with os.scandir(self.root) as entries:
                return [entry.name for entry in entries if entry.is_dir()]
        except (FileNotFoundError, NotADirectoryError):
            return []

    def read(self) -> dict[str, Result | None]:
        """The result of every run folder, of any grid; None where there is none to be read."""
        found: dict[str, Result | None] = {}
        for run_id in self.run_ids():
            try:
                found[run_id] = self.result(run_id)
            except (OSError, ValueError):
                found[run_id] = None
        return found

    def state(self, run_id: str) -> str:
        """planned, running, ok, diverged, failed, or unreadable."""
        try:
            result = self.result(run_id)
        except (ValueError, OSError):
            return "unreadable"
        if result is not None and result.status != "failed":
            return result.status
        if alive(self.run_dir(run_id) / "job.json"):
            return "running"
        return "planned" if result is None else "failed"

    def set_aside(self, run_id: str) -> Path:
        """Rename an unreadable result.json to result.json.bad, so that the run is done again."""
        path = self.run_dir(run_id) / "result.json"
        bad = path.with_name("result.json.bad")
        os.replace(path, bad)
        return bad

    @contextmanager
    def claim(self, run_id: str) -> Iterator[bool]:
        """Whether this process may work on the run; its heartbeat shows it at work meanwhile.

        False if a live process has it already. The claim dies with the process.
        """
        path = self.run_dir(run_id) / "job.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with (self.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            free = not alive(path)
            if free:
                replace_file(path, json.dumps(_me(), indent=1) + "\n")
        if not free:
            yield False
            return
        stop = threading.Event()
        beat = threading.Thread(target=_beat, args=(path, stop), daemon=True)
        beat.start()
        try:
            yield True
        finally:
            stop.set()
            beat.join()
            replace_file(path, json.dumps(_me() | {"ended": time.time()}, indent=1) + "\n")


def check_writable(folder: Path, setting: str, value: str) -> None:
    """Create `folder` and try to write there.

    Raises:
        InputError: that fails; the message names the setting and its value.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise InputError(
            f"{setting}={value}: cannot write to {folder} ({error.strerror}); "
            f"give a writable folder as {setting}=FOLDER"
        ) from None


def _me() -> dict[str, str | int | float]:
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "started": _started(pid) or ""}


def _started(pid: int) -> str | None:
    """Start time of a live process in clock ticks since boot: tells a recycled pid from ours."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def alive(job_file: Path) -> bool:
    """Whether the process that wrote `job_file` still works on its run.

    False once it has noted its end (`ended`, seconds since 1970) or is no longer there.
    """
    try:
        job = json.loads(job_file.read_text(encoding="utf-8"))
        host, pid, started = job["host"], int(job["pid"]), job["started"]
        beaten = job_file.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        return False
    if "ended" in job:
        return False
    if host == socket.gethostname() and Path("/proc").is_dir():
        return bool(_started(pid) == started)
    return time.time() - beaten < STALE_S


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(HEARTBEAT_S):
        os.utime(path)
