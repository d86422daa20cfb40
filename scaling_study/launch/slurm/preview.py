"""The batch scripts of a plan, as they would be submitted: nothing is, and no SLURM is needed."""

import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from scaling_study.launch.base import SchedulerError
from scaling_study.launch.job import Request
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.config import SlurmOptions
from scaling_study.launch.slurm.own_folders import jobs_folder
from scaling_study.launch.slurm.resource_classes import classes
from scaling_study.launch.slurm.sbatch import arrays_of, parameters

# Runs of an array that are named.
NAMED = 3
# Of the frozen code, which is there once jobs are submitted.
SNAPSHOT = "SNAPSHOT"


def scripts(requests: Sequence[Request], options: SlurmOptions, study_dir: Path) -> Iterator[str]:
    """Each array's runs, and its script line by line."""
    from submitit.slurm.slurm import _make_sbatch_string

    folder = jobs_folder(study_dir)
    python = options.python or shlex.quote(sys.executable)
    # The real one also has the digests of what it runs, and the program that checks them.
    command = f"{python} -u -m scaling_study.launch.slurm.start {shlex.quote(str(folder))}"
    room = sys.maxsize if options.max_submit is None else options.max_submit
    for resources, bundles in arrays_of(classes(requests, options), _largest(options), room):
        runs = [job.run.run_id for bundle in bundles for job in bundle]
        more = ", …" if len(runs) > NAMED else ""
        yield ""
        yield f"# array of {len(bundles)} jobs, {len(runs)} runs: {', '.join(runs[:NAMED])}{more}"
        asked = parameters(resources, options, study_dir.name, Path(SNAPSHOT), ())
        yield from _make_sbatch_string(
            command, folder, map_count=len(bundles), **asked
        ).splitlines()


def _largest(options: SlurmOptions) -> int:
    """Tasks of an array: as the controller says, if there is one here."""
    if options.max_array is not None:
        return options.max_array
    try:
        return commands.max_array_size()
    except SchedulerError:
        return commands.DEFAULT_ARRAY
