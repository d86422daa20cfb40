"""From a plan to outcomes: the launcher that the settings name, with what a sweep needs of it."""

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from scaling_study.claims import alive, me
from scaling_study.config import Setting
from scaling_study.errors import InputError
from scaling_study.launch import inline, local
from scaling_study.launch.job import Job, Outcome, settle_mirrors
from scaling_study.launch.slots import AUTO, Slot, slots_for
from scaling_study.launch.slurm import queue
from scaling_study.launch.slurm.ledger import Ledger
from scaling_study.launch.slurm.resources import Request
from scaling_study.launch.slurm.restart import avoided
from scaling_study.launch.slurm.snapshot import refuse_dirty
from scaling_study.launch.slurm.standing import look, settle
from scaling_study.launch.slurm.submit import Submitter
from scaling_study.launch.stop import Stop
from scaling_study.plan import Planned
from scaling_study.results import replace_file
from scaling_study.settings import LauncherConfig
from scaling_study.store import Store

# How often files are looked at, and the scheduler is asked, while a sweep waits for its jobs.
LOOK_S, ASK_S = 2, 30
# What a process on a CPU holds beside the tensors of its run: Python and torch.
PROCESS_BYTES = 600_000_000


def places(launcher: LauncherConfig, rows: Sequence[Planned]) -> list[Slot]:
    """Places for runs at the same time on this machine; those of the cluster for slurm.

    Raises:
        InputError: a run wants a GPU, and none is visible here.
    """
    if launcher.cluster is not None:
        slots = launcher.cluster.max_running * slots_in_job(launcher)
        return [Slot(f"job{index}", {}) for index in range(min(slots, max(1, len(rows))))]
    memory = [row.cost.memory_bytes for row in rows]
    devices = [row.run.device for row in rows]
    return slots_for(devices, launcher.slots, launcher.threads, launcher.slots_per_gpu, memory)


def slots_in_job(launcher: LauncherConfig) -> int:
    """Runs at the same time in one SLURM job."""
    assert launcher.cluster is not None
    share = max(1, launcher.slots_per_gpu)
    wanted = share if launcher.slots == AUTO else launcher.slots
    return min(wanted, launcher.cluster.runs_per_job) if launcher.slots == AUTO else wanted


def standing(rows: Sequence[Planned], store: Store, study_dir: Path) -> list[Planned]:
    """The plan with the states of runs that SLURM has: asks it once, if any run was given to it."""
    view = look(store, [row.run.run_id for row in rows])
    return [replace(row, state=view.runs[row.run.run_id].state) for row in rows]


def settled(rows: Sequence[Planned], store: Store, study_dir: Path) -> list[Planned]:
    """The same, and what became of jobs that are gone is written down."""
    view = look(store, [row.run.run_id for row in rows], told={})
    settle(view, {row.run.run_id: row.run for row in rows}, store, study_dir / "jobs")
    states = {r: store.state(r) if seen.gone else seen.state for r, seen in view.runs.items()}
    return [replace(row, state=states[row.run.run_id]) for row in rows]


def check(setting: Setting, launcher: LauncherConfig) -> None:
    """Refuse what could not be launched, before anything is written.

    Raises:
        InputError: no SLURM here, or uncommitted changes that are not to be submitted.
    """
    if launcher.cluster is None:
        return
    if not queue.available():
        raise InputError(
            "launcher=slurm: no SLURM here (squeue and sbatch are not on PATH); "
            "launcher=local runs on this machine"
        )
    refuse_dirty(setting, launcher.cluster.allow_dirty)


def launch(
    rows: Sequence[Planned],
    setting: Setting,
    launcher: LauncherConfig,
    study_dir: Path,
    slots: Sequence[Slot],
    stop: Stop,
) -> Iterator[Outcome]:
    """Outcomes of the runs of `rows` as they come; none of those that are left in a queue."""
    jobs = [Job(row.run, setting) for row in rows]
    if launcher.name == "slurm":
        submit(rows, setting, launcher, study_dir)
        if launcher.stays:
            yield from _wait(rows, setting, launcher, study_dir, stop)
    elif launcher.name == "local":
        with _noted(study_dir):
            yield from local.launch(jobs, slots, launcher.policy, stop)
    else:
        with _noted(study_dir):
            yield from inline.launch(jobs, stop)
    if launcher.cluster is None and len(stop.reasons) < 2:  # asked twice, nothing is waited for
        settle_mirrors(jobs)


