"""What a job of SLURM does with its runs."""

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from helpers.slurm_site import CLUSTER
from helpers.tiny import tiny
from scaling_study.common.ranks import World
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.base import SchedulerError
from scaling_study.launch.failure_causes import write_error
from scaling_study.launch.job import Job
from scaling_study.launch.lost_runs import record_lost_runs
from scaling_study.launch.queue_view import QueueView, RunInQueue
from scaling_study.launch.slurm import commands
from scaling_study.launch.slurm import worker as worker_module
from scaling_study.launch.slurm.commands import ArrayTask
from scaling_study.launch.slurm.reconcile import lost_run
from scaling_study.launch.slurm.requeue import why_restarted
from scaling_study.launch.slurm.worker import Worker
from scaling_study.launch.submissions import Submission, Submissions


@dataclass(frozen=True)
class Fails(Job):
    def _train(self, run_dir: Path, world: World, *more: Any) -> dict[str, object]:
        raise RuntimeError("broken data set")


def worker(
    jobs: Sequence[Job], study_dir: Path, gpus: int = 0, same_error: int = 0, **retry: int
) -> Worker:
    """The worker of job 77 that holds these runs, as if they had been submitted."""
    study_dir.mkdir()
    for job in jobs:
        job.store.enqueue(job.run.run_id, "77")
    runs = (tuple(job.run.run_id for job in jobs),)
    Submissions(study_dir).add(Submission("s", "77", time.time(), runs, {}, "", None))
    options = replace(CLUSTER, notice_s=10, retry=retry, stop_after_same_error=same_error)
    return Worker(tuple(jobs), "s", str(study_dir), gpus, 1, options)


@pytest.fixture
def in_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The environment of SLURM's job 77, whose programs cannot be found.

    Runs are forked from a server that keeps the environment it began with, so it is the job's own.
    """
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    for name in ("SCALING_STUDY_JOB", "SCALING_STUDY_RESTART"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    monkeypatch.setenv("SLURMD_NODENAME", "n1")
    monkeypatch.setattr(commands, "call", refuse)
    yield
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


def refuse(program: str, *arguments: str) -> str:
    raise SchedulerError(program)


@pytest.mark.slow
def test_the_same_error_in_a_packed_job_leaves_the_rest_planned(
    execution: ExecutionConfig, tmp_path: Path, in_job: None
) -> None:
    jobs = [Fails(tiny(seed=i), execution) for i in range(5)]
    study = tmp_path / "study"
    worker(jobs, study, same_error=2)()
    states = [job.store.state(job.run.run_id) for job in jobs]
    assert sorted(states) == ["failed"] * 2 + ["planned"] * 3
    assert "the first 2 runs failed with RuntimeError" in str(Submissions(study).stop_reason())


@pytest.mark.slow
def test_where_no_gpu_is_visible_the_node_is_to_blame(
    execution: ExecutionConfig, tmp_path: Path, in_job: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    job = Job(tiny(), execution)
    call = worker([job], tmp_path / "study", gpus=1, node=1)
    call()
    (attempt,) = job.store.attempts(job.run.run_id)
    assert (attempt["cause"], attempt["node"], attempt["job"]) == ("node", "n1", "77")
    assert job.store.state(job.run.run_id) == "queued"
    call()
    assert job.store.state(job.run.run_id) == "failed"
    assert job.outcome().error == "no GPU is visible on n1"


@pytest.mark.slow
def test_a_requeued_job_leaves_out_what_has_failed_in_it(
    execution: ExecutionConfig, tmp_path: Path, in_job: None
) -> None:
    """The old failure of a run that was submitted again does not count, that in this job does."""
    jobs = [Fails(tiny(seed=0), execution), Job(tiny(seed=1), execution)]
    jobs[1].write_failure("an old one", "error")
    call = worker(jobs, tmp_path / "study", preempted=9)
    call()
    assert [job.store.state(job.run.run_id) for job in jobs] == ["failed", "ok"]
    call()
    assert len(jobs[0].store.attempts(jobs[0].run.run_id)) == 1


@dataclass(frozen=True)
class LacksMemory(Job):
    def _train(self, run_dir: Path, world: World, *more: Any) -> dict[str, object]:
        raise MemoryError


@pytest.mark.parametrize(("job", "queued"), [(Fails, True), (LacksMemory, False)])
def test_a_run_of_several_processes_is_requeued_unless_it_takes_more_memory(
    execution: ExecutionConfig,
    tmp_path: Path,
    in_job: None,
    monkeypatch: pytest.MonkeyPatch,
    job: type[Job],
    queued: bool,
) -> None:
    """The job would have as little of it as before: the next one asks for twice as much."""
    monkeypatch.setenv("SCALING_STUDY_JOB", "77")
    monkeypatch.setattr(worker_module, "print_to_log", lambda job: None)
    one = job(tiny(), execution)
    ranks = worker([one], tmp_path / "study", error=1, host_memory=1)
    ranks._together(Submissions(tmp_path / "study"), first=True)
    note = one.store.job(one.run.run_id)
    assert (note.get("queued") == "77") is queued
    assert queued or one.outcome().cause == "host_memory"


def test_a_silent_end_is_the_nodes_when_it_is_there_the_second_time(in_job: None) -> None:
    """SLURM's accounting is silent as well."""
    silent = {"job": "7", "node": "n1", "cause": None}
    assert why_restarted("7", "n1", []) is None
    assert why_restarted("7", "n1", [silent]) == "node"
    assert why_restarted("7", "n2", [silent]) is None
    assert why_restarted("7", "n1", [silent | {"cause": "preempted"}]) is None


@pytest.mark.parametrize(
    ("state", "said", "cause"),
    [
        ("FAILED", "RuntimeError: CUDA out of memory", "gpu_memory"),
        ("TIMEOUT", "job 7 ended as TIMEOUT", "timeout"),
    ],
)
def test_a_run_that_srun_ended_has_the_error_of_the_process_that_failed_first(
    execution: ExecutionConfig, tmp_path: Path, state: str, said: str, cause: str
) -> None:
    run, store = tiny(), Job(tiny(), execution).store
    run_dir = store.run_dir(run.run_id)
    run_dir.mkdir(parents=True)
    # Rank 0 began, and was ended before it could write.
    note = {"pid": 1, "host": "elsewhere", "job": "7", "attempts": []}
    (run_dir / "job.json").write_text(json.dumps(note), encoding="utf-8")
    for said_by in ("CUDA out of memory", "Connection closed by peer"):
        write_error(run_dir, RuntimeError(said_by))
    lost = lost_run("planned", "7", ArrayTask("7", state, "", "", ""), note, tmp_path)
    view = QueueView({run.run_id: RunInQueue("planned", "7", lost=lost)}, True)
    assert record_lost_runs(view, {run.run_id: run}, store) == {run.run_id: "failed"}
    result = store.result(run.run_id)
    assert result is not None
    assert (result.status, result.error, result.cause) == ("failed", said, cause)
