"""The trainer against closed forms, float64 loops and itself."""

import json
import pickle
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from helpers.tiny import tiny
from scaling_study.common import stop_request
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.launch.job import Job
from scaling_study.models.modules import Residual
from scaling_study.training import loop
from scaling_study.training.checkpoint import Checkpoints
from scaling_study.training.gradient_accumulation import MicroBatches
from scaling_study.training.loop import train
from scaling_study.training.numerics import tuned_convolutions
from scaling_study.training.step_timer import StepTimes

MEASURED = ("val_error", "val_loss", "train_error")


def test_stochastic_depth_keeps_the_expectation_and_drops_whole_images() -> None:
    torch.manual_seed(0)
    block = Residual(nn.Sequential(), nn.Sequential(nn.ReLU()), drop_rate=0.3)
    x = torch.full((20_000, 1, 1, 1), 1.0)
    y = block(x)
    # relu(x) + x / 0.7 where kept, relu(x) where dropped.
    assert y.unique().tolist() == pytest.approx([1.0, 1 + 1 / 0.7])
    assert float(y.mean()) == pytest.approx(2.0, abs=0.02)
    assert torch.equal(block.eval()(x), 2 * x)


def trained(
    run: RunConfig, execution: ExecutionConfig, name: str
) -> tuple[dict[str, object], Path]:
    run_dir = Path(execution.results_dir) / name
    run_dir.mkdir(parents=True)
    return train(run, run_dir, execution), run_dir


