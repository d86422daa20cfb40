"""A launcher of a user's own that leaves jobs in a queue: a dictionary of job and reason."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from scaling_study.launch.base import Launch, Launcher, SchedulerError
from scaling_study.launch.options import LauncherOptions
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.queue_view import Accounts, LostRun, QueueView, RunInQueue
from scaling_study.launch.registry import job_of, job_text
from scaling_study.study.store import Store

QUEUE: dict[str, str] = {}


def launch(call: Launch) -> Iterator[Outcome]:
    for number, job in enumerate(call.jobs):
        QUEUE[job_text(__name__, str(number))] = "Priority"
        job.store.enqueue(job.run.run_id, job_text(__name__, str(number)))
    yield from ()


def look(
    store: Store, run_ids: Sequence[str], study_dir: Path, accounted: Accounts | None
) -> QueueView:
    def seen(run_id: str) -> RunInQueue:
        if (job := job_of(store, run_id)) in QUEUE:
            return RunInQueue("queued", job, live=True, reason=QUEUE[job])
        if store.state(run_id) != "queued":
            return RunInQueue(store.state(run_id))
        return RunInQueue("planned", job, lost=LostRun(True, "node", "its node broke"))

    return QueueView({run_id: seen(run_id) for run_id in run_ids}, True)


def cancel(jobs: Collection[str], study: str) -> None:
    if not QUEUE:
        raise SchedulerError("nobody is there")
    for job in jobs:
        del QUEUE[job]


LAUNCHER = Launcher(
    name=__name__,
    options=LauncherOptions,
    launch=launch,
    leaves_jobs=True,
    look=look,
    cancel=cancel,
)
