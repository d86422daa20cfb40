"""How a study stands, from its files and one question to the scheduler: what `status` shows."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scaling_study.launch.queue_view import QueueView, RunInQueue
from scaling_study.launch.slurm.commands import ArrayTask
from scaling_study.launch.slurm.reconcile import fate, job_logs, look, tail
from scaling_study.launch.slurm.submissions import Ledger
from scaling_study.planning.order import last_end_s
from scaling_study.study.active_sweep import slots_at_work
from scaling_study.study.result import FINISHED, STATUSES, Result
from scaling_study.study.store import Store
from scaling_study.study.table import read_plan

# Version of the JSON: fields may be added under the same number, not changed or removed.
SCHEMA = 1
STATES = ("ok", "diverged", "running", "queued", "planned", "failed", "unreadable")
LOG_LINES = 5


@dataclass(frozen=True)
class RunStatus:
    """One run of the plan. Times in seconds; `epoch` of `epochs` done; None where unknown.

    `job`, `node` and `reason` (why it waits) are SLURM's; `attempts` have ended before this one.
    """

    run_id: str
    depth: float
    width: float
    resolution: int
    epochs: int
    seed: int
    state: str
    cause: str | None
    error: str | None
    epoch: float
    attempts: int
    job: str | None
    node: str | None
    reason: str | None
    val_error: float | None
    wall_s: float | None
    forecast_s: float | None
    train_flops: float
    log: str
    log_tail: tuple[str, ...]


@dataclass(frozen=True)
class Overview:
    """A study now. `counts` has every state; `runs_per_hour` is over the last hour of ends.

    `eta_s` is until the last run ends, with as many at a time as the arrays or the sweep allow, and
    the wait for the first to start if none is in work; None without a measured run. `scheduler`:
    not asked, answered, or silent.
    """

    schema: int
    study: str
    time: float
    counts: Mapping[str, int]
    causes: Mapping[str, int]
    reasons: Mapping[str, int]
    runs_per_hour: float | None
    train_flops_per_s: float | None
    eta_s: float | None
    scheduler: str
    stopped: str | None
    runs: tuple[RunStatus, ...]

    def as_json(self) -> str:
        """The same as a JSON object."""
        return json.dumps(asdict(self), indent=1)


def overview(study_dir: Path, told: dict[str, ArrayTask] | None = None) -> Overview:
    """How the study in this folder stands; see `look` for `told`.

    Raises:
        InputError: the folder holds no study.
    """
    rows, store = read_plan(study_dir), Store(study_dir.parent)
    view = look(store, [row["run_id"] for row in rows], {} if told is None else told)
    results = {row["run_id"]: _result(store, row["run_id"]) for row in rows}
    runs = tuple(
        _run(row, results[row["run_id"]], view.runs[row["run_id"]], store, study_dir)
        for row in rows
    )
    speed = _speed(runs)
    counts = Counter(run.state for run in runs)
    return Overview(
        schema=SCHEMA,
        study=str(study_dir),
        time=time.time(),
        counts={state: counts[state] for state in STATES},
        causes=dict(Counter(r.cause for r in runs if r.state == "failed" and r.cause)),
        reasons=dict(Counter(r.reason for r in runs if r.reason)),
        runs_per_hour=_runs_per_hour(store, runs),
        train_flops_per_s=speed,
        eta_s=_eta_s(runs, speed, view, _at_once(study_dir, view)),
        scheduler={None: "not asked", True: "answered", False: "silent"}[view.answered],
        stopped=Ledger(study_dir).stop_reason(),
        runs=runs,
    )


def _result(store: Store, run_id: str) -> Result | None:
    try:
        return store.result(run_id)
    except (OSError, ValueError):
        return None


def _run(
    row: Mapping[str, str], result: Result | None, standing: RunInQueue, store: Store, study: Path
) -> RunStatus:
    run_id = row["run_id"]
    note = store.job(run_id)
    task, ended = standing.task, result if standing.state in STATUSES else None
    gone = fate(standing, note, study / "jobs") if standing.gone else None
    state = "failed" if gone and gone.failed else standing.state
    # Of a job that died its own log tells more, and the run may have none.
    logs = job_logs(study / "jobs", standing.job) if gone else []
    log = logs[0] if logs else store.run_dir(run_id) / "log.txt"
    return RunStatus(
        run_id=run_id,
        depth=float(row["depth"]),
        width=float(row["width"]),
        resolution=int(row["resolution"]),
        epochs=int(row["epochs"]),
        seed=int(row["seed"]),
        state=state,
        cause=gone.cause if gone and gone.cause else _cause(ended, note),
        error=gone.said if gone and gone.failed else None if ended is None else ended.error,
        epoch=_epoch(store.run_dir(run_id)),
        attempts=len(note.get("attempts") or ()),
        job=standing.job or note.get("queued") or note.get("job"),
        node=note.get("node"),
        reason=task.reason if task and task.live and task.state == "PENDING" else None,
        val_error=None if ended is None else ended.val_error,
        wall_s=None if ended is None else ended.wall_s,
        forecast_s=float(row["forecast_s"]) if row.get("forecast_s") else None,
        train_flops=float(row["train_flops"]),
        log=str(log),
        log_tail=_tail(log) if state == "failed" else (),
    )


def _cause(ended: Result | None, note: Mapping[str, Any]) -> str | None:
    """The cause in the result; without one, why the last attempt ended."""
    if ended is not None:
        return ended.cause
    if note.get("cause"):
        return str(note["cause"])
    earlier = note.get("attempts") or [{}]
    cause = earlier[-1].get("cause")
    return None if cause is None else str(cause)


def _tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log."""
    try:
        text = tail(log)
    except OSError:
        return ()
    return tuple(line for line in text.splitlines() if line.strip())[-LOG_LINES:]


