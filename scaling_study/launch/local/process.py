"""One run in a process of its own: what the process does, and how the pool watches it."""

import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from scaling_study.common import stop_request
from scaling_study.common.files import no_link
from scaling_study.common.processes import resident_bytes
from scaling_study.launch.failure_causes import (
    REQUESTS,
    REQUESTS_IN_JOB,
    cause_of_exit,
    kernel_oom_kills,
)
from scaling_study.launch.job import Job
from scaling_study.launch.lost_runs import outcome_after_exit
from scaling_study.launch.options import Policy
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import Slot
from scaling_study.launch.stop_signals import ORPHAN_GRACE_S, listen
from scaling_study.study.claims import JOB_VARIABLE

# How often a process looks at the limits that it keeps by itself.
LOOK_S = 1
# From the request to stop at a time limit until the process is killed.
GRACE_S = 60


class RunProcess:
    """A run at work: its process, its slot, and the limits on it."""

    def __init__(self, process: BaseProcess, slot: Slot, job: Job, policy: Policy) -> None:
        self.process, self.slot, self.job = process, slot, job
        self._policy, self._began, self._oom_kills = policy, time.monotonic(), kernel_oom_kills()
        self._killed_for: tuple[str, str] | None = None
        self._interrupted = False

    def ask(self, reason: str) -> None:
        """Ask the run to write a checkpoint and end; repeat this, it may miss a signal."""
        number = next(n for n, known in REQUESTS.items() if known == reason)
        if self.process.pid and self.process.is_alive():
            os.kill(self.process.pid, number)

    def watch(self) -> None:
        """Enforce the limits of time and memory."""
        if self._policy.timeout_min is not None:
            over = time.monotonic() - self._began - 60 * self._policy.timeout_min
            message = f"longer than launcher.timeout_min={self._policy.timeout_min:g}"
            if over > GRACE_S:
                self._kill("timeout", f"{message}, and did not stop")
            elif over > 0:
                self.ask("timeout")
        if (limit := self._policy.memory_gb) is not None:
            used = resident_bytes(self.process.pid)
            if used > 1e9 * limit:
                message = f"{used / 1e9:.2f} GB resident, more than launcher.memory_gb={limit:g}"
                self._kill("host_memory", message)

    def interrupt(self) -> None:
        """Kill the process because a person wants it: the run continues another time."""
        self._interrupted = True
        self.process.kill()

    def _kill(self, cause: str, message: str) -> None:
        self._killed_for = self._killed_for or (cause, message)
        self.process.kill()

    def end(self) -> Outcome:
        """The outcome of the run; a process that died by itself without a result left a failure."""
        self.process.join()
        code, lost = self.process.exitcode, ("planned", "failed", "queued")
        if self._interrupted and code != 0 and self.job.outcome().status in lost:
            self.job.store.end(self.job.run.run_id, "interrupted")
            return self.job.outcome()
        kills = kernel_oom_kills() - self._oom_kills
        return outcome_after_exit(self.job, code, *(self._killed_for or cause_of_exit(code, kills)))


@contextmanager
def limited(policy: Policy) -> Iterator[None]:
    """Ask the run in this process to stop once it is above its limits of time or memory.

    For runs of several processes, which no pool watches: a request to one stops all of them.
    """
    over, began = threading.Event(), time.monotonic()
    end_s = 60 * (math.inf if policy.timeout_min is None else policy.timeout_min)
    most_bytes = 1e9 * (math.inf if policy.memory_gb is None else policy.memory_gb)

    def watch() -> None:
        while not over.wait(LOOK_S) and stop_request.requested() is None:
            if time.monotonic() - began > end_s:
                stop_request.request("timeout")
            elif resident_bytes(os.getpid()) > most_bytes:
                stop_request.request("host_memory")

    threading.Thread(target=watch, daemon=True).start()
    try:
        yield
    finally:
        over.set()


def run_process_main(job: Job, slot: Slot, parent: Connection) -> None:
    """What a run's process does: send its output to the run's log, then do the job."""
    listen(REQUESTS_IN_JOB if JOB_VARIABLE in os.environ else REQUESTS)
    os.environ.update(slot.environment)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    try:
        print_to_log(job)
    except OSError as error:  # a full disk: the parent cannot write there either, and says so
        sys.exit(f"{job.run.run_id}: no log can be written: {error.strerror}")
    job()


def print_to_log(job: Job) -> None:
    """Send what this process prints from now on to the run's log."""
    run_dir = job.store.run_dir(job.run.run_id)
    run_dir.mkdir(parents=True, exist_ok=True)
    log = no_link(str(run_dir / "log.txt"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)


def _end_with(parent: Connection) -> None:
    """End this process when the parent is gone, however it ended; with a checkpoint, if quick."""
    try:
        parent.recv()
    except EOFError:
        stop_request.request("interrupted")
        time.sleep(ORPHAN_GRACE_S)
        os._exit(1)
