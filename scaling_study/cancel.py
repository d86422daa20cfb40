"""python -m scaling_study.cancel results/NAME: cancel what is queued and running of a study.

Runs at work write a checkpoint first; results stay. The sweep's command continues everything.
"""

import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from scaling_study.common.command_line import entry_point, parser, report
from scaling_study.common.errors import InputError
from scaling_study.common.reading import yaml_in
from scaling_study.config.run import stored_run
from scaling_study.launch import registry
from scaling_study.launch.base import SchedulerError
from scaling_study.launch.job import record_failure
from scaling_study.launch.slurm import commands
from scaling_study.launch.submissions import Submissions
from scaling_study.study.active_sweep import sweep_process
from scaling_study.study.liveness import process_in
from scaling_study.study.result import FINISHED
from scaling_study.study.store import Store
from scaling_study.study.table import read_plan

# Time that runs have to stop; SLURM itself gives them 30 s by default.
PATIENCE_S = 60
SOME_LEFT = 1


@entry_point
def main(arguments: Sequence[str] | None = None) -> int:
    """Cancel the study that the command line names; the exit code."""
    asked = parser(
        "scaling_study.cancel",
        "Stops what runs of a study, with a checkpoint, and cancels what waits in a queue. Results "
        "stay, and the sweep's command continues everything.",
    )
    asked.add_argument("study", type=Path, help="a study's folder, as in results/depth_vs_width")
    options = asked.parse_args(arguments)
    try:
        return cancel(options.study)
    except InputError as error:
        return report(str(error))
    except SchedulerError as error:
        print(f"not cancelled, the queue refused: {error}", file=sys.stderr)
        return SOME_LEFT


def cancel(study_dir: Path) -> int:
    """Stop a study's sweep, its runs and its jobs, and wait until they have ended.

    Raises:
        InputError: the folder holds no study.
        SchedulerError: a queue did not take the request.
    """
    store = Store(study_dir.parent)
    run_ids = [row["run_id"] for row in read_plan(study_dir)]
    before = {run_id: store.state(run_id) for run_id in run_ids}
    # First of all, because it would submit again what is cancelled.
    if (sweep := sweep_process(study_dir)) is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(sweep, signal.SIGTERM)
        _until(lambda: sweep_process(study_dir) is None)
    states = {r: store.state(r) if before[r] != "running" else "running" for r in run_ids}
    # Jobs that work on runs, will, or would after a requeue.
    open_runs = [run_id for run_id in run_ids if states[run_id] not in FINISHED]
    jobs = {job for run_id in open_runs if (job := registry.job_of(store, run_id)) is not None}
    if commands.available():  # of two calls at once, runs name the jobs of the second alone
        jobs |= Submissions(study_dir).unfinished({*open_runs})
    registry.cancel(jobs, study_dir.resolve().name)
    others = _of_other_studies(store, open_runs, study_dir)
    ours = [run_id for run_id in open_runs if run_id not in others]
    running = _at_work(store, ours, states)
    _stop(store, running)
    left = [run_id for run_id in running if store.state(run_id) == "running"]
    for run_id in {*running} - {*left}:
        _record(store, run_id, begun=True)
    queued = sum(states[run_id] == "queued" for run_id in {*ours} - {*running})
    stopped = sum(store.state(r) not in FINISHED for r in {*running} - {*left})
    print(f"{study_dir}: cancelled {stopped} running and {queued} queued runs")
    for run_id in left:
        print(f"still running on {store.job(run_id).get('host')}: {run_id}")
    for run_id, job in others.items():
        print(f"still {store.state(run_id)} in job {job} of another study: {run_id}")
    return SOME_LEFT if left or others else 0


def _of_other_studies(store: Store, run_ids: Sequence[str], study_dir: Path) -> dict[str, str]:
    """Those of these runs that are in jobs which other studies of the store have submitted.

    Only the jobs of the study are cancelled, and these are to begin what they were submitted for.
    """
    in_jobs = {r: job for r in run_ids if (job := registry.job_of(store, r)) is not None}
    waiting = {r: job for r, job in in_jobs.items() if store.state(r) in ("queued", "running")}
    folders = study_dir.resolve().parent.glob("*/jobs.json") if waiting else ()
    found = {job for file in folders for job in Submissions(file.parent).unfinished({*waiting})}
    found -= Submissions(study_dir).unfinished({*waiting})
    return {run_id: job for run_id, job in waiting.items() if job in found}


def _at_work(store: Store, run_ids: Sequence[str], states: Mapping[str, str]) -> list[str]:
    """Those of these runs that are at work; others that a job would begin are noted as cancelled.

    A job learns late that it is cancelled, but from the note on it begins none of them.
    """
    queued = [run_id for run_id in run_ids if states[run_id] == "queued"]
    for run_id in queued:
        _record(store, run_id, begun=False)
    begun = {run_id for run_id in queued if store.job(run_id).get("cause") != "cancelled"}
    return [r for r in run_ids if r in begun or "running" in (states[r], store.state(r))]


def _stop(store: Store, running: Sequence[str]) -> None:
    """Ask those of these runs that are in no job, as jobs were asked; wait for all."""
    for run_id in running:
        note = store.job(run_id)
        if not note.get("job") and (pid := process_in(note, store.run_dir(run_id))) is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGTERM)
    _until(lambda: not any(store.state(run_id) == "running" for run_id in running))


def _until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done() and time.monotonic() < end:
        time.sleep(0.2)


def _record(store: Store, run_id: str, begun: bool) -> None:
    """Record that a run without a result was cancelled; one that had not begun is just planned."""
    if store.state(run_id) in (*FINISHED, "unreadable"):
        return
    config = store.run_dir(run_id) / "config.yaml"
    with suppress(ValueError, FileNotFoundError):  # nobody can say what the run was
        if begun and isinstance(values := yaml_in(config), Mapping):
            run = stored_run(values)
            return record_failure(store, run, "cancelled, with a checkpoint", "cancelled")
    store.end(run_id, "cancelled")


if __name__ == "__main__":
    sys.exit(main())
