"""From runs to sbatch: classes of resources, arrays within the site's limits, frozen code."""

import io
import re
import shlex
import sys
import time
import uuid
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from scaling_study.common import environment
from scaling_study.common.errors import InputError
from scaling_study.launch.base import SchedulerError
from scaling_study.launch.code_snapshot import Snapshot
from scaling_study.launch.job import Request
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.config import SlurmOptions
from scaling_study.launch.slurm.own_folders import own_jobs_folder
from scaling_study.launch.slurm.resource_classes import Bundle, Resources, classes
from scaling_study.launch.slurm.worker import Worker
from scaling_study.launch.submissions import Submission, Submissions

# In sbatch's message where the site's limit of submitted jobs is reached: AssocMaxSubmitJobLimit,
# QOSMaxSubmitJobPerUserLimit, AssocGrpSubmitJobsLimit and their like.
FULL = re.compile(r"SubmitJobs?\w*Limit")
# Begins the lines of sbatch's message.
PREFIX = re.compile(r"^sbatch: (error|fatal): ")
# In sbatch's message if no node is left to run a job.
NO_NODE = "node configuration is not available"
# In sbatch's message where a limit is enforced at once, as with a QOS that has DenyOnLimit.
POLICY = "violates accounting/QOS policy"
# Jobs of one resource class.
Array = tuple[Resources, Sequence[Bundle]]


class FullError(SchedulerError):
    """The site lets this user submit no such number of jobs now."""


@dataclass(frozen=True)
class Submitter:
    """Submits runs of the study in `study_dir` as jobs that run the code in `snapshot`."""

    study_dir: Path
    options: SlurmOptions
    snapshot: Snapshot

    def submit(self, requests: Sequence[Request], avoid: Sequence[str]) -> Iterator[Submission]:
        """Submit as many as the site's limits allow, on other nodes than `avoid`, as recorded.

        Raises an InputError for a request that makes no sense, or that the site refuses.
        """
        name, limit = uuid.uuid4().hex[:12], self.options.max_submit
        try:
            largest = self.options.max_array or commands.max_array_size()
            room = sys.maxsize if limit is None else max(0, limit - commands.my_queued_jobs())
            arrays = deque(arrays_of(classes(requests, self.options), largest, room))
            while arrays:
                resources, bundles = array = arrays.popleft()
                try:
                    job = self._place(array, name, avoid)
                except FullError:
                    if len(bundles) == 1:
                        return
                    half = len(bundles) // 2
                    arrays.extendleft([(resources, bundles[half:]), (resources, bundles[:half])])
                    continue
                yield self._record(array, name, job)
        except SchedulerError as error:
            raise InputError(f"launcher=slurm: {error}") from None

    def _record(self, array: Array, name: str, job: str) -> Submission:
        resources, bundles = array
        submission = Submission(
            submission=name,
            job=job,
            submitted=time.time(),
            runs=tuple(tuple(one.run.run_id for one in bundle) for bundle in bundles),
            resources=asdict(resources)
            | {"max_running": self.options.max_running, "slots": self.options.slots_in_job},
            snapshot=str(self.snapshot.folder),
            git_commit=bundles[0][0].execution.git_commit,
        )
        Submissions(self.study_dir).add(submission)
        for task, bundle in zip(submission.tasks(), bundles, strict=True):
            for one in bundle:
                one.store.enqueue(one.run.run_id, task)
        return submission

    def _place(self, array: Array, name: str, avoid: Sequence[str]) -> str:
        """SLURM's id of the array of these jobs, on any node if no other than `avoid` fits."""
        from submitit.core.utils import FailedJobError

        from scaling_study.launch.slurm.executor import OwnExecutor

        resources, bundles = array
        folder, code = own_jobs_folder(self.study_dir), self.snapshot.folder
        executor = OwnExecutor(folder, self.snapshot, self.options.python)
        asked = parameters(resources, self.options, self.study_dir.name, code, avoid)
        executor.update_parameters(**asked)
        workers = [
            Worker(
                jobs=bundle,
                submission=name,
                study_dir=str(self.study_dir.resolve()),
                gpus=resources.gpus,
                ranks=resources.tasks * resources.nodes,
                options=self.options,
            )
            for bundle in bundles
        ]
        printed = io.StringIO()  # submitit prints the message of its error as well
        try:
            clean = environment.replaced(environment.of_submission(_options(asked)))
            with clean, redirect_stdout(printed), redirect_stderr(printed):
                jobs = executor.map_array(_call, workers)
        except FailedJobError as error:
            if avoid and NO_NODE in str(error):
                print(f"no other node fits: {', '.join(avoid)} used all the same", flush=True)
                return self._place(array, name, ())
            kind = FullError if FULL.search(f"{error}") else SchedulerError
            asked_for = f"; {_in_words(resources)}" if POLICY in str(error) else ""
            raise kind(f"sbatch: {_in_a_line(str(error))}{asked_for}") from None
        return str(jobs[0].job_id).partition("_")[0]


