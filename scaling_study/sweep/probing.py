"""Probes on this machine, whatever launches the sweep: each in a process and a slot of its own."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from scaling_study.common.device import visible_gpus
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.launch import probe
from scaling_study.launch.job import Job
from scaling_study.launch.local import pool
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import slots_for
from scaling_study.planning.draft import Probe

NO_GPU = (
    "plan.probe=true: no GPU is visible here; where a cluster has them, put srun with a GPU before "
    "this command with dry_run=true (cache_dir must be shared), as in srun --gpus=1 python -m "
    "scaling_study.sweep … plan.probe=true dry_run=true; or submit a small grid first: "
    "its runs are measurements too"
)


def in_pool(execution: ExecutionConfig, options: LauncherOptions) -> Probe:
    """Probes by the pool of this machine.

    Raises:
        InputError: several processes will train a run, and a probe is one; or, once it launches,
            a probe needs a GPU that is not here.
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
