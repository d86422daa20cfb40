"""From a plan to outcomes: the launcher that the settings name, with what a sweep needs of it."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from scaling_study.config import Setting
from scaling_study.errors import InputError
from scaling_study.launch import inline, local
from scaling_study.launch.job import Job, Outcome, settle_mirrors
from scaling_study.launch.slots import Slot, slots_for
from scaling_study.launch.slurm import queue
from scaling_study.launch.slurm.snapshot import refuse_dirty
from scaling_study.launch.stop import Stop
from scaling_study.launch.work import ORPHAN_GRACE_S
from scaling_study.plan import Planned
from scaling_study.settings import LauncherConfig
from scaling_study.store import Store
from scaling_study.submitted import Batch
from scaling_study.sweeping import noted, was_killed


def places(launcher: LauncherConfig, rows: Sequence[Planned]) -> list[Slot]:
    """Places for runs at the same time on this machine; those of the cluster for slurm.

    Raises:
        InputError: a run wants a GPU, and none is visible here.
    """
    if launcher.cluster is not None:
        slots = launcher.cluster.max_running * launcher.slots_in_job
        return [Slot(f"job{index}", {}) for index in range(min(slots, max(1, len(rows))))]
    memory = [row.cost.memory_bytes for row in rows]
    devices = [row.run.device for row in rows]
    return slots_for(devices, launcher.slots, launcher.threads, launcher.slots_per_gpu, memory)


def let_orphans_end(run_ids: Sequence[str], store: Store, study_dir: Path) -> None:
    """Wait for the runs of a sweep that was killed: they notice, and end within seconds."""
    end = time.monotonic() + ORPHAN_GRACE_S + 1
    while was_killed(study_dir) and time.monotonic() < end:
        running = [run_id for run_id in run_ids if store.state(run_id) == "running"]
        if all(store.job(run_id).get("job") for run_id in running):
            return  # SLURM's jobs go on without the sweep
        time.sleep(0.2)


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
    with noted(study_dir, len(slots)):
        if launcher.name == "slurm":
            batch = Batch(rows, setting, launcher, study_dir, stop)
            batch.submit()
            if launcher.stays:
                yield from batch.wait()
        elif launcher.name == "local":
            yield from local.launch(jobs, slots, launcher.policy, stop)
        else:
            yield from inline.launch(jobs, stop)
    if launcher.cluster is None and len(stop.reasons) < 2:  # asked twice, nothing is waited for
        settle_mirrors(jobs)