def _in_words(asked: Resources) -> str:
    """What a job that the site's limits refuse has asked for, and what asks for less."""
    cpus, gpus = asked.cpus * asked.tasks * asked.nodes, asked.gpus * asked.nodes
    return (
        f"a job asked for {asked.time_min} min, {asked.memory_gb} GB on each of {asked.nodes} "
        f"nodes, {cpus} CPUs and {gpus} GPUs; launcher.time_min, memory_gb_per_run, cpus, "
        "gpus_per_run or another launcher.qos change that"
    )


def _in_a_line(message: str) -> str:
    """sbatch's lines one after the other, those of the site's own first, without its name."""
    lines = (line.strip() for line in message.splitlines())
    return "; ".join(PREFIX.sub("", line) for line in lines if line)


def _options(asked: Mapping[str, Any]) -> set[str]:
    """Names of sbatch's options that submitit's parameters set."""
    more = asked["additional_parameters"]
    return {name for name, value in (asked | more).items() if value is not None}


def _call(worker: Worker) -> None:
    """What a job runs: what is not frozen is still found in the folder of the submission."""
    sys.path.append(str(Path.cwd()))
    worker()


def arrays_of(
    alike: Mapping[Resources, Sequence[Bundle]], largest: int, room: int
) -> Iterator[Array]:
    """Arrays of at most `largest` tasks, and `room` tasks in all; the longest jobs come first."""
    for resources in sorted(alike, reverse=True):
        bundles = alike[resources]
        for first in range(0, len(bundles), largest):
            if chunk := bundles[first : first + largest][:room]:
                room -= len(chunk)
                yield resources, chunk


def parameters(
    resources: Resources, options: SlurmOptions, study: str, snapshot: Path, avoid: Sequence[str]
) -> dict[str, Any]:
    """submitit's parameters for jobs of one class."""
    gpus = resources.gpus
    exclude = ",".join([*filter(None, [options.exclude]), *avoid])
    # --mail-type=FAIL and the like.
    extra = [line.removeprefix("--").partition("=") for line in options.lines]
    own = {} if any(name == "no-requeue" for name, *_ in extra) else {"requeue": True}
    path = f"export PYTHONPATH={shlex.quote(str(snapshot))}${{PYTHONPATH:+:$PYTHONPATH}}"
    return {
        "job_name": commands.job_name(study),
        "time": resources.time_min,
        "mem": f"{resources.memory_gb}GB",
        "nodes": resources.nodes,
        "ntasks_per_node": resources.tasks,
        "cpus_per_task": resources.cpus,
        "gpus_per_node": gpus if gpus and not options.gres else None,
        "gres": f"{options.gres}:{gpus}" if gpus and options.gres else None,
        **{name: getattr(options, name) for name in ("partition", "account", "qos", "constraint")},
        "exclude": exclude or None,
        "exclusive": True if options.whole_node else None,
        "array_parallelism": options.max_running,
        "signal_delay_s": options.notice_s,
        "stderr_to_stdout": True,
        "additional_parameters": own
        | {name: value if equals else True for name, equals, value in extra},
        "setup": [
            # Since 22.05 srun no longer takes this from the job.
            "export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK",
            # Our processes need this script's environment, whatever of it the job was given.
            "export SLURM_EXPORT_ENV=ALL",
            *options.setup,
            path,
            # Else `python -m` puts the folder of the submission first, whose code may have changed.
            "export PYTHONSAFEPATH=1",
        ],
        "srun_args": ["--kill-on-bad-exit=1", *options.srun],
    }
