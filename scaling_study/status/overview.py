"""State of a study, from its files and one query of each queue: what `status` shows."""

import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.files import file_end
from scaling_study.launch import registry
from scaling_study.launch.queue_view import Accounts, LostRun, QueueView, RunInQueue
from scaling_study.launch.submissions import Submissions
from scaling_study.planning.order import last_end_s
from scaling_study.study.active_sweep import slots_of_sweep
from scaling_study.study.axes import AXES, Axis, length_of, own_axes
from scaling_study.study.parents import BLOCKED, TO_START, blocked_by, with_parents
from scaling_study.study.result import FINISHED, STATUSES, Result
from scaling_study.study.run_metrics import reached
from scaling_study.study.store import Store
from scaling_study.study.table import PARENTS, SHARED, read_grid, read_plan

# Version of the JSON: fields may be added under the same number, not changed or removed.
SCHEMA = 1
STATES = (
    *("ok", "diverged", "running", "queued", *TO_START),
    *("failed", "unreadable"),
)
LOG_LINES = 5


@dataclass(frozen=True)
class RunStatus:
    """One run of the plan. Times in seconds; `epoch` of `epochs` done; None where unknown.

    `job`, `node` and `reason` (why it waits) are the queue's; `attempts`: those that have ended.
    `settings` are its values on the axes that only its study has, as the plan writes them. Its own
    training, of `train_flops`, `begins` in that epoch, which is 0 unless it goes on from a trunk.
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
    train_flops: float | None
    log: str
    log_tail: tuple[str, ...]
    settings: Mapping[str, str] = field(default_factory=dict)
    begins: float = 0.0


@dataclass(frozen=True)
class Overview:
    """A study now. `counts` has every state; `runs_per_hour` covers the last hour of ends.

    `eta_s` is the time until the last run ends, with as many at a time as the arrays or the sweep
    allow, and the wait for the first to start if none is running; None without a measured run.
    `scheduler`: not asked, answered, or silent. `axes` are those that only this study has,
    `length` is what it calls its length of training.
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
    axes: tuple[Axis, ...]
    length: str
    runs: tuple[RunStatus, ...]

    def as_json(self) -> str:
        """The same as a JSON object."""
        labels = {axis.name: axis.label for axis in self.axes}
        return json.dumps(asdict(self) | {"axes": labels}, indent=1)


def overview(study_dir: Path, accounted: Accounts | None = None) -> Overview:
    """The study in this folder now; raises an InputError if it holds none.

    `accounted` keeps accounting's answers between calls.
    """
    rows, store = read_plan(study_dir), Store(study_dir.parent)
    own = tuple(own_axes(grid := read_grid(study_dir)))
    accounted = {} if accounted is None else accounted
    view = registry.look(store, [row["run_id"] for row in rows], study_dir, accounted)
    try:
        needs = {row["run_id"]: (row.get(PARENTS) or "").split() for row in rows}
        runs = tuple(_run(row, view.runs[row["run_id"]], store, own, needs) for row in rows)
    except (KeyError, ValueError, OverflowError) as error:
        raise InputError(
            f"{study_dir / 'plan.csv'} is no plan ({error!r}); the sweep's command, repeated, "
            "writes it anew"
        ) from None
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
        stopped=Submissions(study_dir).stop_reason(),
        axes=own,
        length=length_of(grid),
        runs=runs,
    )


