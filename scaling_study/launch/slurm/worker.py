"""What a SLURM job does: the local pool in its allocation, or one rank of a run on several GPUs.

submitit starts the call again from its pickle whenever SLURM starts the job again. Nothing is
carried over but files: finished runs are skipped, others continue from their checkpoints. So none
of submitit's own checkpoint protocol is used, and its signal handlers are replaced.
"""

import math
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from scaling_study.common.device import visible_gpus
from scaling_study.common.ranks import leave_if_of_several, world_of
from scaling_study.launch.base import SchedulerError
from scaling_study.launch.job import Job, finish_uploads
from scaling_study.launch.local import pool
from scaling_study.launch.local.process import limited, print_to_log
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import cpu_slots, gpu_slots
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm.config import SlurmOptions
from scaling_study.launch.slurm.requeue import requeue, why_noticed, why_restarted
from scaling_study.launch.stop_signals import Stop, listen, requested_by
from scaling_study.launch.submissions import Submissions
from scaling_study.study.claims import JOB_VARIABLE, RESTART_VARIABLE, cancelled_in_this_job
from scaling_study.study.result import FINISHED

# USR2 is the notice before the time limit or a preemption: SLURM does not start the job again by
# itself. After TERM it does (requeue, preemption), or must not (scancel).
NOTICE, TERM = "preempted", "interrupted"
SIGNALS = {signal.SIGUSR2: NOTICE, signal.SIGTERM: TERM}
# What a pool does not try again in place: it takes another node, or more memory.
ELSEWHERE = ("node", "host_memory", "preempted")
# A job's processes end with it, so W&B takes the rest before: after a notice, within this of the
# time that is left for the requeue.
STOPPED_UPLOADS_S = 10


