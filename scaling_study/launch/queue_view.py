"""What a scheduler says about the runs of a study."""

from collections.abc import Mapping
from dataclasses import dataclass

from scaling_study.launch.slurm.commands import Task


@dataclass(frozen=True)
class Standing:
    """A run's state now, and its job if SLURM has one for it, or had: then it is gone."""

    state: str
    job: str | None = None
    task: Task | None = None
    gone: bool = False


@dataclass(frozen=True)
class View:
    """Standing of every run, and whether the scheduler was asked and answered (None: no need).

    It counts as silent as well while accounting may yet tell what became of a job.
    """

    runs: Mapping[str, Standing]
    answered: bool | None
