"""Runs that were stopped or killed end as if nothing had been."""

import pickle
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from helpers.tiny import tiny
from helpers.trained_runs import MEASURED, lines, same, stop_at, stopped, trained, weights
from scaling_study.common import stop_request
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch.job import Job
from scaling_study.training import loop
from scaling_study.training.loop import train

KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulation": {"train.accumulation": 4},
    "rmsprop": {"train.optimizer": "rmsprop", "train.lr_per_256": 0.05},
    "fp16": {"precision": "fp16"},
    "new images": {"data.fresh": True},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "step"), [("plain", 0), ("plain", 7), *((kind, 10) for kind in KINDS)]
)
def test_a_stopped_run_ends_with_the_weights_of_an_uninterrupted_one(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, kind: str, step: int
) -> None:
    run = tiny(**KINDS[kind])
    whole, whole_dir = trained(run, execution, "whole")
    run_dir = Path(execution.results_dir) / "resumed"
    run_dir.mkdir()
    stopped(run, run_dir, execution, monkeypatch, step)
    resumed = train(run, run_dir, execution)
    assert [resumed[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert same(weights(run_dir), weights(whole_dir))
    assert lines(run_dir) == lines(whole_dir)
    assert [line["step"] for line in lines(run_dir)] == [8, 16, 16]  # two epochs, the evaluation


def test_a_stop_in_the_last_step_finds_the_run_finished(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(monkeypatch, 15)
    measured, _ = trained(tiny(), execution, "one")
    stop_request.clear()
    assert measured["status"] == "ok"


def test_a_lost_result_costs_no_training(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, run_dir = trained(tiny(), execution, "whole")
    monkeypatch.setattr(loop.MicroBatches, "backward", None)  # no step can be trained any more
    again = train(tiny(), run_dir, execution)
    assert [again[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert again["step_time_s"] == whole["step_time_s"]


@pytest.mark.slow
def test_a_run_killed_between_steps_of_several_passes_repeats_no_bit_differently(
    execution: ExecutionConfig,
) -> None:
    run = tiny(**{"train.accumulation": 2, "train.epochs": 12})
    whole, whole_dir = trained(run, execution, "whole")
    job = Job(run, execution)
    run_dir = job.store.run_dir(run.run_id)
    program = "import pickle, sys; pickle.load(sys.stdin.buffer)()"
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        process.stdin.write(pickle.dumps(job))
        process.stdin.close()
        while not (run_dir / "checkpoint.prev.pt").exists():
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
    assert job.store.state(run.run_id) == "planned"
    again = train(run, run_dir, execution)
    assert [again[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert same(weights(run_dir), weights(whole_dir))
    assert lines(run_dir) == lines(whole_dir)