def _epoch(run_dir: Path) -> float:
    """Epochs of training that the run has done, a fraction within one; lines are in order.

    A last line that is only half written yet does not count.
    """
    try:
        lines = (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0.0
    for line in reversed(lines):
        try:
            return float(json.loads(line)["epoch"])
        except (ValueError, TypeError, KeyError):
            continue
    return 0.0


def _speed(runs: Sequence[RunStatus]) -> float | None:
    """Training FLOPs per second of one run at a time, over the finished ones."""
    timed = [run for run in runs if run.state == "ok" and run.wall_s]
    seconds = sum(run.wall_s or 0 for run in timed)
    return sum(run.train_flops for run in timed) / seconds if seconds else None


def _runs_per_hour(store: Store, runs: Sequence[RunStatus]) -> float | None:
    """Finished runs over the time since the first of them began, the last hour at most."""
    now = time.time()
    notes = [store.job(run.run_id) for run in runs if run.state in FINISHED]
    recent = [n for n in notes if isinstance(n.get("ended"), float) and now - n["ended"] < 3600]
    if not recent:
        return None
    goes_on = any(run.state in ("running", "queued") for run in runs)
    until = now if goes_on else max(note["ended"] for note in recent)
    since = max(until - 3600, min(float(note.get("began", until)) for note in recent))
    return 3600 * len(recent) / max(1.0, until - since)


def _at_once(study_dir: Path, view: QueueView) -> int | None:
    """Runs at a time that arrays with waiting jobs allow, or a sweep that is at work."""
    live = {task.id.partition("_")[0] for task in _live(view)}
    arrays = [one for one in Ledger(study_dir).submissions() if one.job in live]
    if not arrays:
        return slots_at_work(study_dir)
    return sum(
        min(len(one.runs), one.resources.get("max_running", 1)) * one.resources.get("slots", 1)
        for one in arrays
    )


def _live(view: QueueView) -> list[ArrayTask]:
    return [s.task for s in view.runs.values() if s.task is not None and s.task.live]


def _eta_s(
    runs: Sequence[RunStatus], speed: float | None, view: QueueView, at_once: int | None
) -> float | None:
    left = [run for run in runs if run.state in ("running", "queued", "planned")]
    work = [(run.state == "running", _seconds(run, speed)) for run in left]
    if not left:
        return 0.0
    known = [(running, s) for running, s in work if s is not None]
    running = sum(running for running, _ in work)
    start_s = 0.0 if running else _first_start_s(view, at_once)
    if len(known) < len(work) or start_s is None:
        return None
    # Those in work have their places; of the others the longest starts first.
    seconds = [s for _, s in sorted(known, reverse=True)]
    return start_s + last_end_s(seconds, max(running, at_once or 1))


def _first_start_s(view: QueueView, at_once: int | None) -> float | None:
    """Seconds until a run starts while none is in work: SLURM says, or a sweep is at it."""
    if not (tasks := _live(view)):
        return None if at_once is None else 0.0
    starts = [start for task in tasks if (start := _timestamp(task.start)) is not None]
    return max(0.0, min(starts) - time.time()) if starts else None


def _timestamp(text: str) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return None  # squeue says N/A


def _seconds(run: RunStatus, speed: float | None) -> float | None:
    """What is left of a run: by its forecast, else by what the study's finished runs took."""
    share = 1 - min(run.epoch, run.epochs) / run.epochs if run.state == "running" else 1.0
    if run.forecast_s is not None:
        return share * run.forecast_s
    return None if speed is None else share * run.train_flops / speed
