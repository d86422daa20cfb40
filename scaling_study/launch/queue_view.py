"""What a scheduler says about the runs of a study."""

from collections.abc import Mapping
from dataclasses import dataclass

from scaling_study.launch.slurm.commands import ArrayTask


@dataclass(frozen=True)
class RunInQueue:
    """A run's state now, and its job if SLURM has one for it, or had: then it is gone."""

    state: str
    job: str | None = None
    task: ArrayTask | None = None
    gone: bool = False


@dataclass(frozen=True)
class QueueView:
    """Standing of every run, and whether the scheduler was asked and answered (None: no need).

    It counts as silent as well while accounting may yet tell what became of a job.
    """

    runs: Mapping[str, RunInQueue]
    answered: bool | None
