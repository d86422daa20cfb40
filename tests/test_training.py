"""The trainer against closed forms, float64 loops and itself."""

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from scaling_study.config import RunConfig, Setting
from scaling_study.models.build import Residual
from scaling_study.training import loop
from scaling_study.training.checkpoint import Checkpoints
from scaling_study.training.ema import Ema
from scaling_study.training.loop import sgd, train
from scaling_study.training.schedule import ema_decay, learning_rate
from tiny import tiny

MEASURED = ("val_error", "val_loss", "train_error")


def test_learning_rate_warms_up_linearly_then_follows_the_cosine() -> None:
    rates = [learning_rate(step, 100, 10, 2.0) for step in range(100)]
    assert rates[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    cosine = [1 + math.cos(math.pi * (i + 0.5) / 90) for i in range(90)]
    assert rates[10:] == pytest.approx(cosine)


def test_learning_rate_without_warm_up_starts_near_the_peak() -> None:
    assert learning_rate(0, 1000, 0, 1.0) == pytest.approx(1.0, abs=1e-5)


def test_ema_follows_a_float64_loop_and_covers_batch_norm_statistics() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    ema = Ema(module)
    expected = {k: v.double().clone() for k, v in module.state_dict().items()}
    for update in range(50):
        module(torch.randn(8, 3, 2, 2))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter))
        decay = ema_decay(update, 0.9999)
        assert decay == min(0.9999, (1 + update) / (10 + update))
        ema.update(decay)
        for name, live in module.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * live.double()
    state = ema.state_dict()
    for name in ("0.weight", "1.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(state[name].double(), expected[name], rtol=1e-5, atol=1e-6)


def test_stochastic_depth_keeps_the_expectation_and_drops_whole_images() -> None:
    torch.manual_seed(0)
    block = Residual(nn.Sequential(), nn.Sequential(nn.ReLU()), drop_rate=0.3)
    x = torch.full((20_000, 1, 1, 1), 1.0)
    y = block(x)
    # relu(x) + x / 0.7 where kept, relu(x) where dropped.
    assert y.unique().tolist() == pytest.approx([1.0, 1 + 1 / 0.7])
    assert float(y.mean()) == pytest.approx(2.0, abs=0.02)
    assert torch.equal(block.eval()(x), 2 * x)


def test_weight_decay_spares_batch_norm_only() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    decayed, undecayed = sgd(module, tiny().train).param_groups
    assert decayed["weight_decay"] == 5e-4
    assert undecayed["weight_decay"] == 0
    assert {id(p) for p in undecayed["params"]} == {id(p) for p in module[1].parameters()}
    assert len(decayed["params"]) == 4


def trained(run: RunConfig, setting: Setting, name: str) -> tuple[dict[str, object], Path]:
    run_dir = Path(setting.results_dir) / name
    run_dir.mkdir(parents=True)
    return train(run, run_dir, setting), run_dir


def lines(run_dir: Path) -> list[dict[str, float]]:
    text = (run_dir / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def weights(run_dir: Path) -> dict[str, torch.Tensor]:
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    return {f"{part}.{k}": v for part in ("model", "ema") for k, v in state[part].items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_same_run_gives_the_same_bits(setting: Setting, precision: str) -> None:
    run = tiny(precision=precision)
    one, one_dir = trained(run, setting, "one")
    two, two_dir = trained(run, setting, "two")
    assert [one[k] for k in MEASURED] == [two[k] for k in MEASURED]
    assert same(weights(one_dir), weights(two_dir))
    other, other_dir = trained(tiny(precision=precision, seed=1), setting, "other")
    assert not same(weights(one_dir), weights(other_dir))
    assert other["val_loss"] != one["val_loss"]


@pytest.mark.parametrize("stop", [1, 5, 8, 11])
def test_a_resumed_run_ends_with_the_weights_of_an_uninterrupted_one(
    setting: Setting, monkeypatch: pytest.MonkeyPatch, stop: int
) -> None:
    whole, whole_dir = trained(tiny(), setting, "whole")
    saved = 0

    def save_then_stop(self: Checkpoints, state: dict[str, object]) -> None:
        nonlocal saved
        original(self, state)
        saved += 1
        if saved == stop:
            raise KeyboardInterrupt

    original = Checkpoints.save
    monkeypatch.setattr(Checkpoints, "due", lambda self: True)
    monkeypatch.setattr(Checkpoints, "save", save_then_stop)
    run_dir = Path(setting.results_dir) / "resumed"
    run_dir.mkdir()
    with pytest.raises(KeyboardInterrupt):
        train(tiny(), run_dir, setting)
    assert torch.load(run_dir / "checkpoint.pt", weights_only=True)["step"] == stop
    monkeypatch.undo()
    resumed = train(tiny(), run_dir, setting)
    assert [resumed[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert same(weights(run_dir), weights(whole_dir))
    assert lines(run_dir) == lines(whole_dir)
    assert [line["step"] for line in lines(run_dir)] == [8, 16, 16]  # two epochs, the evaluation


def test_a_lost_result_costs_no_training(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, run_dir = trained(tiny(), setting, "whole")
    monkeypatch.setattr(loop, "cross_entropy", None)  # no step can be trained any more
    again = train(tiny(), run_dir, setting)
    assert [again[k] for k in MEASURED] == [whole[k] for k in MEASURED]
    assert again["step_time_s"] == whole["step_time_s"]


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 torn"])
def test_a_broken_checkpoint_starts_the_run_again(
    setting: Setting, content: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, _ = trained(tiny(), setting, "whole")
    run_dir = Path(setting.results_dir) / "broken"
    run_dir.mkdir()
    (run_dir / "checkpoint.pt").write_bytes(content)
    again = train(tiny(), run_dir, setting)
    assert "starting again" in capsys.readouterr().out
    assert again["val_loss"] == whole["val_loss"]


def test_a_checkpoint_of_another_network_starts_the_run_again(setting: Setting) -> None:
    whole, run_dir = trained(tiny(), setting, "whole")
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)
    for damage in ({"step": 8, "model": {}}, {"ema": {"a": torch.zeros(1)}}):
        torch.save(state | damage, run_dir / "checkpoint.pt")
        assert train(tiny(), run_dir, setting)["val_loss"] == whole["val_loss"]
    del state["loss"]
    torch.save(state, run_dir / "checkpoint.pt")
    assert train(tiny(), run_dir, setting)["val_loss"] == whole["val_loss"]


def test_windows_of_steps_end_with_the_epoch(
    setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, plain_dir = trained(tiny(), setting, "plain")
    begin = loop.StepTimes.__init__

    def as_on_a_gpu(self: loop.StepTimes, device: str) -> None:
        begin(self, device)
        self._window = loop.GPU_WINDOW

    monkeypatch.setattr(loop.StepTimes, "__init__", as_on_a_gpu)
    wide, wide_dir = trained(tiny(), setting, "wide")
    assert lines(wide_dir) == lines(plain_dir)
    assert wide["val_loss"] == plain["val_loss"]
    diverged, _ = trained(tiny(**{"train.lr_per_256": 1e30}), setting, "diverged")
    assert diverged["status"] == "diverged"


def test_the_process_is_left_as_it_was(setting: Setting) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    threads = torch.get_num_threads()
    trained(tiny(), setting, "one")
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads


def test_a_non_finite_loss_ends_the_run_as_diverged(setting: Setting) -> None:
    measured, _ = trained(tiny(**{"train.lr_per_256": 1e30}), setting, "one")
    assert measured["status"] == "diverged"
    assert "loss is not finite at step" in str(measured["error"])
    assert "val_error" not in measured


def test_it_learns(setting: Setting) -> None:
    measured, run_dir = trained(tiny(**{"train.epochs": 8}), setting, "one")
    assert lines(run_dir)[0]["loss"] > lines(run_dir)[-2]["loss"]
    assert measured["val_error"] < 0.5  # type: ignore[operator]  # chance is 0.75
    assert measured["bound"] in ("data", "compute")
    assert measured["peak_memory_bytes"] > 50e6  # type: ignore[operator]
