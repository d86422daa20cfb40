"""The run folders: what state a run is in, who works on it, and how a worker claims it.

RUN/{config.yaml, metrics.jsonl, checkpoint.pt, result.json, log.txt, job.json}. A result is final;
without one, a live process named in job.json means the run is in work, and a scheduler's job named
there that it waits for one. job.json also remembers the earlier attempts: where, how they ended.
"""

import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.files import NO_LOCKS, locked, refuse_link, remove_leftovers
from scaling_study.common.validation import is_number
from scaling_study.study import claims
from scaling_study.study.claims import Claim, alive, attempts_in, read_note, write_note
from scaling_study.study.liveness import holding
from scaling_study.study.result import (
    FINISHED,
    OtherSchemaError,
    Result,
    read_result,
    write_result,
)
from scaling_study.study.results_index import LEAST, Entry, read_index, state_of, write_index


class Store:
    """All runs under RESULTS/runs, shared by every grid."""

    def __init__(self, results_dir: Path) -> None:
        self.root = results_dir / "runs"

    def run_dir(self, run_id: str) -> Path:
        return self.root / run_id

    def result(self, run_id: str) -> Result | None:
        """The run's result, None without one; raises a ValueError if result.json is no result."""
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
        found: dict[str, Result | None] = dict.fromkeys(self.run_ids())
        known = read_index(self.root) if len(found) >= LEAST else {}
        entries, new, root = dict[str, Entry](), 0, str(self.root)
        for run_id in found:
            state = state_of(f"{root}/{run_id}/result.json")
            entry = known.get(run_id)
            if state is not None and (entry is None or entry.state != state):
                with suppress(OSError, ValueError):
                    result = self.result(run_id)
                    entry = None if result is None else Entry(state, result)
                    new += 1
            if state is not None and entry is not None and entry.state == state:
                entries[run_id], found[run_id] = entry, entry.result
        # Not at each result of a growing store.
        if new > len(entries) // 20 or len(known) > len(entries) * 1.2:
            write_index(self.root, entries)
        return found

    def state(self, run_id: str) -> str:
        """planned, queued, running, ok, diverged, failed, or unreadable.

        Files alone are asked: whether a queued run's job is still there the scheduler knows.
        """
        try:
            result = self.result(run_id)
        except (ValueError, OSError):
            return "unreadable"
        if result is not None and result.status != "failed":
            return result.status
        if alive(self.run_dir(run_id) / "job.json"):
            return "running"
        if "queued" in self.job(run_id):
            return "queued"
        return "planned" if result is None else "failed"

    def set_aside(self, run_id: str) -> Path:
        """Rename an unreadable result.json to result.json.bad, so that the run is done again.

        InputError if it is a good result of another version.
        """
        path = self.run_dir(run_id) / "result.json"
        try:
            self.result(run_id)
        except OtherSchemaError as error:
            raise InputError(f"{path}: {error}") from None
        except (ValueError, OSError):
            pass
        return path.replace(path.with_name("result.json.bad"))

    def job(self, run_id: str) -> dict[str, Any]:
        """What job.json says: who works or worked on the run, and `attempts` before that."""
        return read_note(self.run_dir(run_id) / "job.json")

    def sign_of_life(self, run_id: str) -> float:
        """When job.json was last written or its worker's heart beat, in s since 1970; 0: never."""
        try:
            return (self.run_dir(run_id) / "job.json").stat().st_mtime
        except OSError:
            return 0.0

    def ended(self, run_id: str) -> float:
        """When a finished run's result was there, in s since 1970, by job.json or the file's age.

        The earlier of both: a copied store has younger files.
        """
        written = (self.run_dir(run_id) / "result.json").stat().st_mtime
        noted = self.job(run_id).get("ended")
        return min(written, noted) if is_number(noted) else written

    def began(self, run_id: str, wall_s: float | None) -> float:
        """When work on a finished run began, in s since 1970: its first attempt in job.json.

        Without a note: `wall_s`, which it trained and was evaluated for, before its end, or its
        end, by job.json or the age of the result. The earlier of both: copies are younger.
        """
        note = self.job(run_id)
        begins = [attempt.get("began") for attempt in (note, *attempts_in(note))]
        if known := [float(at) for at in begins if is_number(at)]:
            return min(known)
        return self.ended(run_id) - (wall_s or 0.0)

    def attempts(self, run_id: str) -> list[dict[str, Any]]:
        """Every attempt at the run that has ended, oldest first, each with `ATTEMPT`."""
        return attempts_in(self.job(run_id))

    def record(self, run_id: str, result: Result, claim: Claim | None = None) -> bool:
        """Write a run's result, for who has its `claim` or after its worker is gone; whether it is.

        A finished result is final, and only its worker writes that of a run that is at work.
        """
        path = self.run_dir(run_id) / "job.json"
        self._make_folder(run_id)
        with self._lock():
            if claim is not None:
                claim.require()
            elif alive(path):
                return False
            with suppress(ValueError, OSError):
                old = self.result(run_id)
                if old is not None and old.status in FINISHED and result.status == "failed":
                    return False
            write_result(path.parent, result)
        return True

    def _make_folder(self, run_id: str) -> None:
        """Make the run's folder; raises a WriteError if it is another user's link."""
        folder = self.run_dir(run_id)
        refuse_link(folder)
        folder.mkdir(parents=True, exist_ok=True)

    def enqueue(self, run_id: str, job: str, cause: str | None = None) -> None:
        """The scheduler's `job` will work on the run; `cause` ended the attempt before.

        Not the job of this process, if the run was cancelled in it.
        """
        path = self.run_dir(run_id) / "job.json"
        self._make_folder(run_id)
        with self._lock():
            if not alive(path) and not claims.cancelled_in_this_job(note := read_note(path)):
                queued = {"queued": job, "submitted": time.time()}
                write_note(path, queued | {"attempts": attempts_in(note, cause)})

    def end(self, run_id: str, cause: str | None) -> None:
        """Note that nobody works on the run, nor will: its job is gone, because of `cause`.

        A job that ends because it was cancelled has nothing to add to that.
        """
        path = self.run_dir(run_id) / "job.json"
        with self._lock():
            note = read_note(path)
            # Somebody else may have begun meanwhile.
            if alive(path) or claims.cancelled_in_this_job(note):
                return
            began = note.pop("submitted", time.time())
            note.setdefault("job", note.pop("queued", None))
            write_note(path, {"began": began} | note | {"ended": time.time(), "cause": cause})

    def remove(self, run_id: str) -> bool:
        """Remove the run's folder; False, and nothing is done, if it is running or queued."""
        folder = self.run_dir(run_id)
        gone = folder.with_name(f".removed.{run_id}")
        with self._lock():
            if self.state(run_id) in ("running", "queued"):
                return False
            folder.rename(gone)
        shutil.rmtree(gone)
        return True

    @contextmanager
    def claim(self, run_id: str, lost: Callable[[], None] = lambda: None) -> Iterator[Claim | None]:
        """A claim if this process may work on the run; its heartbeat shows it at work meanwhile.

        None if a live process has it already, or the run was cancelled in the job of this process.
        The claim dies with the process. `lost` is called, in another thread, if somebody took this
        process for dead and has the run now.
        """
        path = self.run_dir(run_id) / "job.json"
        self._make_folder(run_id)
        with self._lock():
            before = read_note(path)
            free = not alive(path) and not claims.cancelled_in_this_job(before)
            note = claims.claim_of_this_process() | {"attempts": attempts_in(before)}
            if free:
                # Of W&B's record another process may be writing.
                remove_leftovers(path.parent, except_of="wandb.json")
                write_note(path, note)
        if not free:
            yield None
            return
        claim, stop = Claim(path, str(note["token"])), threading.Event()
        heart = threading.Thread(target=claims.beat, args=(path, claim, stop, lost), daemon=True)
        heart.start()
        try:
            with holding(path.parent):
                yield claim
        finally:
            stop.set()
            heart.join()
            self._leave(path, note | {"ended": time.time(), "cause": claim.cause}, claim)

    def _leave(self, path: Path, note: Mapping[str, Any], claim: Claim) -> None:
        with self._lock():
            if claim.holds:
                write_note(path, note)

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Only one call at a time looks which runs are in a queue, and submits others."""
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".submitting"):
            yield

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self.root.mkdir(parents=True, exist_ok=True)
        with locked(self.root / ".lock"):
            yield


def check_writable(folder: Path, setting: str, value: str, locks: bool = False) -> None:
    """Create `folder`; an InputError about the setting if one cannot write there, or lock.

    `locks`: whether files are going to be locked in it, which not every network disk can do.
    """
    doing = "write to"
    try:
        refuse_link(folder)
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{secrets.token_hex(6)}.tmp"
        probe.touch()
        probe.unlink()
        doing = "lock"
        if locks:
            with locked(folder / ".lock"):
                pass
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        advice = f"give a writable folder as {setting}=FOLDER"
        if doing == "lock" and getattr(error, "errno", None) in NO_LOCKS:
            advice = (
                f"its file system has no locks (Lustre has them if mounted with -o flock); mend "
                f"that, or give a folder on another one as {setting}=FOLDER"
            )
        raise InputError(
            f"{setting}={value}: cannot {doing} {folder} ({reason}); {advice}"
        ) from None
