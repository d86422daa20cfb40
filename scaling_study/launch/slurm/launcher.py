"""`launcher=slurm`: runs are submitted within the site's limits, retried, and waited for."""

import select
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.base import Launch, Launcher
from scaling_study.launch.code_snapshot import freeze, refuse_dirty
from scaling_study.launch.job import Request
from scaling_study.launch.lost_runs import record_lost_runs
from scaling_study.launch.outcome import Outcome, RepeatedError
from scaling_study.launch.slots import Slot
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.config import SlurmOptions
from scaling_study.launch.slurm.host import memory_of
from scaling_study.launch.slurm.own_folders import snapshots_folder
from scaling_study.launch.slurm.preview import scripts
from scaling_study.launch.slurm.reconcile import look
from scaling_study.launch.slurm.requeue import avoided
from scaling_study.launch.slurm.sbatch import Submitter
from scaling_study.launch.submissions import Submissions
from scaling_study.study.parents import BLOCKED

# How often files are read, and SLURM is asked, while a sweep waits for its jobs.
LOOK_S, ASK_S = 2, 30


def check(options: SlurmOptions, execution: ExecutionConfig) -> None:
    """Raise an InputError without SLURM here, or for uncommitted changes, unless allowed."""
    if not commands.available():
        raise InputError(
            "launcher=slurm: no SLURM here (squeue and sbatch are not on PATH); "
            "launcher=local runs on this machine"
        )
    refuse_dirty(execution, options.allow_dirty)


def slots(options: SlurmOptions, requests: Sequence[Request]) -> list[Slot]:
    """Places in the jobs that may run at the same time."""
    n = min(options.max_running * options.slots_in_job, max(1, len(requests)))
    return [Slot(f"job{index}", {}) for index in range(n)]


def launch(call: Launch) -> Iterator[Outcome]:
    """Submit the runs that can start; with `wait` also retry them, and yield outcomes as they come.

    A run that starts from others is submitted once those have ended: by the sweep that waits, or by
    the next one.
    """
    requests, runs = [_with_whole_paths(one) for one in call.requests], SubmittedRuns(call)
    if ready := [one for one in requests if not one.job.blocked_by()]:
        runs.submit(ready)
    if call.options.wait:
        yield from runs.wait(requests)


def preview(options: SlurmOptions, requests: Sequence[Request], study_dir: Path) -> Iterator[str]:
    """The batch script of each array, without SLURM; attempts before count as they will."""
    jobs = [_for_host(one, one.job.store.attempts(one.job.run.run_id), options) for one in requests]
    return scripts(jobs, options, study_dir)


LAUNCHER = Launcher(
    name="slurm",
    options=SlurmOptions,
    launch=launch,
    slots=slots,
    check=check,
    leaves_jobs=True,
    look=look,
    cancel=commands.cancel,
    preview=preview,
    advice={
        "host_memory": "the same command asks for twice the memory; launcher.memory_gb_per_run "
        "sets that of a run",
        "timeout": "the same command asks for twice the time; launcher.time_min sets it",
    },
)


