"""Runs that are given to SLURM: within its limits, settled when jobs are gone, and waited for."""

import select
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.code_snapshot import freeze
from scaling_study.launch.job import Job
from scaling_study.launch.options import LauncherConfig
from scaling_study.launch.outcome import Outcome, RepeatedError
from scaling_study.launch.request import Request
from scaling_study.launch.slurm.reconcile import look, record_lost_runs
from scaling_study.launch.slurm.requeue import avoided
from scaling_study.launch.slurm.sbatch import Submitter
from scaling_study.launch.slurm.submissions import Ledger, Submission
from scaling_study.launch.stop_signals import Stop
from scaling_study.planning.plan import Planned
from scaling_study.study.store import Store

# How often files are looked at, and the scheduler is asked, while a sweep waits for its jobs.
LOOK_S, ASK_S = 2, 30
# What a process on a CPU holds beside the tensors of its run: Python and torch.
PROCESS_BYTES = 600_000_000


def standing(rows: Sequence[Planned], store: Store, study_dir: Path) -> list[Planned]:
    """The plan with the states of runs that SLURM has: asks it once, if any run was given to it."""
    view = look(store, [row.run.run_id for row in rows])
    return [replace(row, state=view.runs[row.run.run_id].state) for row in rows]


def settled(rows: Sequence[Planned], store: Store, study_dir: Path) -> list[Planned]:
    """The same, and what became of jobs that are gone is written down."""
    view = look(store, [row.run.run_id for row in rows], told={})
    record_lost_runs(view, {row.run.run_id: row.run for row in rows}, store, study_dir / "jobs")
    states = {r: store.state(r) if seen.gone else seen.state for r, seen in view.runs.items()}
    return [replace(row, state=states[row.run.run_id]) for row in rows]


class SubmittedRuns:
    """The runs of one call of the sweep; whatever it submits, and when, runs the same code."""

    def __init__(
        self,
        rows: Sequence[Planned],
        execution: ExecutionConfig,
        launcher: LauncherConfig,
        study_dir: Path,
        stop: Stop,
    ) -> None:
        assert launcher.cluster is not None
        self._execution = replace(
            execution,
            results_dir=str(Path(execution.results_dir).resolve()),
            cache_dir=str(Path(execution.cache_dir).resolve()),
        )
        self._rows = {row.run.run_id: row for row in rows}
        self._store = Store(Path(execution.results_dir))
        self._study_dir, self._stop, self._policy = study_dir, stop, launcher.policy
        self._submitter = Submitter(
            study_dir,
            launcher.cluster,
            launcher.policy,
            launcher.slots_in_job,
            launcher.slots_per_gpu,
            launcher.threads,
            freeze(self._execution, Path(execution.results_dir) / "snapshots"),
        )
        # Runs that this call has submitted, and how often each again after which cause.
        self._given, self._retried = set[str](), Counter[tuple[str, str | None]]()
        # What has been said already.
        self._without_room, self._refused, self._avoided = 0, "", set[str]()

    def submit(self) -> None:
        """Submit the runs, as many as the limits allow.

        Raises:
            InputError: see `Submitter.submit`.
        """
        self._submit(list(self._rows.values()))

    def wait(self) -> Iterator[Outcome]:
        """Outcomes as files show them; what may be tried again, or had no room, is submitted.

        Raises:
            RepeatedError: the first runs failed alike, and their jobs have cancelled the others.
            InputError: what is left is refused, and no job of this call is in the queue.
        """
        left, asked = dict(self._rows), time.monotonic()
        while left and not self._stop.reasons:
            select.select([self._stop], [], [], LOOK_S)
            if time.monotonic() - asked > ASK_S and not self._stop.reasons:
                self._ask(list(left.values()))
                asked = time.monotonic()
            if reason := Ledger(self._study_dir).stop_reason():
                raise RepeatedError(reason)
            for run_id in list(left):
                if (outcome := self._ended(left[run_id])) is not None:
                    del left[run_id]
                    yield outcome

    def _ended(self, row: Planned) -> Outcome | None:
        """The outcome of a run for which this call does nothing more."""
        run_id, outcome = row.run.run_id, Job(row.run, self._execution).outcome()
        if outcome.status in ("running", "queued", "stopped"):
            return None
        if outcome.status not in ("planned", "failed"):
            return outcome
        if run_id not in self._given:
            return None  # what is known of it is from before: it still waits for room
        if outcome.status == "planned":
            cancelled = self._store.job(run_id).get("cause") == "cancelled"
            return replace(outcome, cause="cancelled") if cancelled else None
        allowed = self._policy.retry.get(outcome.cause or "", 0)
        return outcome if self._retried[run_id, outcome.cause] >= allowed else None

    def _ask(self, rows: Sequence[Planned]) -> None:
        """Settle what is gone, and submit what nobody has: again, or because there is room now."""
        now = settled(rows, self._store, self._study_dir)
        again = [r for r in now if r.state in ("planned", "failed") and self._ended(r) is None]
        if not again:
            return
        outcomes = [Job(row.run, self._execution).outcome() for row in again]
        causes = {o.run_id: o.cause for o in outcomes if o.status == "failed"}
        retries = {r: cause for r, cause in causes.items() if r in self._given}
        try:
            done = self._submit(again)
        except InputError as error:
            if not any(row.state in ("queued", "running") for row in now):
                raise
            # A controller that is away, or a limit that the jobs in the queue reach.
            if self._refused != (refused := str(error)):
                print(f"not submitted yet: {refused}", flush=True)
            self._refused = refused
            return
        self._retried.update((run_id, retries[run_id]) for run_id in done if run_id in retries)

    def _submit(self, rows: Sequence[Planned]) -> set[str]:
        """The runs of these for which there was room."""
        attempts = {row.run.run_id: self._store.attempts(row.run.run_id) for row in rows}
        requests = [self._request(row, attempts[row.run.run_id]) for row in rows]
        bad = avoided((one for found in attempts.values() for one in found), time.time())
        for node in bad.keys() - self._avoided:
            print(f"avoiding {node}: {bad[node]}", flush=True)
        self._avoided |= bad.keys()
        done = set[str]()
        for submission in self._submitter.submit(requests, list(bad)):
            done |= {run_id for group in submission.runs for run_id in group}
            self._given |= done
            print(_described(submission), flush=True)
            if self._stop.reasons:
                return done
        without_room = len(rows) - len(done)
        if without_room not in (0, self._without_room):
            print(
                f"{without_room} runs wait for room in the queue: launcher.max_submit, "
                "or the site's limit of submitted jobs",
                flush=True,
            )
        self._without_room = without_room
        return done

    def _request(self, row: Planned, attempts: Sequence[Mapping[str, Any]]) -> Request:
        return Request(
            Job(row.run, self._execution),
            row.forecast_s,
            row.cost.memory_bytes + PROCESS_BYTES if row.run.device == "cpu" else None,
            Counter(a["cause"] for a in attempts if a.get("cause")),
        )


def _described(submission: Submission) -> str:
    asked = submission.resources
    n = sum(len(group) for group in submission.runs)
    return (
        f"job {submission.job}: {n} runs in {len(submission.runs)} jobs of "
        f"{asked['time_min']} min, {asked['memory_gb']} GB, {asked['cpus']} CPUs, "
        f"{asked['gpus']} GPUs on {asked['nodes']} nodes; "
        f"code {Path(submission.snapshot).name}"
    )
