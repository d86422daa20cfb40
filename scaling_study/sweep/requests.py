"""What a sweep asks of its launcher for the runs of a plan."""

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch import registry
from scaling_study.launch.job import Job, Request
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.slots import Slot, cpu_slots
from scaling_study.launch.stop_signals import ORPHAN_GRACE_S
from scaling_study.planning.plan import Planned
from scaling_study.study.active_sweep import was_killed
from scaling_study.study.store import Store


def requests_of(rows: Sequence[Planned], execution: ExecutionConfig) -> list[Request]:
    """The runs with their forecasts, for a launcher."""
    return [Request(Job(row.run, execution), row.forecast_s, row.cost.memory_bytes) for row in rows]


def slots_of(
    rows: Sequence[Planned], execution: ExecutionConfig, options: LauncherOptions, dry_run: bool
) -> list[Slot]:
    """Where runs execute; a dry run may plan for GPUs that are not here, one at a time.

    Raises:
        InputError: a run needs a GPU, and none is visible here.
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
    return [replace(row, state=states[row.run.run_id]) for row in rows]


def wait_for_orphans(run_ids: Sequence[str], store: Store, study_dir: Path) -> None:
    """Wait for the runs of a sweep that was killed: they notice, and end within seconds."""
    end = time.monotonic() + ORPHAN_GRACE_S + 1
    while was_killed(study_dir) and time.monotonic() < end:
        running = [run_id for run_id in run_ids if store.state(run_id) == "running"]
        if all(store.job(run_id).get("job") for run_id in running):
            return  # jobs in a queue go on without the sweep
        time.sleep(0.2)