class SubmittedRuns:
    """The runs of one call of the sweep; whatever it submits, and when, runs the same code."""

    def __init__(self, call: Launch) -> None:
        execution, self._store = call.jobs[0].execution, call.jobs[0].store
        self._study_dir, self._stop, self._retry = call.study_dir, call.stop, call.options.retry
        runs = [job.run for job in call.jobs]
        snapshot = freeze(execution, snapshots_folder(Path(execution.results_dir)), runs)
        self._submitter = Submitter(call.study_dir, call.options, snapshot)
        # Runs submitted by this call, and the number of retries for each (run, cause).
        self._submitted, self._retried = set[str](), Counter[tuple[str, str | None]]()
        # What has been printed already.
        self._without_room, self._refused, self._avoided = 0, "", set[str]()

    def wait(self, requests: Iterable[Request]) -> Iterator[Outcome]:
        """Outcomes as files show them; runs to retry, and those that waited, are submitted.

        Raises:
            RepeatedError: the first runs failed alike, and their jobs have cancelled the others.
            InputError: what is left is refused, and no job of this call is in the queue.
        """
        left = {request.job.run.run_id: request for request in requests}
        asked = time.monotonic()
        while left and not self._stop.reasons:
            select.select([self._stop], [], [], LOOK_S)
            if time.monotonic() - asked > ASK_S and not self._stop.reasons:
                self._resubmit(left)
                asked = time.monotonic()
            if reason := Submissions(self._study_dir).stop_reason():
                raise RepeatedError(reason)
            for run_id in list(left):
                if (outcome := self._ended(left[run_id], left)) is not None:
                    del left[run_id]
                    yield outcome

    def _ended(self, request: Request, left: Collection[str]) -> Outcome | None:
        """The outcome of a run for which this call, with those `left`, does nothing more."""
        run_id, outcome = request.job.run.run_id, request.job.outcome()
        if outcome.status == BLOCKED:
            return None if self._wait_for(request.job.run.parents, left) else outcome
        if outcome.status in ("running", "queued", "stopped"):
            return None
        if outcome.status not in ("planned", "failed"):
            return outcome
        if run_id not in self._submitted:
            return None  # what is known of it is from before: it still waits for room
        if outcome.status == "planned":
            cancelled = self._store.job(run_id).get("cause") == "cancelled"
            return replace(outcome, cause="cancelled") if cancelled else None
        allowed = self._retry.get(outcome.cause or "", 0)
        return outcome if self._retried[run_id, outcome.cause] >= allowed else None

    def _wait_for(self, parents: Sequence[str], left: Collection[str]) -> bool:
        """Whether one of these runs is yet to end."""
        return any(p in left or self._store.state(p) in ("queued", "running") for p in parents)

    def _resubmit(self, left: Mapping[str, Request]) -> None:
        """Record lost runs, and submit those that no job has: to retry, or with room now."""
        runs = {run_id: request.job.run for run_id, request in left.items()}
        view = look(self._store, [*left], self._study_dir, {})
        states = record_lost_runs(view, runs, self._store)
        free = [left[r] for r, state in states.items() if state in ("planned", "failed")]
        open_ = [request for request in free if self._ended(request, left) is None]
        again = [request for request in open_ if not request.job.blocked_by()]
        if not again:
            return
        outcomes = [request.job.outcome() for request in again]
        causes = {o.run_id: o.cause for o in outcomes if o.status == "failed"}
        retries = {r: cause for r, cause in causes.items() if r in self._submitted}
        try:
            done = self.submit(again)
        except InputError as error:
            if not {"queued", "running"} & {*states.values()}:
                raise
            # A controller that is away, or a limit that the jobs in the queue reach.
            if self._refused != (refused := str(error)):
                print(f"not submitted yet: {refused}", flush=True)
            self._refused = refused
            return
        self._retried.update((run_id, retries[run_id]) for run_id in done if run_id in retries)

    def submit(self, requests: Sequence[Request]) -> set[str]:
        """Submit the runs as `Submitter.submit` does; the ids of those for which there was room.

        Runs that another call has submitted meanwhile are left to it.
        """
        with self._store.submitting():
            states = {one.job.run.run_id: self._store.state(one.job.run.run_id) for one in requests}
            free = [one for one in requests if states[one.job.run.run_id] in ("planned", "failed")]
            if others := len(requests) - len(free):
                print(f"{others} runs were submitted by another call meanwhile", flush=True)
            return self._submit(free)

    def _submit(self, requests: Sequence[Request]) -> set[str]:
        attempts = [self._store.attempts(request.job.run.run_id) for request in requests]
        bad = avoided((one for found in attempts for one in found), time.time())
        for node in bad.keys() - self._avoided:
            print(f"avoiding {node}: {bad[node]}", flush=True)
        self._avoided |= bad.keys()
        done = set[str]()
        pairs = zip(requests, attempts, strict=True)
        jobs = [_for_host(one, found, self._submitter.options) for one, found in pairs]
        for submission in self._submitter.submit(jobs, list(bad)):
            done |= {run_id for group in submission.runs for run_id in group}
            self._submitted |= done
            asked, n = submission.resources, sum(map(len, submission.runs))
            print(
                f"job {submission.job}: {n} runs in {len(submission.runs)} jobs of "
                f"{asked['time_min']} min, {asked['memory_gb']} GB, {asked['cpus']} CPUs, "
                f"{asked['gpus']} GPUs on {asked['nodes']} nodes; "
                f"code {Path(submission.snapshot).name}",
                flush=True,
            )
            if self._stop.reasons:
                return done
        without_room = len(requests) - len(done)
        if without_room not in (0, self._without_room):
            print(
                f"{without_room} runs wait for room in the queue: launcher.max_submit, "
                "or the site's limit of submitted jobs",
                flush=True,
            )
        self._without_room = without_room
        return done


def _with_whole_paths(request: Request) -> Request:
    """The request for a job that starts in another folder."""
    execution = request.job.execution
    results, cache = (str(Path(p).resolve()) for p in (execution.results_dir, execution.cache_dir))
    whole = replace(execution, results_dir=results, cache_dir=cache)
    return replace(request, job=replace(request.job, execution=whole))


def _for_host(
    request: Request, attempts: Sequence[Mapping[str, object]], options: SlurmOptions
) -> Request:
    """The request with its memory on the host, and the causes of its earlier attempts."""
    return replace(
        request,
        memory_bytes=memory_of(request, options),
        failures=Counter(str(a["cause"]) for a in attempts if a.get("cause")),
    )
