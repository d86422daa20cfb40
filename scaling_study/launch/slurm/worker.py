"""What a SLURM job does: the local pool in its allocation, or one rank of a run on several GPUs.

submitit starts the call again from its pickle whenever SLURM starts the job again. Nothing is
carried over but files: finished runs are skipped, others continue from their checkpoints. So none
of submitit's own checkpoint protocol is used, and its signal handlers are replaced.
"""

import math
import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from scaling_study.claims import JOB_VARIABLE, RESTART_VARIABLE
from scaling_study.device import visible_gpus
from scaling_study.launch import local
from scaling_study.launch.job import Job, settle_mirrors
from scaling_study.launch.policy import Policy
from scaling_study.launch.slots import Slot, cpu_slots, gpu_slots
from scaling_study.launch.slurm import queue
from scaling_study.launch.slurm.ledger import Ledger
from scaling_study.launch.stop import Stop, listen, requested_by
from scaling_study.launch.work import print_to_log
from scaling_study.results import FINISHED
from scaling_study.world import leave_if_of_several

# USR2 is the notice before the time limit or a preemption: SLURM does not start the job again by
# itself. After TERM it does (requeue, preemption), or must not (scancel).
NOTICE, TERM = "preempted", "interrupted"
SIGNALS = {signal.SIGUSR2: NOTICE, signal.SIGTERM: TERM}
# What a pool does not try again in place: it takes another node, or more memory.
ELSEWHERE = ("node", "host_memory", "preempted")
# A notice that comes this much before the known end, or later, is about the time limit.
END_MARGIN_S = 90
# After a notice, W&B may take so much of the time that is left for the requeue.
STOPPED_MIRRORS_S = 10


@dataclass(frozen=True)
class Worker:
    """The runs of one job. `ranks` processes share its only run if there are several."""

    jobs: tuple[Job, ...]
    submission: str
    study_dir: str
    slots: int
    slots_per_gpu: int
    gpus: int
    ranks: int
    notice_s: int
    policy: Policy

    def __call__(self) -> None:
        """Train what is missing of the runs; requeue the job if it is told to stop before."""
        os.environ[JOB_VARIABLE] = job_id(os.environ)
        os.environ[RESTART_VARIABLE] = os.environ.get("SLURM_RESTART_COUNT", "0")
        ledger = Ledger(Path(self.study_dir))
        if ledger.stopped(self.submission):
            self._leave(None)
        elif self.ranks > 1:
            listen(SIGNALS)
            if first := os.environ.get("SLURM_PROCID") == "0":
                print_to_log(self.jobs[0])
            outcome = self.jobs[0]()
            if first:
                self._settle_mirrors(outcome.status == "stopped")
            if first and (outcome.status, outcome.cause) == ("stopped", NOTICE):
                self._requeue(self._why(), by_slurm=False)
            # No rank that aborts may take down one that still writes: srun ends all of them then.
            leave_if_of_several(0)
        else:
            with requested_by(SIGNALS, patient=True) as stop:
                self._pool(stop, ledger)

    def _pool(self, stop: Stop, ledger: Ledger) -> None:
        retry = {c: n for c, n in self.policy.retry.items() if c not in ELSEWHERE}
        policy = replace(self.policy, retry=retry)
        bad_node = False
        for outcome in local.launch(self._unfinished(), self._slots(), policy, stop):
            print(f"{outcome.run_id} {outcome.status} {outcome.error or ''}", flush=True)
            if outcome.cause == "node" and not stop.reasons:
                bad_node = True
                stop.request(NOTICE)
            if outcome.status == "failed" and self._same_everywhere(ledger):
                queue.cancel(ledger.jobs(self.submission), pending_only=True)
                stop.request(TERM)
        self._settle_mirrors(bool(stop.reasons))
        if NOTICE in stop.reasons:
            cause = "node" if bad_node else self._why()
            self._requeue(cause, TERM in stop.reasons)
        elif stop.reasons:
            self._leave("preempted" if not ledger.stopped(self.submission) else None)

    def _settle_mirrors(self, stopped: bool) -> None:
        """Let W&B take the rest, because the job's processes end with it."""
        settle_mirrors(self.jobs, STOPPED_MIRRORS_S if stopped else math.inf)

    def _slots(self) -> list[Slot]:
        """Places for runs in this allocation: its GPUs if runs have some, else as many as asked."""
        if self.gpus == 0:
            return cpu_slots(self.slots)
        return gpu_slots(visible_gpus(), self.slots_per_gpu)[: self.slots]

    def _unfinished(self) -> list[Job]:
        return [job for job in self.jobs if job.store.state(job.run.run_id) not in FINISHED]

    def _same_everywhere(self, ledger: Ledger) -> bool:
        return ledger.repeated_error(self.submission, self.jobs[0].store, self.policy)

    def _why(self) -> str:
        """Whether the notice came because of the time limit or a preemption."""
        job = os.environ[JOB_VARIABLE]
        try:
            end = queue.call("squeue", "--noheader", f"--jobs={job}", "--format=%e").strip()
            left = datetime.fromisoformat(end).timestamp() - time.time()
        except (queue.SchedulerError, ValueError):
            return "preempted"
        return "timeout" if left < self.notice_s + END_MARGIN_S else "preempted"

    def _requeue(self, cause: str, by_slurm: bool) -> None:
        """Wait in the queue again with the unfinished runs, elsewhere if the node is to blame."""
        job, left = os.environ[JOB_VARIABLE], self._unfinished()
        again = []
        for one in left:
            run_id, store = one.run.run_id, one.store
            causes = [attempt["cause"] for attempt in store.attempts(run_id)]
            if causes and causes[-1] in ("preempted", "interrupted"):
                store.end(run_id, cause)
                causes[-1] = cause
            if causes.count(cause) > self.policy.retry.get(cause, 0):
                one.write_failure(f"ended by {cause} {causes.count(cause)} times", cause)
            else:
                store.enqueue(run_id, job)
                again.append(one)
        if not again:
            return
        try:
            if not by_slurm:
                requeue(job, os.environ.get("SLURMD_NODENAME") if cause == "node" else None)
        except queue.SchedulerError as error:
            # SLURM requeues a preempted job itself; otherwise the next call of the sweep submits.
            print(f"requeue: {error}", flush=True)

    def _leave(self, cause: str | None) -> None:
        """Give the unfinished runs back: SLURM itself or the next call decides about them."""
        for job in self._unfinished():
            if job.store.state(job.run.run_id) in ("queued", "planned"):
                job.store.end(job.run.run_id, cause)


def requeue(job: str, avoid: str | None) -> None:
    """Let SLURM start this job again, on other nodes than `avoid` and those it avoids already.

    Raises:
        SchedulerError: it refused, or has requeued the job but may start it on `avoid` again.
    """
    # With the first call SLURM asks all processes of the job to stop, those of the calls too.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    shunned = queue.call("squeue", "--noheader", f"--jobs={job}", "--format=%x").split()
    queue.call("scontrol", "requeue", job)
    if avoid is not None:
        # Only now can this be changed; the job does not start before its processes have ended.
        nodes = ",".join([*(name for name in shunned if name != "(null)"), avoid])
        queue.call("scontrol", "update", f"JobId={job}", f"ExcNodeList={nodes}")


def job_id(environment: Mapping[str, str]) -> str:
    """The id of the job that this process is in, as squeue writes it."""
    if array := environment.get("SLURM_ARRAY_JOB_ID"):
        return f"{array}_{environment['SLURM_ARRAY_TASK_ID']}"
    return environment["SLURM_JOB_ID"]
