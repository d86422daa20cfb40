"""How runs stand that were given to SLURM: files first, then one question about all their jobs.

A result, or a live worker's heartbeat, is the truth. The scheduler only tells whether the job of
any other run may still do something, and if not, why.
"""

import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scaling_study.config.run import RunConfig
from scaling_study.launch import rank_errors
from scaling_study.launch.failure_causes import RESUMED
from scaling_study.launch.job import record_failure
from scaling_study.launch.queue_view import QueueView, RunInQueue
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.commands import ArrayTask
from scaling_study.study.result import CAUSES, FINISHED
from scaling_study.study.store import Store

# Accounting may not know a job yet whose run gave a sign of life more recently than this.
LAG_S = 300
# Lines of a job's log that say that something died, never why.
NOISE = re.compile(r"srun: |slurmstepd: .*\*\*\*|submitit ")
ERROR = re.compile(r"\berror:|\bexecve\b", re.IGNORECASE)
# In a job's log where SLURM killed it for memory: not at every site does its state say so.
MEMORY_WORDS = ("oom-kill", "oom_kill", "exceeded memory limit", "Exceeded job memory limit")


@dataclass(frozen=True)
class JobOutcome:
    """What a job that is gone did to a run: a failure, or it just did not run; `said` in words.

    A failure that has been written down before is no new one: it stays.
    """

    failed: bool
    cause: str | None
    said: str


def look(
    store: Store, run_ids: Iterable[str], told: dict[str, ArrayTask] | None = None
) -> QueueView:
    """How these runs stand.

    sacct is asked about the jobs that squeue has forgotten; what it says is kept in `told`, and not
    asked again. None: it is not asked.
    """
    states = {run_id: store.state(run_id) for run_id in run_ids}
    jobs = {run_id: job for run_id in states if (job := _job(store, run_id, states[run_id]))}
    if not jobs or not commands.available():
        return QueueView({r: RunInQueue(s, jobs.get(r)) for r, s in states.items()}, None)
    try:
        tasks = commands.tasks(jobs.values())
    except commands.SchedulerError:
        # Nothing is known: nobody may submit these runs again.
        unknown = {run_id: RunInQueue("queued", job) for run_id, job in jobs.items()}
        return QueueView({r: RunInQueue(s) for r, s in states.items()} | unknown, False)
    answered = True
    if told is not None:
        answered = _account(set(jobs.values()) - set(tasks), told)
        tasks = told | tasks
    found = {run_id: _standing(state, jobs.get(run_id), tasks) for run_id, state in states.items()}
    for run_id in [run_id for run_id, seen in found.items() if seen.gone]:
        # It may have worked and ended between the two looks, at its files and at the queue.
        if (now := store.state(run_id)) != states[run_id]:
            found[run_id] = RunInQueue(now)
    if told is not None:
        young = time.time() - LAG_S
        for run_id, seen in found.items():
            late = not answered or store.sign_of_life(run_id) > young
            if seen.gone and seen.task is None and late:
                found[run_id], answered = RunInQueue("queued", seen.job), False
    return QueueView(found, answered)


def _account(jobs: set[str], told: dict[str, ArrayTask]) -> bool:
    """Add to `told` what accounting says of jobs that squeue has forgotten; whether it answered."""
    for job in [job for job, task in told.items() if task.live]:
        del told[job]  # it said so before the job's end had come there
    try:
        told |= commands.accounts({job for job in jobs if not {job, _array(job)} & set(told)})
    except commands.SchedulerError:
        return False
    return True


def _job(store: Store, run_id: str, state: str) -> str | None:
    """The job that may still work on a run which nobody works on now."""
    if state in (*FINISHED, "unreadable", "running"):
        return None
    note = store.job(run_id)
    if "queued" in note:
        return str(note["queued"])
    over = "ended" in note and note.get("cause") not in RESUMED
    return None if over or not note.get("job") else str(note["job"])


