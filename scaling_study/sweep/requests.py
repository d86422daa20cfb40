"""What is asked of the launcher for the runs of a plan."""

import time
from collections.abc import Sequence
from pathlib import Path

from scaling_study.launch.local.process import ORPHAN_GRACE_S
from scaling_study.launch.options import LauncherConfig
from scaling_study.launch.slots import Slot, slots_for
from scaling_study.planning.plan import Planned
from scaling_study.study.active_sweep import was_killed
from scaling_study.study.store import Store


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