def lines(run_dir: Path) -> list[dict[str, float]]:
    """The records of a run, without what depends on how fast it was."""
    text = (run_dir / "metrics.jsonl").read_text(encoding="utf-8")
    records = [json.loads(line) for line in text.splitlines()]
    return [{k: v for k, v in record.items() if k != "images_per_s"} for record in records]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    return {f"{part}.{k}": v for part in ("model", "ema") for k, v in state[part].items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


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


def stop_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Ask the trainer to stop in the middle of this 0-based step."""
    rate = loop.learning_rate

    def asking(now: int, *arguments: Any) -> float:
        if now == step:
            stop_request.request("interrupted")
        return rate(now, *arguments)

    monkeypatch.setattr(loop, "learning_rate", asking)


def stopped(
    run: RunConfig,
    run_dir: Path,
    execution: ExecutionConfig,
    monkeypatch: pytest.MonkeyPatch,
    step: int,
) -> None:
    """Train `run` until it has stopped behind 0-based `step`."""
    with monkeypatch.context() as patch:
        stop_at(patch, step)
        with pytest.raises(stop_request.Stopped) as raised:
            train(run, run_dir, execution)
    stop_request.clear()
    assert raised.value.reason == "interrupted"
    assert torch.load(run_dir / "checkpoint.pt", weights_only=True)["step"] == step + 1


KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "accumulation": {"train.accumulation": 4},
    "rmsprop": {"train.optimizer": "rmsprop", "train.lr_per_256": 0.05},
    "fp16": {"precision": "fp16"},
}


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
    monkeypatch.setattr(MicroBatches, "backward", None)  # no step can be trained any more
    again = train(tiny(), run_dir, execution)
    assert [again[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert again["step_time_s"] == whole["step_time_s"]


def spoil(path: Path, how: str) -> None:
    content = path.read_bytes()
    middle = len(content) // 2
    damaged = {
        "truncated": content[:middle],
        "one byte": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
    }
    path.write_bytes(damaged[how])


@pytest.mark.parametrize("how", ["truncated", "one byte", "gone"])
def test_a_damaged_checkpoint_falls_back_to_the_previous_one(
    execution: ExecutionConfig,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    whole, whole_dir = trained(tiny(), execution, "whole")
    run_dir = Path(execution.results_dir) / "broken"
    run_dir.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "due", lambda self: not self.busy)
        stopped(tiny(), run_dir, execution, monkeypatch, 10)
    latest = run_dir / "checkpoint.pt"
    earlier = torch.load(run_dir / "checkpoint.prev.pt", weights_only=True)["step"]
    assert 0 < earlier < 11
    latest.unlink() if how == "gone" else spoil(latest, how)
    capsys.readouterr()
    again = train(tiny(), run_dir, execution)
    said = capsys.readouterr().out
    assert f"resuming at step {earlier} of 16" in said
    assert ("warning: checkpoint.pt is" in said) == (how != "gone")
    assert [again[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert same(weights(run_dir), weights(whole_dir))


def test_a_damaged_checkpoint_never_becomes_the_previous_one(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    execution = replace(execution, checkpoint_every_s=1e9)
    run_dir = Path(execution.results_dir) / "broken"
    run_dir.mkdir(parents=True)
    for step in (3, 6):
        stopped(tiny(), run_dir, execution, monkeypatch, step)
    spoil(run_dir / "checkpoint.pt", "truncated")
    stopped(tiny(), run_dir, execution, monkeypatch, 8)
    spoil(run_dir / "checkpoint.pt", "truncated")
    stopped(tiny(), run_dir, execution, monkeypatch, 10)
    assert torch.load(run_dir / "checkpoint.prev.pt", weights_only=True)["step"] == 4


def test_without_a_usable_checkpoint_the_run_starts_again(
    execution: ExecutionConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, run_dir = trained(tiny(), execution, "whole")
    shutil.copy(run_dir / "checkpoint.pt", run_dir / "checkpoint.prev.pt")
    for name in ("checkpoint.pt", "checkpoint.prev.pt"):
        spoil(run_dir / name, "truncated")
    capsys.readouterr()
    assert train(tiny(), run_dir, execution)["val_loss"] == whole["val_loss"]
    latest, previous, *_ = said = capsys.readouterr().out.splitlines()
    assert latest.startswith("warning: checkpoint.pt is unreadable")
    assert latest.endswith("; falling back")
    assert previous.startswith("warning: checkpoint.prev.pt is unreadable")
    assert previous.endswith("; starting again")
    assert not any("resuming" in line for line in said)


def test_a_checkpoint_of_another_network_starts_the_run_again(execution: ExecutionConfig) -> None:
    whole, run_dir = trained(tiny(), execution, "whole")
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    for damage in ({"step": 8, "model": {}}, {"ema": {"a": torch.zeros(1)}}):
        torch.save(state | damage, run_dir / "checkpoint.pt")
        assert train(tiny(), run_dir, execution)["val_loss"] == whole["val_loss"]
    del state["loss"]
    torch.save(state, run_dir / "checkpoint.pt")
    assert train(tiny(), run_dir, execution)["val_loss"] == whole["val_loss"]


def test_a_checkpoint_of_other_processes_is_refused_and_stays(execution: ExecutionConfig) -> None:
    _, run_dir = trained(tiny(), execution, "whole")
    path = run_dir / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    torch.save(state | {"world_size": 4}, path)
    content = path.read_bytes()
    with pytest.raises(InputError, match=r"4 process.*torchrun --nproc-per-node 4 .*or remove"):
        train(tiny(), run_dir, execution)
    assert path.read_bytes() == content


def test_a_checkpoint_holds_the_state_of_its_step_though_training_goes_on(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, 0)
    weight, times = torch.zeros(1000, 1000), [0.1]
    state = {"model": {"w": weight}, "optimizer": [{"m": weight}], "step_times": times}
    checkpoints.save(state)
    weight += 1
    times.append(0.2)
    checkpoints.finish()
    checkpoints.close()
    stored = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert float(stored["model"]["w"].sum()) == float(stored["optimizer"][0]["m"].sum()) == 0
    assert stored["step_times"] == [0.1]


def test_a_checkpoint_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path / "nowhere", 0)
    checkpoints.save({"step": 1})
    with pytest.raises(FileNotFoundError):
        checkpoints.finish()
    checkpoints.close()


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


@pytest.mark.parametrize("before", [False, True])
def test_a_gpu_takes_the_fastest_kernels_for_the_time_of_a_run(
    monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", before)
    with tuned_convolutions("cuda"):
        assert torch.backends.cudnn.benchmark
    assert torch.backends.cudnn.benchmark == before
    with tuned_convolutions("cpu"):
        assert torch.backends.cudnn.benchmark == before


def test_a_non_finite_loss_ends_the_run_as_diverged(execution: ExecutionConfig) -> None:
    measured, _ = trained(tiny(**{"train.lr_per_256": 1e30}), execution, "one")
    assert measured["status"] == "diverged"
    assert "loss is not finite at step" in str(measured["error"])
    assert "val_error" not in measured


def test_it_learns(execution: ExecutionConfig) -> None:
    measured, run_dir = trained(tiny(**{"train.epochs": 8}), execution, "one")
    assert lines(run_dir)[0]["loss"] > lines(run_dir)[-2]["loss"]
    assert measured["val_error"] < 0.5  # type: ignore[operator]  # chance is 0.75
    assert measured["bound"] in ("data", "compute")
    assert measured["peak_memory_bytes"] > 50e6  # type: ignore[operator]


def test_records_go_to_every_sink(execution: ExecutionConfig) -> None:
    class Kept:
        def __init__(self) -> None:
            self.records: list[dict[str, float]] = []

        def write(self, **values: float) -> None:
            self.records.append(values)

    kept, run_dir = Kept(), Path(execution.results_dir) / "one"
    run_dir.mkdir(parents=True)
    train(tiny(), run_dir, replace(execution, metrics_every_s=0), sinks=[lambda first: kept])
    text = (run_dir / "metrics.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in text.splitlines()] == kept.records
    assert [r["step"] for r in kept.records] == [*range(1, 17), 16]
    assert all(r["images_per_s"] > 0 for r in kept.records[:-1])


def test_step_times_leave_out_warm_up_and_what_was_disturbed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Seven steps of 9, 9, 9, 1, 2, 50 and 6 seconds; half of each waits for images.
    clock = 0.0
    monkeypatch.setattr("scaling_study.training.step_timer.time.perf_counter", lambda: clock)
    times = StepTimes("cpu")
    for step, seconds in enumerate([9, 9, 9, 1, 2, 50, 6]):
        times.start()
        clock += seconds / 2
        times.got_batch()
        clock += seconds / 2
        assert times.end_step(step, last=False, disturbed=seconds == 50)
    found = times.columns(batch_size=8)
    assert found == {
        "step_time_s": 2,
        "step_time_mean_s": 3,
        "step_time_cv": pytest.approx(7**0.5 / 3),
        "images_per_s": 4,
        "bound": "data",
    }


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
