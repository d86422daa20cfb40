"""What the loop does with its parts: the loss, the weights that are scored, precision, layout."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from helpers.tiny import tiny
from helpers.trained_runs import lines, stopped, trained
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.models import network, timm_weights
from scaling_study.models.modules import build
from scaling_study.training import loop
from scaling_study.training.benchmark import inference_time_s
from scaling_study.training.input_pipeline.batches import TrainingData, to_input
from scaling_study.training.loop import train
from scaling_study.training.numerics import autocast, gradient_scaler
from scaling_study.training.seeds import seed_of

SILENT = {"model.dropout": 0.0, "model.stochastic_depth": 0.0}


def in_float64(monkeypatch: pytest.MonkeyPatch) -> None:
    """The loop's network and images in double precision, until it scores."""
    make, feed, evaluate = loop.module_for, loop.on_device, loop.evaluate

    def doubled(*arguments: Any) -> Iterator[tuple[Tensor, Tensor]]:
        for images, labels in feed(*arguments):
            yield images.double(), labels

    def in_float32(module: nn.Module, *arguments: Any) -> Any:
        return evaluate(module.float(), *arguments)

    monkeypatch.setattr(loop, "module_for", lambda *network: make(*network).double())
    monkeypatch.setattr(loop, "on_device", doubled)
    monkeypatch.setattr(loop, "evaluate", in_float32)


def first_logits(
    run: RunConfig, execution: ExecutionConfig, run_dir: Path
) -> tuple[Tensor, Tensor]:
    """Logits and labels of the first step of `run`, in float64."""
    data = TrainingData.of(run, execution, run_dir)
    pixels, labels = next(data.batches(0, 1))
    torch.manual_seed(seed_of(run.run_id, "init"))
    module = build(network(run.model, data.info.n_classes)).double().train()
    return module(to_input(pixels, data.mean, data.std).double()).detach(), labels


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_first_loss_is_the_smoothed_cross_entropy_of_the_first_batch(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, smoothing: float
) -> None:
    run = tiny(**SILENT, **{"train.label_smoothing": smoothing})
    with monkeypatch.context() as patch, torch.random.fork_rng([]):
        in_float64(patch)
        _, run_dir = trained(run, replace(execution, metrics_every_s=0), "one")
        logits, labels = first_logits(run, execution, run_dir)
    # The definition (Szegedy et al. 2016): a share of the target is spread over all classes.
    log_p = log_softmax(logits, 1)
    right = log_p.gather(1, labels[:, None])[:, 0]
    expected = -((1 - smoothing) * right + smoothing * log_p.mean(1)).mean()
    assert lines(run_dir)[0]["loss"] == pytest.approx(float(expected), rel=1e-9)
    assert (abs(float(expected + right.mean())) > 1e-5) == (smoothing > 0)


@torch.no_grad()
def val_loss(run: RunConfig, execution: ExecutionConfig, run_dir: Path, weights: str) -> float:
    """Cross-entropy of the evaluation split in the network that a run's checkpoint holds."""
    data = TrainingData.of(run, execution, run_dir)
    module = build(network(run.model, data.info.n_classes)).eval()
    module.load_state_dict(torch.load(run_dir / "checkpoint.pt", weights_only=True)[weights])
    pixels, labels = (torch.cat(parts) for parts in zip(*data.evaluation("val"), strict=True))
    return float(cross_entropy(module(to_input(pixels, data.mean, data.std)), labels))