@dataclass(frozen=True)
class Worker:
    """The runs of one job. `ranks` processes share its only run if there are several."""

    jobs: tuple[Job, ...]
    submission: str
    study_dir: str
    gpus: int
    ranks: int
    options: SlurmOptions

    def __call__(self) -> None:
        """Train what is missing of the runs; requeue the job if it is asked to stop before."""
        # As squeue writes the job's id.
        array, task = map(os.environ.get, ("SLURM_ARRAY_JOB_ID", "SLURM_ARRAY_TASK_ID"))
        os.environ[JOB_VARIABLE] = f"{array}_{task}" if array else os.environ["SLURM_JOB_ID"]
        os.environ[RESTART_VARIABLE] = os.environ.get("SLURM_RESTART_COUNT", "0")
        submissions = Submissions(Path(self.study_dir))
        if submissions.stopped(self.submission):
            self._leave(None)
        elif self.ranks > 1:
            listen(SIGNALS)
            self._together(submissions, first=os.environ.get("SLURM_PROCID") == "0")
            # No rank that aborts may take down one that still writes: srun ends all of them then.
            leave_if_of_several(0)
        else:
            self._explain_restart()
            with requested_by(SIGNALS, patient=True) as stop:
                self._pool(stop, submissions)

    def _together(self, submissions: Submissions, first: bool) -> None:
        """Train the only run with the other ranks; the `first` one also handles what follows."""
        if first:
            self._explain_restart()
            print_to_log(self.jobs[0])
        if not self._unfinished():
            return
        with limited(self.options):
            outcome = self.jobs[0](world_of(os.environ))
        if not first:
            return
        finish_uploads(self.jobs, STOPPED_UPLOADS_S if outcome.status == "stopped" else math.inf)
        if (outcome.status, outcome.cause) == ("stopped", NOTICE):
            self._requeue(None, by_slurm=False)
        elif outcome.status == "failed" and not self._gives_up(outcome, submissions):
            # What a pool would try again in place takes a new start of all ranks.
            self._requeue(outcome.cause or "error", by_slurm=False)

    def _pool(self, stop: Stop, submissions: Submissions) -> None:
        jobs, n = self._unfinished(), min(self.options.slots_in_job, len(self.jobs))
        per_gpu = self.options.slots_per_gpu
        slots = gpu_slots(visible_gpus(), per_gpu)[:n] if self.gpus else cpu_slots(n)
        if not slots:
            self._blame_node(jobs)
            return
        retry = {c: n for c, n in self.options.retry.items() if c not in ELSEWHERE}
        # The submissions see the first runs of all jobs, the pool only those of this one.
        policy = replace(self.options, retry=retry, stop_after_same_error=0)
        bad_node = False
        for outcome in pool.launch(jobs, slots, policy, stop):
            print(f"{outcome.run_id} {outcome.status} {outcome.error or ''}", flush=True)
            if outcome.cause == "node" and not stop.reasons:
                bad_node = True
                stop.request(NOTICE)
            elif self._gives_up(outcome, submissions):
                stop.request(TERM)
        finish_uploads(self.jobs, STOPPED_UPLOADS_S if stop.reasons else math.inf)
        if NOTICE in stop.reasons:
            self._requeue("node" if bad_node else None, by_slurm=TERM in stop.reasons)
        elif stop.reasons:
            self._leave("preempted" if not submissions.stopped(self.submission) else None)

    def _blame_node(self, jobs: Sequence[Job]) -> None:
        """No GPU of the allocation can be seen here: another node may have one."""
        message = f"no GPU is visible on {os.environ.get('SLURMD_NODENAME')}"
        print(message, flush=True)
        for job in jobs:
            with job.store.claim(job.run.run_id) as claim:
                if claim is not None:
                    claim.cause = "node"
                    job.write_failure(message, "node", claim)
        self._requeue("node", by_slurm=False)

    def _unfinished(self) -> list[Job]:
        return [
            job
            for job in self.jobs
            if job.store.state(job.run.run_id) not in FINISHED
            and not cancelled_in_this_job(job.store.job(job.run.run_id))
            and not self._exhausted(job)
        ]

    def _exhausted(self, job: Job) -> bool:
        """Whether the run has failed in this job, and is not to be tried again in it."""
        causes = self._causes(job)
        if not causes or job.store.state(job.run.run_id) != "failed":
            return False
        cause = causes[-1]
        allowed = 0 if cause == "host_memory" else self.options.retry.get(cause or "error", 0)
        return causes.count(cause) > allowed

    def _causes(self, job: Job) -> list[str | None]:
        """What ended the run's attempts in this job."""
        attempts = job.store.attempts(job.run.run_id)
        return [a.get("cause") for a in attempts if a.get("job") == os.environ[JOB_VARIABLE]]

    def _explain_restart(self) -> None:
        """Record what ended the start before this one, for runs that could not do so themselves."""
        job = os.environ[JOB_VARIABLE]
        for one in self.jobs:
            run_id, store = one.run.run_id, one.store
            note = store.job(run_id)
            silent = "pid" in note and "ended" not in note and store.state(run_id) != "running"
            if silent and note.get("job") == job:
                *earlier, last = store.attempts(run_id)
                store.end(run_id, why_restarted(job, last.get("node"), earlier))

    def _gives_up(self, outcome: Outcome, submissions: Submissions) -> bool:
        """Whether, with this outcome, the submission stops; its jobs that wait are cancelled."""
        if outcome.status != "failed":
            return False
        if not submissions.repeated_error(self.submission, self.jobs[0].store, self.options):
            return False
        jobs = submissions.jobs(self.submission)
        try:
            commands.cancel(jobs, Path(self.study_dir).name, pending_only=True)
        except SchedulerError as error:
            print(f"cancel: {error}", flush=True)  # they find out when they start
        return True

    def _requeue(self, cause: str | None, by_slurm: bool) -> None:
        """Queue the job again for the unfinished runs, on other nodes if this one broke.

        `cause`: what ended this start; None after a notice.
        """
        job, again = os.environ[JOB_VARIABLE], []
        cause = cause or why_noticed(job, self.options.notice_s)
        for one in self._unfinished():
            run_id, store, causes = one.run.run_id, one.store, self._causes(one)
            if causes and causes[-1] in ("preempted", "interrupted"):
                store.end(run_id, cause)
                causes[-1] = cause
            if causes.count(cause) > self.options.retry.get(cause, 0):
                one.write_failure(f"ended by {cause} {causes.count(cause)} times", cause)
            else:
                store.enqueue(run_id, job)
                again.append(one)
        if by_slurm or not again:
            return
        try:
            requeue(job, os.environ.get("SLURMD_NODENAME") if cause == "node" else None)
        except SchedulerError as error:
            # SLURM requeues a preempted job itself; otherwise the next call of the sweep submits.
            print(f"requeue: {error}", flush=True)

    def _leave(self, cause: str | None) -> None:
        """Give the unfinished runs back: SLURM itself or the next call decides about them."""
        for job in self._unfinished():
            if job.store.state(job.run.run_id) in ("queued", "planned"):
                job.store.end(job.run.run_id, cause)