def submit(
    rows: Sequence[Planned], setting: Setting, launcher: LauncherConfig, study_dir: Path
) -> int:
    """Submit these runs to SLURM, as many as its limits allow; how many that were.

    Raises:
        InputError: see `Submitter.submit`.
    """
    assert launcher.cluster is not None
    absolute = replace(
        setting,
        results_dir=str(Path(setting.results_dir).resolve()),
        cache_dir=str(Path(setting.cache_dir).resolve()),
    )
    store = Store(Path(setting.results_dir))
    attempts = {row.run.run_id: store.attempts(row.run.run_id) for row in rows}
    requests = [
        Request(
            Job(row.run, absolute),
            row.forecast_s,
            row.cost.memory_bytes + PROCESS_BYTES if row.run.device == "cpu" else None,
            Counter(a["cause"] for a in attempts[row.run.run_id] if a.get("cause")),
        )
        for row in rows
    ]
    submitter = Submitter(
        study_dir,
        launcher.cluster,
        launcher.policy,
        slots_in_job(launcher),
        max(1, launcher.slots_per_gpu),
        launcher.threads,
    )
    bad = avoided((one for found in attempts.values() for one in found), time.time())
    for node, why in bad.items():
        print(f"avoiding {node}: {why}")
    done = 0
    for submission in submitter.submit(requests, list(bad)):
        n = sum(len(group) for group in submission.runs)
        done += n
        asked = submission.resources
        print(
            f"job {submission.job}: {n} runs in {len(submission.runs)} jobs of "
            f"{asked['time_min']} min, {asked['memory_gb']} GB, {asked['cpus']} CPUs, "
            f"{asked['gpus']} GPUs on {asked['nodes']} nodes; "
            f"code {Path(submission.snapshot).name}",
            flush=True,
        )
    if done < len(rows):
        print(f"{len(rows) - done} runs wait for room in the queue: launcher.max_submit")
    return done


def _wait(
    rows: Sequence[Planned],
    setting: Setting,
    launcher: LauncherConfig,
    study_dir: Path,
    stop: Stop,
) -> Iterator[Outcome]:
    """Outcomes as the files show them; what may be tried again, or had no room, is submitted."""
    open_runs = {row.run.run_id: row for row in rows}
    tried: Counter[str] = Counter()
    asked = time.monotonic()
    while open_runs and not stop.reasons:
        time.sleep(LOOK_S)
        if time.monotonic() - asked > ASK_S:
            settled(list(open_runs.values()), Store(Path(setting.results_dir)), study_dir)
            asked = time.monotonic()
        if reason := Ledger(study_dir).stop_reason():
            raise local.RepeatedError(reason)
        again = []
        for run_id, row in list(open_runs.items()):
            outcome = Job(row.run, setting).outcome()
            if outcome.status in ("running", "queued", "stopped"):
                continue
            tried[run_id] += outcome.status == "failed"
            allowed = launcher.policy.retry.get(outcome.cause or "", 0)
            if outcome.status == "planned" or (
                outcome.status == "failed" and tried[run_id] <= allowed
            ):
                again.append(row)
                continue
            del open_runs[run_id]
            yield outcome
        if again:
            submit(again, setting, launcher, study_dir)


@contextmanager
def _noted(study_dir: Path) -> Iterator[None]:
    """While this process works on the study, sweep.json says so: `cancel` stops it by that."""
    path = study_dir / "sweep.json"
    replace_file(path, json.dumps(me()) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def sweep_process(study_dir: Path) -> int | None:
    """Pid of the sweep that works on the study on this host now, or None."""
    path = study_dir / "sweep.json"
    try:
        note: Mapping[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if note.get("host") != socket.gethostname() or not alive(path):
        return None
    pid = note.get("pid")
    return pid if isinstance(pid, int) and pid != os.getpid() else None
