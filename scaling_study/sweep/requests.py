"""What a sweep asks of its launcher for the runs of a plan, and its probes on this machine."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from scaling_study.common.device import visible_gpus
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.launch import probe, registry
from scaling_study.launch.job import Job, Request
from scaling_study.launch.local import pool
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import Slot, cpu_slots, slots_for
from scaling_study.launch.stop_signals import ORPHAN_GRACE_S
from scaling_study.planning.draft import Probe
from scaling_study.planning.order import to_do
from scaling_study.planning.plan import Planned
from scaling_study.study.active_sweep import was_killed
from scaling_study.study.parents import BLOCKED, with_parents
from scaling_study.study.store import Store

NO_GPU = (
    "plan.probe=true: no GPU is visible here; where a cluster has them, put srun with a GPU before "
    "this command with dry_run=true (cache_dir must be shared), as in srun --gpus=1 python -m "
    "scaling_study.sweep … plan.probe=true dry_run=true; or submit a small grid first: "
    "its runs are measurements too"
)


def requests_of(rows: Sequence[Planned], execution: ExecutionConfig) -> list[Request]:
    """The runs with their forecasts, for a launcher: of a prior the upper end, to be safe.

    Any of those that need labels which are not there may have to make them.
    """
    return [
        Request(
            Job(row.run, execution), _seconds(row), row.cost.memory_bytes, processes=row.processes
        )
        for row in rows
    ]


def _seconds(row: Planned) -> float | None:
    labels = row.labelling if row.labelling is not None and not row.labelling.done else None
    times = [row.time, *([labels.time] if labels else [])]
    known = [time for time in times if time is not None]
    if len(known) < len(times):
        return None
    return sum(time.high if row.by_prior else time.value for time in known)


def preview(
    rows: Sequence[Planned],
    execution: ExecutionConfig,
    options: LauncherOptions,
    study_dir: Path,
) -> Iterator[str]:
    """What the launcher would submit now for the runs to do: none that waits for another."""
    requests = requests_of([row for row in to_do(rows) if row.state != BLOCKED], execution)
    return registry.launcher(options.name).preview(options, requests, study_dir)


def slots_of(
    rows: Sequence[Planned], execution: ExecutionConfig, options: LauncherOptions, dry_run: bool
) -> list[Slot]:
    """Where runs execute; a dry run may plan for GPUs that are not here, one at a time.

    Otherwise raises an InputError if a run needs a GPU, and none is visible here.
    """
    try:
        return registry.launcher(options.name).slots(options, requests_of(rows, execution))
    except InputError:
        if not dry_run:
            raise
        return cpu_slots(max(1, options.slots))


def with_states(
    rows: Sequence[Planned], store: Store, study_dir: Path, dry_run: bool
) -> list[Planned]:
    """The plan with the states of runs in queues; lost runs are recorded unless in a dry run."""
    runs = {row.run.run_id: row.run for row in rows}
    if dry_run:
        view = registry.look(store, [*runs], study_dir)
        states = {run_id: seen.state for run_id, seen in view.runs.items()}
    else:
        wait_for_orphans([*runs], store, study_dir)
        states = registry.reconcile(runs, store, study_dir)
    return [
        replace(row, state=with_parents(states[row.run.run_id], row.run.parents, store))
        for row in rows
    ]


def wait_for_orphans(run_ids: Sequence[str], store: Store, study_dir: Path) -> None:
    """Wait for the runs of a sweep that was killed: they notice, and end within seconds."""
    end = time.monotonic() + ORPHAN_GRACE_S + 1
    while was_killed(study_dir) and time.monotonic() < end:
        running = [run_id for run_id in run_ids if store.state(run_id) == "running"]
        if all(store.job(run_id).get("job") for run_id in running):
            return  # jobs in a queue go on without the sweep
        time.sleep(0.2)


def probes_by(execution: ExecutionConfig, options: LauncherOptions) -> Probe:
    """Probes on this machine, whatever launches the sweep: each in a process and a slot of its own.

    Raises an InputError if several processes will train a run, because a probe is one; or, once it
    launches, if a probe needs a GPU that is not here.
    """
    if options.processes > 1:
        raise InputError(
            f"plan.probe=true: {options.processes} processes train a run together, which a probe, "
            "one process, does not time; finished runs will"
        )

    def launch(runs: Sequence[RunConfig], folder: Path) -> Iterator[Outcome]:
        if any(run.device == "cuda" for run in runs) and not visible_gpus():
            raise InputError(NO_GPU)
        slots = slots_for([run.device for run in runs], options.slots, options.threads)
        probing = replace(execution, results_dir=str(folder))
        return pool.launch([Job(run, probing) for run in runs], slots)

    return lambda runs, known: probe.probe(runs, known, launch, Path(execution.cache_dir))
