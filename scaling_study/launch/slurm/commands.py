"""What SLURM knows of jobs: one squeue for all of them, one sacct for those that squeue forgot.

Without an answer of SLURM's these functions raise SchedulerError.
"""

import re
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from scaling_study.common import environment
from scaling_study.launch.base import SchedulerError

# A job in any other state has ended. Not all of these are in sacct's or submitit's lists.
LIVE = {
    *("PENDING", "CONFIGURING", "RUNNING", "COMPLETING", "SUSPENDED", "STOPPED", "RESIZING"),
    *("REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "SIGNALING", "STAGE_OUT"),
    "SPECIAL_EXIT",
}
CAUSES = {
    **dict.fromkeys(("TIMEOUT", "DEADLINE"), "timeout"),
    **dict.fromkeys(("PREEMPTED", "REVOKED"), "preempted"),
    **dict.fromkeys(("NODE_FAIL", "BOOT_FAIL"), "node"),
    "CANCELLED": "cancelled",
    "OUT_OF_MEMORY": "host_memory",
}
PATIENCE_S = 30
# SLURM's own MaxArraySize.
DEFAULT_ARRAY = 1001


@dataclass(frozen=True)
class ArrayTask:
    """A job, or a task of an array: its state, why it waits, on which nodes, expected start."""

    id: str
    state: str
    reason: str
    nodes: str
    start: str

    @property
    def live(self) -> bool:
        return self.state in LIVE

    @property
    def cause(self) -> str | None:
        """What ended it, one of `result.CAUSES`; None if it lives or ended by itself."""
        return CAUSES.get(self.state)


def available() -> bool:
    """Whether this machine can ask a SLURM, and submit to it, at all."""
    return shutil.which("squeue") is not None and shutil.which("sbatch") is not None


def tasks(jobs: Iterable[str]) -> dict[str, ArrayTask]:
    """The tasks of these jobs that squeue still knows, ended ones included, by id."""
    options = ("--noheader", "--array", "--states=all", "--format=%i|%T|%r|%N|%S")
    try:
        return _asked("squeue", jobs, *options)
    except SchedulerError as error:
        if "Invalid job id" in str(error):  # squeue has forgotten the only one of the query
            return {}
        raise


def accounts(jobs: Iterable[str]) -> dict[str, ArrayTask]:
    """Accounting's records of these jobs; it lags by seconds, and a site may have none."""
    columns = "--format=JobID,State,ExitCode,NodeList,Start"
    try:
        return _asked("sacct", jobs, "--noheader", "--parsable2", "--allocations", columns)
    except SchedulerError as error:
        if shutil.which("sacct") is None or "accounting storage is disabled" in str(error):
            return {}
        raise


def _asked(program: str, jobs: Iterable[str], *options: str) -> dict[str, ArrayTask]:
    """The tasks that `program` prints for these jobs, by id."""
    found: dict[str, ArrayTask] = {}
    if not (ids := sorted({job.partition("_")[0] for job in jobs})):
        return found
    for line in call(program, *options, f"--jobs={','.join(ids)}").splitlines():
        name, state, reason, nodes, start = (*line.split("|"), "", "", "", "")[:5]
        # "CANCELLED by 0", and a "+" where a column was too narrow.
        if words := state.replace("+", "").split():
            found[name] = ArrayTask(name, words[0], reason, nodes, start)
    return found


def former_state(job: str) -> str | None:
    """The state in which the last start of this job ended, by accounting; None: it does not say."""
    options = ["--noheader", "--parsable2", "--allocations", "--duplicates", f"--jobs={job}"]
    try:
        states = call("sacct", *options, "--format=State").split("\n")
    except SchedulerError:
        return None
    ended = [s.split()[0] for s in states if s and (s == "REQUEUED" or s.split()[0] not in LIVE)]
    return ended[-1] if ended else None


def call(program: str, *arguments: str) -> str:
    """Output of one of SLURM's programs; a SchedulerError if it is missing, fails or is slow."""
    try:
        done = subprocess.run(
            [program, *arguments],
            env=environment.of_slurm(),
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise SchedulerError(f"{program}: {error}") from None
    if done.returncode:
        raise SchedulerError(f"{program}: {done.stderr.strip() or done.returncode}")
    return done.stdout


@cache
def max_array_size() -> int:
    """The controller's MaxArraySize: an array may have that many tasks; asked once."""
    found = re.search(r"MaxArraySize\s*=\s*(\d+)", call("scontrol", "show", "config"))
    return int(found[1]) if found else DEFAULT_ARRAY


def my_queued_jobs() -> int:
    """Jobs and array tasks of this user in the queue."""
    return len(call("squeue", "--me", "--noheader", "--array", "--format=%i").split())


def job_name(study: str) -> str:
    """What SLURM calls the jobs of a study."""
    return f"study-{study}"


def cancel(jobs: Iterable[str], study: str, pending_only: bool = False) -> None:
    """Cancel those of these tasks that are the study's; ended ones are no error.

    By the name that SLURM has of a job: files in a store may say anything.
    """
    # Told a name, scancel would take jobs that have ended for errors.
    named = ("--noheader", "--array", f"--name={job_name(study)}", "--format=%i")
    queued = {*call("squeue", *named).split()}
    ids = condensed(job for job in jobs if job in queued)
    state = ["--state=PENDING"] if pending_only else []
    for first in range(0, len(ids), 500):
        call("scancel", "--quiet", *state, *ids[first : first + 500])


def condensed(jobs: Iterable[str]) -> list[str]:
    """Task ids as SLURM writes sets of them: 7_0, 7_1, 7_2, 7_5 as 7_[0-2,5]."""
    arrays = defaultdict[str, set[int]](set)
    plain = []
    for job in jobs:
        array, _, task = job.partition("_")
        if task:
            arrays[array].add(int(task))
        else:
            plain.append(job)
    return [*plain, *(f"{array}_[{_ranges(numbers)}]" for array, numbers in arrays.items())]


def _ranges(numbers: set[int]) -> str:
    # In a run of consecutive numbers, each is as far above its place in the sorted list.
    runs = groupby(enumerate(sorted(numbers)), key=lambda pair: pair[1] - pair[0])
    spans = ([n for _, n in run] for _, run in runs)
    return ",".join(f"{s[0]}-{s[-1]}" if len(s) > 1 else f"{s[0]}" for s in spans)
