"""What a launcher is: one value, which a module or package of its own declares as LAUNCHER."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.launch.queue_view import Accounts, QueueView, RunInQueue
from scaling_study.launch.slots import Slot, slots_for
from scaling_study.launch.stop_signals import Stop
from scaling_study.study.store import Store

if TYPE_CHECKING:  # `status` looks at queues and launches nothing
    from scaling_study.config.execution import ExecutionConfig
    from scaling_study.launch.job import Job, Request
    from scaling_study.launch.options import LauncherOptions
    from scaling_study.launch.outcome import Outcome


class SchedulerError(RuntimeError):
    """A launcher's queue did not answer, or refused."""


def slots_here(options: LauncherOptions, requests: Sequence[Request]) -> list[Slot]:
    """Slots of this machine; raises an InputError if a run needs a GPU and none is visible."""
    memory = [request.memory_bytes for request in requests]
    devices = [request.job.run.device for request in requests]
    return slots_for(devices, options.slots, options.threads, options.slots_per_gpu, memory)


def no_jobs(options: Any, requests: Sequence[Request], study_dir: Path) -> Iterator[str]:
    """A launcher without a queue submits nothing."""
    yield f"plan.show_jobs: launcher.name={options.name} submits no jobs"


def look_at_files(
    store: Store, run_ids: Sequence[str], study_dir: Path, accounted: Accounts | None
) -> QueueView:
    """The states in the store, which are all there is to know."""
    return QueueView({run_id: RunInQueue(store.state(run_id)) for run_id in run_ids}, None)


@dataclass(frozen=True)
class Launch:
    """One call of a launcher: the runs of a study to start, in this order, one in each slot."""

    requests: Sequence[Request]
    options: Any
    study_dir: Path
    slots: Sequence[Slot]
    stop: Stop

    @property
    def jobs(self) -> list[Job]:
        return [request.job for request in self.requests]


@dataclass(frozen=True)
class Launcher:
    """Where runs execute.

    name: how `launcher.name` spells it: a module of this folder, or an import path.
    options: class of the settings under `launcher`. It also has how many processes train a run, and
        whether the sweep waits.
    launch: yields outcomes as the runs end. After a request at `stop` none is started, and those at
        work are asked to write a checkpoint; leaving the iterator kills them.
    slots: (options, requests) -> places for runs at a time.
    check: (options, execution) raises InputError for what cannot be launched.
    leaves_jobs: runs are jobs in a queue, which outlive the sweep. `Store.enqueue` notes a run's
        job as `job_text` writes it, and the environment of its processes has it as JOB_VARIABLE.
    look: (store, run_ids, study_dir, accounted) -> what the queue knows of runs that have jobs.
        `accounted` keeps answers of accounting between calls; with None it is not asked.
    preview: (options, requests, study_dir) -> lines with what would be submitted, and nothing is.
    cancel: (jobs, study) cancels those of these jobs that the queue itself knows as the study's, by
        its name; raises SchedulerError if it refuses.
    advice: what helps runs that failed, by cause, in a sentence each.
    """

    name: str
    options: type[LauncherOptions]
    launch: Callable[[Launch], Iterator[Outcome]]
    slots: Callable[[Any, Sequence[Request]], list[Slot]] = slots_here
    check: Callable[[Any, ExecutionConfig], None] = lambda options, execution: None
    leaves_jobs: bool = False
    preview: Callable[[Any, Sequence[Request], Path], Iterator[str]] = no_jobs
    look: Callable[[Store, Sequence[str], Path, Accounts | None], QueueView] = look_at_files
    cancel: Callable[[Collection[str], str], None] = lambda jobs, study: None
    advice: Mapping[str, str] = field(default_factory=dict)
