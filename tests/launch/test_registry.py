"""Queues of launchers, asked by the name in a run's job."""

from pathlib import Path

import pytest
from launch.queue_launcher import LAUNCHER, QUEUE

from helpers.tiny import tiny
from scaling_study import cancel
from scaling_study.config.execution import ExecutionConfig
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.launch import registry
from scaling_study.launch.base import Launch
from scaling_study.launch.job import Job, Request
from scaling_study.launch.slurm import commands
from scaling_study.launch.stop_signals import requested_by
from scaling_study.planning.plan import plan
from scaling_study.planning.plan_table import write_csv
from scaling_study.status.overview import overview


@pytest.fixture
def jobs(execution: ExecutionConfig) -> list[Job]:
    """Three runs of a study: in a user's queue, in SLURM's, and planned."""
    QUEUE.clear()
    jobs = [Job(tiny(seed=seed), execution) for seed in range(3)]
    study_dir = study_of(jobs)
    study_dir.mkdir(parents=True)
    cells = [Cell(job.run, {}) for job in jobs]
    write_csv(plan(cells, jobs[0].store, {}, Times([], 1)), {}, study_dir / "plan.csv")
    values = {"name": LAUNCHER.name, "slots": 1, "slots_per_gpu": 1, "threads": 1}
    options = registry.options_of({"launcher": values})
    requests = [Request(jobs[0])]
    with requested_by({}) as stop:
        slots = LAUNCHER.slots(options, requests)
        assert list(registry.launch(Launch(requests, options, study_dir, slots, stop))) == []
    jobs[1].store.enqueue(jobs[1].run.run_id, "12_3")
    return jobs


def study_of(jobs: list[Job]) -> Path:
    return Path(jobs[0].execution.results_dir) / "study"


def test_each_queue_is_asked_about_its_own_jobs(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def squeue(ids: "list[str]") -> dict[str, commands.ArrayTask]:
        asked.extend(ids)
        return {"12_3": commands.ArrayTask("12_3", "PENDING", "Resources", "", "N/A")}

    monkeypatch.setattr(commands, "available", lambda: True)
    monkeypatch.setattr(commands, "tasks", squeue)
    seen = overview(study_of(jobs))
    assert asked == ["12_3"]
    assert [run.state for run in seen.runs] == ["queued", "queued", "planned"]
    assert seen.reasons == {"Priority": 1, "Resources": 1}
    assert seen.scheduler == "answered"


def test_a_lost_run_fails_with_what_its_queue_knows(jobs: list[Job]) -> None:
    QUEUE.clear()
    runs = {job.run.run_id: job.run for job in jobs[:1]}
    (state,) = registry.reconcile(runs, jobs[0].store, study_of(jobs)).values()
    result = jobs[0].store.result(jobs[0].run.run_id)
    assert result is not None
    assert (state, result.cause, result.error) == ("failed", "node", "its node broke")


def test_jobs_are_cancelled_in_their_queues(
    jobs: list[Job], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cancelled: list[tuple[list[str], str]] = []
    slurm = registry.launcher("slurm")
    monkeypatch.setitem(slurm.__dict__, "cancel", lambda *asked: cancelled.append(asked))
    assert cancel.main([str(study_of(jobs))]) == 0
    assert (QUEUE, cancelled) == ({}, [(["12_3"], study_of(jobs).name)])
    assert "cancelled 0 running and 2 queued runs" in capsys.readouterr().out
    assert [job.store.state(job.run.run_id) for job in jobs] == ["planned"] * 3


def test_a_queue_that_refuses_is_reported(
    jobs: list[Job], capsys: pytest.CaptureFixture[str]
) -> None:
    QUEUE.clear()
    (jobs[1].store.run_dir(jobs[1].run.run_id) / "job.json").unlink()
    assert cancel.main([str(study_of(jobs))]) == 1
    assert "not cancelled, the queue refused: nobody is there" in capsys.readouterr().err
