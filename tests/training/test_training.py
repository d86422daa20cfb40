"""A training run: the same bits again, what it writes, and how the process is left."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.tiny import tiny
from helpers.trained_runs import MEASURED, lines, same, trained, weights
from scaling_study.config.execution import ExecutionConfig
from scaling_study.tracking.payload import rows_of
from scaling_study.training.loop import train
from scaling_study.training.step_timer import StepTimes


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_run_gives_the_same_bits(execution: ExecutionConfig, precision: str) -> None:
    run = tiny(precision=precision)
    one, one_dir = trained(run, execution, "one")
    two, two_dir = trained(run, execution, "two")
    assert [one[k] for k in MEASURED] == [two[k] for k in MEASURED]
    assert same(weights(one_dir), weights(two_dir))
    other, other_dir = trained(tiny(precision=precision, seed=1), execution, "other")
    assert not same(weights(one_dir), weights(other_dir))
    assert other["val_loss"] != one["val_loss"]


@pytest.mark.slow
def test_windows_of_steps_end_with_the_epoch(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, plain_dir = trained(tiny(), execution, "plain")
    begin = StepTimes.__init__

    def as_on_a_gpu(self: StepTimes, device: str) -> None:
        begin(self, device)
        self._window = 5

    monkeypatch.setattr(StepTimes, "__init__", as_on_a_gpu)
    wide, wide_dir = trained(tiny(), execution, "wide")
    one, other = lines(wide_dir), lines(plain_dir)
    summed = [[line.pop("loss", 0) for line in records] for records in (one, other)]
    assert summed[0] == pytest.approx(summed[1], rel=1e-6)  # windows add up in another order
    assert one == other
    assert wide["val_loss"] == plain["val_loss"]
    diverged, _ = trained(tiny(**{"train.lr_per_256": 1e30}), execution, "diverged")
    assert diverged["status"] == "diverged"


def test_the_process_is_left_as_it_was(execution: ExecutionConfig) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    trained(tiny(), execution, "one")
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_a_non_finite_loss_ends_the_run_as_diverged(execution: ExecutionConfig) -> None:
    measured, _ = trained(tiny(**{"train.lr_per_256": 1e30}), execution, "one")
    assert measured["status"] == "diverged"
    assert "loss is not finite at step" in str(measured["error"])
    assert "val_error" not in measured


@pytest.mark.slow
def test_it_learns(execution: ExecutionConfig) -> None:
    measured, run_dir = trained(tiny(**{"train.epochs": 8}), execution, "one")
    assert lines(run_dir)[0]["loss"] > lines(run_dir)[-2]["loss"]
    assert measured["val_error"] < 0.5  # type: ignore[operator]  # chance is 0.75
    assert measured["bound"] in ("data", "compute")
    assert measured["peak_memory_bytes"] > 50e6  # type: ignore[operator]


def test_records_go_to_every_sink(execution: ExecutionConfig) -> None:
    class Kept:
        def __init__(self) -> None:
            self.records: list[Mapping[str, Any]] = []
            self.numbers: list[int] = []
            self.summary: Mapping[str, Any] = {}

        def write(self, number: int, row: Mapping[str, Any]) -> None:
            self.numbers.append(number)
            self.records.append(row)

        def finish(self, summary: Mapping[str, Any]) -> None:
            self.summary = summary

    kept, run_dir = Kept(), Path(execution.results_dir) / "one"
    run_dir.mkdir(parents=True)
    often = replace(execution, metrics_every_s=0)
    measured = train(tiny(), run_dir, often, sinks=[lambda first: kept])
    text = (run_dir / "metrics.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == kept.records
    assert [r["step"] for r in kept.records] == [*range(1, 17), 16]
    assert kept.numbers == [number for number, _ in rows_of(run_dir)] == [*range(1, 18)]
    assert kept.summary == measured
    assert all(r["images_per_s"] > 0 for r in kept.records[:-1])