def _run(
    row: Mapping[str, str],
    seen: RunInQueue,
    store: Store,
    own: Sequence[Axis],
    needs: Mapping[str, Sequence[str]],
) -> RunStatus:
    run_id, lost, ended = row["run_id"], seen.lost, None
    note = store.job(run_id)
    with suppress(OSError, ValueError):
        ended = store.result(run_id) if seen.state in STATUSES else None
    parents = needs[run_id]
    state = "failed" if lost and lost.failed else with_parents(seen.state, parents, store)
    # The log of a dead job has more about its end, and the run may have none.
    log = (lost.log if lost else None) or store.run_dir(run_id) / "log.txt"
    flops = float(row.get("train_flops") or 0)
    shared = float(row.get(SHARED) or 0) / flops if flops else 0.0
    return RunStatus(
        run_id=run_id,
        **{axis.name: axis.kind(row[axis.name]) for axis in AXES},
        settings={a.name: row[a.name] for a in own if row.get(a.name)},
        state=state,
        cause=lost.cause if lost and lost.cause else _cause(ended, note),
        error=_error(lost, ended)
        or (blocked_by(parents, store, needs) if state == BLOCKED else None),
        epoch=seen_at.epoch if (seen_at := reached(store.run_dir(run_id))) else 0.0,
        attempts=len(note.get("attempts") or ()),
        job=seen.job or note.get("queued") or note.get("job"),
        node=note.get("node"),
        reason=seen.reason,
        val_error=None if ended is None else ended.val_error,
        wall_s=None if ended is None else ended.wall_s,
        forecast_s=float(row["forecast_s"]) if row.get("forecast_s") else None,
        train_flops=flops * (1 - shared) if flops else None,
        begins=shared * int(row["epochs"]),
        log=str(log),
        log_tail=_tail(log) if state == "failed" else (),
    )


def _error(lost: LostRun | None, ended: Result | None) -> str | None:
    """Why a run failed."""
    if lost and lost.failed:
        return lost.message
    return None if ended is None else ended.error


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
        lines = file_end(log).splitlines()
        return tuple(line for line in lines if line.strip())[-LOG_LINES:]
    return ()


def _speed(runs: Sequence[RunStatus]) -> float | None:
    """Training FLOPs per second of one run at a time, over the finished ones."""
    done = [run for run in runs if run.state == "ok"]
    timed = [(run.train_flops, run.wall_s) for run in done if run.train_flops and run.wall_s]
    return sum(flops for flops, _ in timed) / sum(s for _, s in timed) if timed else None


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
    live = {seen.job for seen in view.runs.values() if seen.live}
    arrays = [
        min(len(one.runs), one.resources.get("max_running", 1)) * one.resources.get("slots", 1)
        for one in Submissions(study_dir).submissions()
        if live & {*one.tasks()}
    ]
    return sum(arrays) if arrays else slots_of_sweep(study_dir)


def _eta_s(
    runs: Sequence[RunStatus], speed: float | None, view: QueueView, at_once: int | None
) -> float | None:
    left = [run for run in runs if run.state in ("running", "queued", *TO_START)]
    if not left:
        return 0.0
    known = [(r.state == "running", s) for r in left if (s := _seconds(r, speed)) is not None]
    running = sum(run.state == "running" for run in left)
    start_s = 0.0 if running else _first_start_s(view, at_once)
    if len(known) < len(left) or start_s is None:
        return None
    # Running ones have their slots; of the others the longest starts first.
    seconds = [s for _, s in sorted(known, reverse=True)]
    return start_s + last_end_s(seconds, max(running, at_once or 1))


def _first_start_s(view: QueueView, at_once: int | None) -> float | None:
    """Seconds until a run starts while none runs: the queue's estimate, 0 with a live sweep."""
    if not (live := [seen for seen in view.runs.values() if seen.live]):
        return None if at_once is None else 0.0
    starts = [seen.starts_at for seen in live if seen.starts_at is not None]
    return max(0.0, min(starts) - time.time()) if starts else None


def _seconds(run: RunStatus, speed: float | None) -> float | None:
    """Seconds that a run still needs: by its forecast, else by the study's finished runs."""
    done = min(max(run.epoch - run.begins, 0.0) / (run.epochs - run.begins), 1.0)
    share = 1 - done if run.state == "running" else 1.0
    if run.forecast_s is not None:
        return share * run.forecast_s
    return share * run.train_flops / speed if speed and run.train_flops else None
