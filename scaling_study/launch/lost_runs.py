"""Runs whose process or job has ended without a result: their failure is recorded."""

from collections.abc import Mapping

from scaling_study.config.run import RunConfig
from scaling_study.launch.failure_causes import read_error
from scaling_study.launch.job import Job, record_failure
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.queue_view import QueueView
from scaling_study.study.store import Store


def record_lost_runs(
    view: QueueView, runs: Mapping[str, RunConfig], store: Store
) -> dict[str, str]:
    """Record the failure, or the end, of those of `runs` that are lost; the states afterwards."""
    states = {run_id: seen.state for run_id, seen in view.runs.items()}
    for run_id, seen in view.runs.items():
        if (lost := seen.lost) is None or run_id not in runs:
            continue
        if lost.failed and lost.cause:
            message, cause = lost.message, lost.cause
            if cause == "error" and "pid" in store.job(run_id):
                # One of its processes may have left a better message before all were ended.
                message, cause = read_error(store.run_dir(run_id)) or (message, cause)
            record_failure(store, runs[run_id], message, cause)
        else:
            store.end(run_id, lost.cause)
        states[run_id] = store.state(run_id)
    return states


def outcome_after_exit(job: Job, exit_code: int | None, cause: str, message: str) -> Outcome:
    """The outcome of a run whose process has ended; if it left none, a failure is recorded."""
    outcome = job.outcome()
    without = ("planned",) if exit_code == 0 else ("planned", "failed", "queued")
    if outcome.status not in without:
        return outcome
    job.write_failure(message, cause)
    job.store.end(job.run.run_id, cause)
    return job.outcome()
