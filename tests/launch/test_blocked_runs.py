"""Runs that start from others, where runs execute: they wait, and are blocked with the cause."""

from dataclasses import replace
from pathlib import Path

import pytest

from helpers.tiny import tiny
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.config.trunks import Trunk
from scaling_study.launch import inline
from scaling_study.launch.job import Job
from scaling_study.launch.local import pool
from scaling_study.launch.slots import cpu_slots
from scaling_study.study.parents import with_parents

SHORT = {"train.epochs": 1, "train.warmup_epochs": 0, "data.train_per_class": 8}


def child_of(parent: RunConfig, seed: int = 0) -> RunConfig:
    return tiny(**SHORT, init=f"run:{parent.run_id}", seed=seed)


def jobs_of(execution: ExecutionConfig, *runs: RunConfig) -> list[Job]:
    return [Job(run, execution) for run in runs]


@pytest.mark.slow
def test_the_pool_waits_for_parents_and_trains_each_once(execution: ExecutionConfig) -> None:
    parent, other = tiny(**SHORT), tiny(**SHORT, seed=9)
    middle = child_of(parent)
    last = tiny(**SHORT, init=f"run:{middle.run_id}")
    # Children stand first in the queue, and there is a slot for each run.
    runs = (last, middle, child_of(parent, 1), parent, other)
    jobs = jobs_of(execution, *runs)
    outcomes = list(pool.launch(jobs, cpu_slots(4)))
    assert {outcome.status for outcome in outcomes} == {"ok"}
    order = [outcome.run_id for outcome in outcomes]
    assert sorted(order) == sorted(run.run_id for run in runs)
    ids = [parent.run_id, middle.run_id, last.run_id]
    assert sorted(ids, key=order.index) == ids
    store = jobs[0].store
    began = {run.run_id: store.job(run.run_id)["began"] for run in runs}
    assert began[middle.run_id] >= store.job(parent.run_id)["ended"] - 1
    # The same again trains nothing.
    files = [store.run_dir(run.run_id) / "result.json" for run in runs]
    written = [file.stat().st_mtime_ns for file in files]
    assert {outcome.status for outcome in pool.launch(jobs, cpu_slots(4))} == {"ok"}
    assert written == [file.stat().st_mtime_ns for file in files]


@pytest.mark.slow
def test_a_failed_parent_blocks_its_children_with_the_cause(execution: ExecutionConfig) -> None:
    parent = tiny(**SHORT)
    child = child_of(parent)
    grandchild, free = child_of(child), tiny(**SHORT, seed=5)
    jobs = jobs_of(execution, grandchild, child, parent, free)
    store = jobs[0].store
    # What the parent has to write its metrics to is a folder.
    wall = store.run_dir(parent.run_id) / "metrics.jsonl"
    wall.mkdir(parents=True)
    found = {outcome.run_id: outcome for outcome in pool.launch(jobs, cpu_slots(2))}
    assert found[free.run_id].status == "ok"
    assert found[parent.run_id].status == "failed"
    assert found[child.run_id].status == found[grandchild.run_id].status == "blocked"
    why = found[child.run_id].error or ""
    assert f"it starts from {parent.run_id}, which is failed (error): IsADirectoryError" in why
    # Of a chain the first cause is named.
    chain = f"it starts from {child.run_id}, which is blocked: {why}"
    assert found[grandchild.run_id].error == chain
    assert not store.run_dir(child.run_id).exists()
    # Once the cause is mended, the same runs go through.
    wall.rmdir()
    again = {outcome.run_id: outcome.status for outcome in pool.launch(jobs, cpu_slots(2))}
    assert set(again.values()) == {"ok"}


@pytest.mark.parametrize("of_trunk", [False, True])
def test_a_run_without_its_parent_does_not_begin(
    execution: ExecutionConfig, of_trunk: bool
) -> None:
    trunk = SHORT | {"train.schedule": "wsd", "train.one_trunk": True}
    parent = tiny(**(trunk if of_trunk else SHORT))
    longer = replace(tiny(**trunk | {"train.epochs": 2}), trunk=Trunk(run=parent.run_id, epochs=1))
    (job,) = jobs = jobs_of(execution, longer if of_trunk else child_of(parent))
    (outcome,) = inline.launch(jobs)
    assert (outcome.status, outcome.error) == (
        "blocked",
        f"it starts from {parent.run_id}, which is planned",
    )
    assert job.store.result(job.run.run_id) is None
    assert not (Path(execution.results_dir) / "runs" / job.run.run_id / "config.yaml").exists()


def test_states_of_runs_that_start_from_others(execution: ExecutionConfig) -> None:
    parent = tiny(**SHORT)
    (job,) = jobs_of(execution, parent)
    ids = (parent.run_id,)
    assert with_parents("planned", (), job.store) == "planned"
    assert with_parents("planned", ids, job.store) == "blocked"
    job.write_failure("no", "error")
    assert with_parents("planned", ids, job.store) == "blocked"
    assert with_parents("failed", ids, job.store) == "failed"
    assert with_parents("running", ids, job.store) == "running"