def test_start_up_is_in_no_wall_time(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the first run of a process would spoil the forecasts of all others."""
    clock, loaded = loop.time.monotonic, 0.0
    load, build_module = loop.TrainingData.of, loop.module_for

    def slowly(make: Any) -> Any:
        def made(*arguments: Any) -> Any:
            nonlocal loaded
            loaded += 10_000
            return make(*arguments)

        return made

    monkeypatch.setattr(loop.TrainingData, "of", slowly(load))
    monkeypatch.setattr(loop, "module_for", slowly(build_module))
    monkeypatch.setattr(loop.time, "monotonic", lambda: clock() + loaded)
    measured, _ = trained(tiny(), execution, "run")
    assert 0 < float(str(measured["wall_s"])) < 10_000


def test_what_is_scored_is_the_average_and_not_the_live_weights(execution: ExecutionConfig) -> None:
    measured, run_dir = trained(tiny(), execution, "one")
    averaged, live = (val_loss(tiny(), execution, run_dir, part) for part in ("ema", "model"))
    assert measured["val_loss"] == pytest.approx(averaged, rel=1e-5)
    assert measured["val_loss"] != pytest.approx(live, rel=1e-2)


def test_without_an_average_the_live_weights_are_scored(execution: ExecutionConfig) -> None:
    run = tiny(**{"train.ema_decay": 0.0})
    measured, run_dir = trained(run, execution, "one")
    assert measured["val_loss"] == pytest.approx(
        val_loss(run, execution, run_dir, "model"), rel=1e-5
    )


def spied(monkeypatch: pytest.MonkeyPatch, run: RunConfig, execution: ExecutionConfig) -> list[Any]:
    """Of every convolution while `run` trains and is scored: training, output type, layouts."""
    seen: list[Any] = []
    forward = nn.Conv2d.forward

    def spy(self: nn.Conv2d, x: Tensor) -> Tensor:
        y = forward(self, x)
        if min(*x.shape[1:], *y.shape[1:]) > 1:  # else all layouts are one
            last = [t.is_contiguous(memory_format=torch.channels_last) for t in (x, y)]
            seen.append((self.training, y.dtype, *last))
        return y

    with monkeypatch.context() as patch:
        patch.setattr(nn.Conv2d, "forward", spy)
        trained(run, execution, "spied")
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "training", "scoring"),
    [
        ("fp32", torch.float32, torch.float32),
        ("bf16", torch.bfloat16, torch.bfloat16),
        ("fp16", torch.float16, torch.float16),
    ],
)
def test_convolutions_compute_in_the_runs_precision(
    execution: ExecutionConfig,
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    training: torch.dtype,
    scoring: torch.dtype,
) -> None:
    seen = spied(monkeypatch, tiny(precision=precision), execution)
    assert {dtype for trains, dtype, *_ in seen if trains} == {training}
    assert {dtype for trains, dtype, *_ in seen if not trains} == {scoring}


@pytest.mark.parametrize(
    ("precision", "computed", "scaled"),
    [
        ("fp32", torch.float32, False),
        ("bf16", torch.bfloat16, False),
        ("fp16", torch.float16, True),
    ],
)
def test_a_forward_pass_is_timed_in_the_precision_of_training_and_scoring(
    monkeypatch: pytest.MonkeyPatch, precision: str, computed: torch.dtype, scaled: bool
) -> None:
    run, seen, forward = tiny(precision=precision), set(), nn.Linear.forward

    def spy(self: nn.Linear, x: Tensor) -> Tensor:
        y = forward(self, x)
        seen.add(y.dtype)
        return y

    monkeypatch.setattr(nn.Linear, "forward", spy)
    assert inference_time_s(run) > 0
    assert seen == {computed}
    with autocast(run):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == computed
    assert gradient_scaler(run).is_enabled() == scaled


@pytest.mark.slow
@pytest.mark.parametrize("channels_last", [True, False])
def test_images_lie_in_memory_as_the_recipe_says(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, channels_last: bool
) -> None:
    run = tiny(**{"train.channels_last": channels_last})
    seen = spied(monkeypatch, run, execution)
    assert {layout for _, _, *layouts in seen for layout in layouts} == {channels_last}


@pytest.mark.slow
def test_a_resumed_fp16_run_goes_on_with_its_gradient_scale(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The scale doubles every fifth step, so that it has changed before the stop and after it.
    scaler = partial(torch.amp.GradScaler, init_scale=256.0, growth_interval=5)
    monkeypatch.setattr(torch.amp, "GradScaler", scaler)
    run = tiny(precision="fp16")
    whole, whole_dir = trained(run, execution, "whole")
    run_dir = Path(execution.results_dir) / "resumed"
    run_dir.mkdir()
    stopped(run, run_dir, execution, monkeypatch, 7)
    assert scale_of(run_dir) == (512.0, 3)
    resumed = train(run, run_dir, execution)
    assert scale_of(run_dir) == scale_of(whole_dir) == (2048.0, 1)
    assert resumed["val_loss"] == whole["val_loss"]


def scale_of(run_dir: Path) -> tuple[float, int]:
    """The gradient scale in a run's checkpoint, and the steps since it changed."""
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)["scaler"]
    return state["scale"], state["_growth_tracker"]


@pytest.mark.slow
def test_a_resumed_run_does_not_need_the_file_of_its_first_weights(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    drawn = tiny(**{"model.stem": "rs", "data.resolution": 32})
    state = build(network(drawn.model, 4)).state_dict()
    file = tmp_path / "first.pth"
    timm_weights.export(state, drawn.model, file)
    run = tiny(**{"model.stem": "rs", "data.resolution": 32}, init=f"timm:{file}")
    whole, _ = trained(run, execution, "whole")
    run_dir = Path(execution.results_dir) / "resumed"
    run_dir.mkdir()
    stopped(run, run_dir, execution, monkeypatch, 7)
    file.unlink()
    assert train(run, run_dir, execution)["val_loss"] == whole["val_loss"]
