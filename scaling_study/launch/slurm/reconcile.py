"""The states of runs that were given to SLURM: files first, then one question about all their jobs.

A result, or a live worker's heartbeat, decides. SLURM only answers whether the job of any other run
may still do something, and if not, why it ended.
"""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from scaling_study.common.files import file_end
from scaling_study.launch.base import SchedulerError
from scaling_study.launch.failure_causes import RESUMED
from scaling_study.launch.queue_view import Accounts, LostRun, QueueView, RunInQueue
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.commands import ArrayTask
from scaling_study.launch.slurm.own_folders import jobs_folder
from scaling_study.study.result import CAUSES, FINISHED
from scaling_study.study.store import Store

# Accounting may not know a job yet whose run gave a sign of life more recently than this.
LAG_S = 300
# Lines of a job's log that report a death without its reason.
NOISE = re.compile(r"srun: |slurmstepd: .*\*\*\*|submitit ")
ERROR = re.compile(r"\berror:|\bexecve\b", re.IGNORECASE)
# In a job's log where SLURM killed it for memory: not at every site does its state say so.
MEMORY_WORDS = ("oom-kill", "oom_kill", "exceeded memory limit", "Exceeded job memory limit")


def look(
    store: Store, run_ids: Sequence[str], study_dir: Path, accounted: Accounts | None
) -> QueueView:
    """As `Launcher.look`: sacct is asked, once, about jobs that squeue has forgotten."""
    states = {run_id: store.state(run_id) for run_id in run_ids}
    jobs = {run_id: job for run_id in states if (job := _job(store, run_id, states[run_id]))}
    if not jobs or not commands.available():
        return QueueView({r: RunInQueue(s, jobs.get(r)) for r, s in states.items()}, None)
    try:
        tasks = commands.tasks(jobs.values())
    except SchedulerError:
        # Nothing is known: nobody may submit these runs again.
        unknown = {run_id: RunInQueue("queued", job) for run_id, job in jobs.items()}
        return QueueView({r: RunInQueue(s) for r, s in states.items()} | unknown, False)
    answered = True
    if accounted is not None:
        answered = _account(set(jobs.values()) - set(tasks), accounted)
        tasks = accounted | tasks
    found = {run_id: RunInQueue(state) for run_id, state in states.items()}
    for run_id, job in jobs.items():
        # Waiting tasks that were cancelled together share the row of their array.
        task = tasks.get(job) or tasks.get(job.partition("_")[0])
        # Accounting may yet report the end of the job.
        late = not answered or store.sign_of_life(run_id) > time.time() - LAG_S
        if task is not None and task.live:
            reason = task.reason if task.state == "PENDING" else None
            found[run_id] = RunInQueue("queued", job, True, reason, _timestamp(task.start))
        elif (now := store.state(run_id)) != states[run_id]:
            # It has worked and ended between the two looks, at its files and at the queue.
            found[run_id] = RunInQueue(now)
        elif task is None and accounted is not None and late:
            found[run_id], answered = RunInQueue("queued", job), False
        else:
            state = "failed" if now == "failed" else "planned"
            lost = lost_run(state, job, task, store.job(run_id), jobs_folder(study_dir))
            found[run_id] = RunInQueue(state, job, lost=lost)
    return QueueView(found, answered)


def _account(jobs: set[str], accounted: Accounts) -> bool:
    """Add sacct's answers about jobs that squeue has forgotten; whether it answered."""
    for job in [job for job, task in accounted.items() if task.live]:
        del accounted[job]  # the job's end had not come there yet
    try:
        unknown = {job for job in jobs if not {job, job.partition("_")[0]} & set(accounted)}
        accounted |= commands.accounts(unknown)
    except SchedulerError:
        return False
    return True


def _job(store: Store, run_id: str, state: str) -> str | None:
    """The job that may still work on a run which nobody works on now."""
    if state in (*FINISHED, "unreadable", "running"):
        return None
    note = store.job(run_id)
    over = "ended" in note and note.get("cause") not in RESUMED
    job = note.get("queued") or (None if over else note.get("job"))
    return str(job) if job else None


def _timestamp(text: str) -> float | None:
    with suppress(ValueError):  # squeue prints N/A where it has no estimate
        return datetime.fromisoformat(text).timestamp()
    return None


def lost_run(
    state: str, job: str, task: ArrayTask | None, note: Mapping[str, Any], logs: Path
) -> LostRun:
    """What became of a run in this state whose `job` is gone; `note` is its job.json.

    One that had begun has failed, because of what ended the job; one that had not is free again.
    """
    files = sorted(logs.glob(f"{job}_*_log.*"))  # of its batch script and its processes
    cause, message = _cause(job, task, files)
    log = files[0] if files else None
    if note.get("cause") in RESUMED and cause in (None, "error"):
        # It stopped with a checkpoint, and SLURM did not start the job again.
        return LostRun(False, note["cause"] if note["cause"] in CAUSES else None, message, log)
    in_job = any(attempt.get("job") == job for attempt in note.get("attempts", ()))
    if in_job and "pid" not in note and state == "failed" and cause != "host_memory":
        # It failed in this job and waited for a retry: that failure has the better message.
        return LostRun(False, None, message, log)
    failed = cause is not None and ("pid" in note or in_job or cause in ("error", "host_memory"))
    return LostRun(failed, cause, message, log)


def _cause(job: str, task: ArrayTask | None, logs: Sequence[Path]) -> tuple[str | None, str]:
    """What ended a job that is gone, and a message; no cause if nobody knows it any more."""
    if task is None:
        return None, f"job {job} is gone"
    text = "".join(map(file_end, logs))
    message = f"job {task.id} ended as {task.state}" + (f" on {task.nodes}" if task.nodes else "")
    if any(words in text for words in MEMORY_WORDS):
        return "host_memory", f"{message}: memory ran out"
    if task.cause is not None or task.state == "COMPLETED":
        return task.cause, message
    return "error", ": ".join(filter(None, [message, reason_in(text)]))


def reason_in(text: str) -> str:
    """The line of a job's log that best explains why it died; empty if there is none.

    That is the end of the last traceback, else the first error, else the last line that the job
    itself printed.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    traces = [n for n, line in enumerate(lines) if line.startswith("Traceback ")]
    raised = [line for line in lines[traces[-1] + 1 :] if line[0] != " "] if traces else []
    informative = [line for line in lines if not NOISE.match(line)]
    errors = [line for line in informative if ERROR.search(line)]
    return next(iter([*raised[:1], *errors, *informative[-1:], *lines[-1:]]), "").strip()
