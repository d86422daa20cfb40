"""State of a study, from its files and one query of the scheduler: what `status` shows."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
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
    """A study now. `counts` has every state; `runs_per_hour` covers the last hour of ends.

    `eta_s` is the time until the last run ends, with as many at a time as the arrays or the sweep
    allow, and the wait for the first to start if none is running; None without a measured run.
    `scheduler`: not asked, answered, or silent.
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
    """State of the study in this folder; see `look` for `told`.

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
    counts, speed = Counter(run.state for run in runs), _speed(runs)
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
    with suppress(OSError, ValueError):
        return store.result(run_id)
    return None


def _run(
    row: Mapping[str, str], result: Result | None, standing: RunInQueue, store: Store, study: Path
) -> RunStatus:
    run_id = row["run_id"]
    note = store.job(run_id)
    task, ended = standing.task, result if standing.state in STATUSES else None
    gone = fate(standing, note, study / "jobs") if standing.gone else None
    state = "failed" if gone and gone.failed else standing.state
    # The log of a dead job has more about its end, and the run may have none.
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
    """The cause in the result; without a result, why the last attempt ended."""
    if ended is not None:
        return ended.cause
    attempts = note.get("attempts") or [{}]
    cause = note.get("cause") or attempts[-1].get("cause")
    return None if cause is None else str(cause)


def _tail(log: Path) -> tuple[str, ...]:
    """The last lines of a log."""
    with suppress(OSError):
        return tuple(line for line in tail(log).splitlines() if line.strip())[-LOG_LINES:]
    return ()


def _epoch(run_dir: Path) -> float:
    """Epochs that the run has trained, fractions included, from its last complete line."""
    with suppress(OSError):
        lines = (run_dir / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        for line in reversed(lines):
            with suppress(ValueError, TypeError, KeyError):  # it may be only half written yet
                return float(json.loads(line)["epoch"])
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
    live = any(run.state in ("running", "queued") for run in runs)
    until = now if live else max(note["ended"] for note in recent)
    since = max(until - 3600, min(float(note.get("began", until)) for note in recent))
    return 3600 * len(recent) / max(1.0, until - since)


def _at_once(study_dir: Path, view: QueueView) -> int | None:
    """Runs at a time that arrays with waiting jobs, or a live sweep, allow."""
    live = {task.id.partition("_")[0] for task in _live(view)}
    arrays = [
        min(len(one.runs), one.resources.get("max_running", 1)) * one.resources.get("slots", 1)
        for one in Ledger(study_dir).submissions()
        if one.job in live
    ]
    return sum(arrays) if arrays else slots_at_work(study_dir)


def _live(view: QueueView) -> list[ArrayTask]:
    return [s.task for s in view.runs.values() if s.task is not None and s.task.live]


def _eta_s(
    runs: Sequence[RunStatus], speed: float | None, view: QueueView, at_once: int | None
) -> float | None:
    left = [run for run in runs if run.state in ("running", "queued", "planned")]
    if not left:
        return 0.0
    known = [(r.state == "running", s) for r in left if (s := _seconds(r, speed)) is not None]
    running = sum(run.state == "running" for run in left)
    start_s = 0.0 if running else _first_start_s(view, at_once)
    if len(known) < len(left) or start_s is None:
        return None
    # Running ones have their places; of the others the longest starts first.
    seconds = [s for _, s in sorted(known, reverse=True)]
    return start_s + last_end_s(seconds, max(running, at_once or 1))


def _first_start_s(view: QueueView, at_once: int | None) -> float | None:
    """Seconds until a run starts while none is running: SLURM's estimate, 0 with a live sweep."""
    if not (tasks := _live(view)):
        return None if at_once is None else 0.0
    starts = []
    for task in tasks:
        with suppress(ValueError):  # squeue prints N/A where it has no estimate
            starts.append(datetime.fromisoformat(task.start).timestamp())
    return max(0.0, min(starts) - time.time()) if starts else None


def _seconds(run: RunStatus, speed: float | None) -> float | None:
    """Seconds that a run still needs: by its forecast, else by the study's finished runs."""
    share = 1 - min(run.epoch, run.epochs) / run.epochs if run.state == "running" else 1.0
    if run.forecast_s is not None:
        return share * run.forecast_s
    return None if speed is None else share * run.train_flops / speed
