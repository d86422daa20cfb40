"""Jobs that have not learned yet that they are cancelled."""

import threading
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import yaml

from helpers.slurm_site import CLUSTER
from helpers.tiny import tiny
from scaling_study import cancel
from scaling_study.config.execution import ExecutionConfig
from scaling_study.cost.closed_form import describe
from scaling_study.launch import registry
from scaling_study.launch.job import Job
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slurm.worker import Worker
from scaling_study.launch.submissions import Submission, Submissions
from scaling_study.study.claims import JOB_VARIABLE
from scaling_study.study.result import Result


@pytest.fixture
def jobs(execution: ExecutionConfig) -> list[Job]:
    """Two runs of a study that wait in SLURM's job 77."""
    jobs = [Job(tiny(seed=seed), execution) for seed in range(2)]
    study_of(jobs).mkdir(parents=True)
    rows = "".join(f"{job.run.run_id},2\n" for job in jobs)
    (study_of(jobs) / "plan.csv").write_text(f"run_id,epochs\n{rows}", encoding="utf-8")
    for job in jobs:
        job.store.enqueue(job.run.run_id, "77")
    return jobs


def study_of(jobs: list[Job]) -> Path:
    return Path(jobs[0].execution.results_dir) / "study"


def causes(jobs: list[Job]) -> list[str | None]:
    return [job.store.job(job.run.run_id).get("cause") for job in jobs]


def begin(job: Job, seconds: float) -> None:
    """Work on the run for a while, until SLURM's notice; returns when it has begun."""
    begun = threading.Event()

    def work() -> None:
        with job.store.claim(job.run.run_id) as claim:
            assert claim is not None
            config = job.store.run_dir(job.run.run_id) / "config.yaml"
            config.write_text(yaml.safe_dump(asdict(job.run)), encoding="utf-8")
            begun.set()
            time.sleep(seconds)
            claim.cause = "preempted"

    threading.Thread(target=work).start()
    assert begun.wait(60)


@pytest.mark.parametrize("seconds", [0.0, 1.0])
def test_a_run_that_begins_while_its_job_is_cancelled_is_waited_for(
    jobs: list[Job],
    seconds: float,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    slurm = registry.launcher("slurm")
    monkeypatch.setitem(slurm.__dict__, "cancel", lambda *asked: begin(jobs[0], seconds))
    assert cancel.main([str(study_of(jobs))]) == 0
    assert causes(jobs) == ["cancelled", "cancelled"]
    if seconds:  # else it may have stopped before anybody saw it at work
        assert "cancelled 1 running and 1 queued runs" in capsys.readouterr().out
        assert jobs[0].outcome().status == "failed"


def test_the_job_of_a_cancelled_run_does_not_begin_it(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, store = jobs[0].run.run_id, jobs[0].store
    store.end(run_id, "cancelled")
    monkeypatch.setenv(JOB_VARIABLE, "77")
    assert jobs[0]() == Outcome(run_id, "stopped", cause="cancelled")
    assert store.attempts(run_id) == []
    with jobs[1].store.claim(jobs[1].run.run_id) as others:
        assert others is not None
    # The same command continues everything, in another job.
    monkeypatch.setenv(JOB_VARIABLE, "78")
    with store.claim(run_id) as claim:
        assert claim is not None


def test_a_job_that_stops_says_nothing_else_of_its_cancelled_runs(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs[0].store.end(jobs[0].run.run_id, "cancelled")
    monkeypatch.setenv(JOB_VARIABLE, "77")
    options = replace(CLUSTER, notice_s=10, retry={}, stop_after_same_error=0)
    worker = Worker(tuple(jobs), "s", str(study_of(jobs)), 0, 1, options)
    worker._leave("preempted")
    assert causes(jobs) == ["cancelled", "preempted"]
    worker._requeue("preempted", by_slurm=True)
    assert causes(jobs)[0] == "cancelled"
    # It may have looked at its runs just before.
    jobs[0].store.end(jobs[0].run.run_id, "preempted")
    jobs[0].store.enqueue(jobs[0].run.run_id, "77")
    assert causes(jobs)[0] == "cancelled"


def test_what_another_study_has_submitted_is_left_to_its_jobs(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Studies share runs, and only jobs of the study that is named are cancelled."""
    theirs = jobs[0].run.run_id
    other = study_of(jobs).with_name("other")
    other.mkdir()
    Submissions(other).add(Submission("s", "76", 0.0, ((theirs,),), {}, "", None))
    jobs[0].store.enqueue(theirs, "76")
    monkeypatch.setitem(registry.launcher("slurm").__dict__, "cancel", lambda *asked: None)
    assert cancel.main([str(study_of(jobs))]) == cancel.SOME_LEFT
    printed = capsys.readouterr().out
    assert "cancelled 0 running and 1 queued runs" in printed
    assert f"still queued in job 76 of another study: {theirs}" in printed
    assert [job.store.state(job.run.run_id) for job in jobs] == ["queued", "planned"]
    monkeypatch.setenv(JOB_VARIABLE, "76")
    with jobs[0].store.claim(theirs) as claim:
        assert claim is not None


def test_a_run_that_ends_well_while_it_is_cancelled_is_not_counted(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = Result(**describe(jobs[0].run), status="ok", val_error=0.5)

    def finish(*asked: object) -> None:
        with jobs[0].store.claim(jobs[0].run.run_id) as claim:
            jobs[0].store.record(jobs[0].run.run_id, result, claim)

    monkeypatch.setitem(registry.launcher("slurm").__dict__, "cancel", finish)
    assert cancel.main([str(study_of(jobs))]) == 0
    assert "cancelled 0 running and 1 queued runs" in capsys.readouterr().out
    assert jobs[0].store.state(jobs[0].run.run_id) == "ok"