def _array(job: str) -> str:
    return job.partition("_")[0]


def _standing(state: str, job: str | None, tasks: Mapping[str, ArrayTask]) -> RunInQueue:
    if job is None:
        return RunInQueue(state)
    # Waiting tasks that were cancelled together share the row of their array.
    task = tasks.get(job) or tasks.get(_array(job))
    if task is not None and task.live:
        return RunInQueue("queued", job, task)
    return RunInQueue("failed" if state == "failed" else "planned", job, task, gone=True)


def record_lost_runs(
    view: QueueView, runs: Mapping[str, RunConfig], store: Store, logs: Path
) -> None:
    """Write down what became of runs whose job is gone and left no word."""
    for run_id, standing in view.runs.items():
        if not standing.gone or run_id not in runs:
            continue
        note = store.job(run_id)
        seen = fate(standing, note, logs)
        if seen.failed and seen.cause:
            said, cause = seen.said, seen.cause
            if cause == "error" and "pid" in note:
                # One of its processes may have said more before all were ended.
                said, cause = rank_errors.read_error(store.run_dir(run_id)) or (said, cause)
            record_failure(store, runs[run_id], said, cause)
        else:
            store.end(run_id, seen.cause)


def fate(standing: RunInQueue, note: Mapping[str, Any], logs: Path) -> JobOutcome:
    """What became of a run whose job is gone; `note` is its job.json.

    One that had begun has failed, because of what ended the job; one that had not is free again.
    """
    cause, said = _cause(standing, logs)
    if note.get("cause") in RESUMED and cause in (None, "error"):
        # It stopped with a checkpoint, and SLURM did not start the job again.
        return JobOutcome(False, note["cause"] if note["cause"] in CAUSES else None, said)
    earlier = note.get("attempts", ())
    in_job = any(attempt.get("job") == standing.job for attempt in earlier)
    if in_job and "pid" not in note and standing.state == "failed" and cause != "host_memory":
        # It failed in this job and waited to be tried again: that failure tells more.
        return JobOutcome(False, None, said)
    failed = cause is not None and ("pid" in note or in_job or cause in ("error", "host_memory"))
    return JobOutcome(failed, cause, said)


def _cause(standing: RunInQueue, logs: Path) -> tuple[str | None, str]:
    """What ended a job that is gone, and words for it; no cause if nobody knows it any more."""
    task = standing.task
    if task is None:
        return None, f"job {standing.job} is gone"
    text = "".join(map(tail, job_logs(logs, standing.job)))
    said = f"job {task.id} ended as {task.state}" + (f" on {task.nodes}" if task.nodes else "")
    if any(words in text for words in MEMORY_WORDS):
        return "host_memory", f"{said}: memory ran out"
    if task.cause is not None or task.state == "COMPLETED":
        return task.cause, said
    return "error", ": ".join(filter(None, [said, reason_in(text)]))


def reason_in(text: str) -> str:
    """The line of a job's log that tells most of why it died; empty if there is none.

    That is what the last traceback ends with, else the first error, else the last line that the
    job itself printed.
    """
    lines = [line for line in text.splitlines() if line.strip()]
    traces = [n for n, line in enumerate(lines) if line.startswith("Traceback ")]
    raised = [line for line in lines[traces[-1] + 1 :] if line[0] != " "] if traces else []
    telling = [line for line in lines if not NOISE.match(line)]
    errors = [line for line in telling if ERROR.search(line)]
    return next(iter([*raised[:1], *errors, *telling[-1:], *lines[-1:]]), "").strip()


def job_logs(folder: Path, job: str | None) -> list[Path]:
    """What a job printed, the batch script's own words and the runs' alike; a file a process."""
    return sorted(folder.glob(f"{job}_*_log.*"))


def tail(path: Path, size: int = 4000) -> str:
    """The last `size` bytes of a text.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - size))
        return file.read().decode(errors="replace")
