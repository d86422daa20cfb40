"""From a plan to outcomes: the launcher that the settings name, with what a sweep needs of it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch import inline
from scaling_study.launch.code_snapshot import refuse_dirty
from scaling_study.launch.job import Job, finish_uploads
from scaling_study.launch.local import pool
from scaling_study.launch.options import LauncherConfig
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import Slot
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.launcher import SubmittedRuns
from scaling_study.launch.stop_signals import Stop
from scaling_study.planning.plan import Planned
from scaling_study.study.active_sweep import recorded


def check(execution: ExecutionConfig, launcher: LauncherConfig) -> None:
    """Refuse what could not be launched, before anything is written.

    Raises:
        InputError: no SLURM here, or uncommitted changes that are not to be submitted.
    """
    if launcher.cluster is None:
        return
    if not commands.available():
        raise InputError(
            "launcher=slurm: no SLURM here (squeue and sbatch are not on PATH); "
            "launcher=local runs on this machine"
        )
    refuse_dirty(execution, launcher.cluster.allow_dirty)


def launch(
    rows: Sequence[Planned],
    execution: ExecutionConfig,
    launcher: LauncherConfig,
    study_dir: Path,
    slots: Sequence[Slot],
    stop: Stop,
) -> Iterator[Outcome]:
    """Outcomes of the runs of `rows` as they come; none of those that are left in a queue."""
    jobs = [Job(row.run, execution) for row in rows]
    with recorded(study_dir, len(slots)):
        if launcher.name == "slurm":
            batch = SubmittedRuns(rows, execution, launcher, study_dir, stop)
            batch.submit()
            if launcher.waits_for_runs:
                yield from batch.wait()
        elif launcher.name == "local":
            yield from pool.launch(jobs, slots, launcher.policy, stop)
        else:
            yield from inline.launch(jobs, stop)
    if launcher.cluster is None and len(stop.reasons) < 2:  # asked twice, nothing is waited for
        finish_uploads(jobs)
