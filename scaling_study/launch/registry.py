"""Launchers by name, and what commands ask of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.common.errors import InputError
from scaling_study.common.extensions import module_called
from scaling_study.common.paths import data_dir
from scaling_study.common.validation import from_values, group, one_value, require
from scaling_study.launch.base import Launch, Launcher, look_at_files
from scaling_study.launch.queue_view import Accounts, QueueView
from scaling_study.launch.slots import AUTO
from scaling_study.study.active_sweep import recorded
from scaling_study.study.store import Store

if TYPE_CHECKING:  # `status` looks at queues and launches nothing
    from scaling_study.config.run import RunConfig
    from scaling_study.launch.options import LauncherOptions
    from scaling_study.launch.outcome import Outcome

# The launcher of jobs without a name: earlier versions knew only one queue.
UNNAMED = "slurm"


def launcher_names() -> list[str]:
    """The launchers that ship with the project: those with a file in conf/launcher."""
    return sorted(path.stem for path in (data_dir("conf") / "launcher").glob("*.yaml"))


def launcher(name: str) -> Launcher:
    """The launcher called `name`: a module of this folder, or with a dot any module's import path.

    A package has it in its module `launcher`. Raises an InputError if there is none.
    """
    known = launcher_names()
    listed = "." in name or name in known
    module = module_called(name, "scaling_study.launch") if listed else None
    if module is not None and hasattr(module, "__path__"):
        module = module_called(f"{module.__name__}.launcher", "")
    if module is None:
        raise InputError(
            f"launcher.name={name}: unknown; known: {', '.join(known)}, "
            "or the import path of a module of yours, as in my_launchers.my_launcher"
        )
    found = getattr(module, "LAUNCHER", None)
    if not isinstance(found, Launcher):
        raise InputError(f"launcher.name={name}: {module.__file__} declares no LAUNCHER")
    return found


def options_of(settings: Mapping[str, Any]) -> LauncherOptions:
    """The settings under `launcher`, of the class that the launcher declares.

    Raises an InputError for an unknown launcher or setting, a wrong type, or a value out of bounds.
    """
    values = {**group(settings, "launcher")}
    for key in {"slots", "slots_per_gpu", "gpus_per_run"} & values.keys():
        given = values.get(key)
        require(given != AUTO, f"launcher.{key}", given, "must be 1 or more, or auto")
        values[key] = AUTO if given == "auto" else given
    none = "no launcher is named; a file of settings begins with defaults: [slurm, _self_]"
    require(values.get("name") is not None, "launcher.name", None, none)
    name = one_value(str, values.get("name"), "launcher.name")
    return from_values(launcher(name).options, values, "launcher.")


def launch(call: Launch) -> Iterator[Outcome]:
    """Outcomes of the runs as they come; none of those that are left in a queue."""
    from scaling_study.launch.job import finish_uploads

    chosen = launcher(call.options.name)
    with recorded(call.study_dir, len(call.slots)):
        yield from chosen.launch(call)
    if not chosen.leaves_jobs and len(call.stop.reasons) < 2:  # a second request waits for nothing
        finish_uploads(call.jobs)


def look(
    store: Store, run_ids: Sequence[str], study_dir: Path, accounted: Accounts | None = None
) -> QueueView:
    """The state of every run, by its files and by the queue of the launcher that has its job."""
    of: dict[str | None, list[str]] = {}
    for run_id in run_ids:
        job = job_of(store, run_id)
        of.setdefault(None if job is None else launcher_of_job(job), []).append(run_id)
    views = [
        (look_at_files if name is None else launcher(name).look)(store, some, study_dir, accounted)
        for name, some in of.items()
    ]
    runs = {run_id: seen for view in views for run_id, seen in view.runs.items()}
    answers = [view.answered for view in views if view.answered is not None]
    return QueueView(
        {run_id: runs[run_id] for run_id in run_ids}, all(answers) if answers else None
    )


def reconcile(runs: Mapping[str, RunConfig], store: Store, study_dir: Path) -> dict[str, str]:
    """The state of every run, after what became of jobs that have ended is recorded."""
    from scaling_study.launch.lost_runs import record_lost_runs

    return record_lost_runs(look(store, [*runs], study_dir, {}), runs, store)


def cancel(jobs: Collection[str], study: str) -> None:
    """Cancel jobs of the study of this name, each in the queue of its launcher.

    Raises a SchedulerError if one refuses.
    """
    for name in {launcher_of_job(job) for job in jobs}:
        launcher(name).cancel(sorted(job for job in jobs if launcher_of_job(job) == name), study)


def job_of(store: Store, run_id: str) -> str | None:
    """The job that works on a run, will, or did."""
    note = store.job(run_id)
    job = note.get("queued") or note.get("job")
    return None if job is None else str(job)


def job_text(name: str, job: str) -> str:
    """A job of the launcher called `name` as run folders note it."""
    return f"{name}:{job}"


def launcher_of_job(job: str) -> str:
    """The name in a job's text."""
    return job.partition(":")[0] if ":" in job else UNNAMED
