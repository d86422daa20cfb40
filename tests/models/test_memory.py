"""Peak memory and checkpoint size against torch's own accounting."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from helpers.allocations import group_of_one, peak_bytes
from helpers.tiny import tiny
from scaling_study.common.ranks import World
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import run_cost
from scaling_study.cost.step_memory import USABLE, devices_needed, memory_bytes
from scaling_study.models import network
from scaling_study.models.drop_path import with_drop_path
from scaling_study.models.memory import TOLERANCE
from scaling_study.models.modules import build
from scaling_study.training.checkpoint import NAMES
from scaling_study.training.distributed import parallel
from scaling_study.training.ema import Ema
from scaling_study.training.loop import train
from scaling_study.training.optimizers import optimizer_of

PLAIN = {"model.stem": "plain", "model.se_ratio": 0.0, "model.shortcut": "projection"}
EFFICIENT = {
    "model": {
        "family": "efficientnet",
        "depth": 1.0,
        "width": 0.25,
        "stem": "small",
        "se_ratio": 0.25,
        "bn_momentum": 0.01,
        "dropout": 0.2,
        "stochastic_depth": 0.2,
    }
}
SHAPES: dict[str, dict[str, Any]] = {
    "tiny": {},
    "without stochastic depth": {"model.stochastic_depth": 0.0, "model.dropout": 0.0},
    "deeper and larger": {"model.depth": 26, "data.resolution": 32},
    "in bf16": {"precision": "bf16", "model.width": 0.25},
    "the paper's stem": {"model.stem": "rs", "data.resolution": 48},
    "max-pool, no gate": PLAIN | {"data.resolution": 64},
    "larger batch": {"train.batch_size": 64, "model.width": 0.25},
    "EfficientNet": EFFICIENT,
    "EfficientNet in bf16": EFFICIENT | {"precision": "bf16"},
    "swish": {"model.activation": "silu", "model.width": 0.25},
    "AdamW": {"train.optimizer": "adamw", "model.width": 0.25},
    "LAMB": {"train.optimizer": "lamb", "model.width": 0.25},
    "drop path": {"model.stochastic_depth": 0.0, "train.drop_path": 0.1},
    "RMSProp": {"train.optimizer": "rmsprop", "model.width": 0.25},
}
# Torch's tracker follows every operation, which takes seconds for most of these.
FAST = ("tiny", "the paper's stem", "RMSProp")
TRACKED = [
    pytest.param(changes, id=name, marks=() if name in FAST else pytest.mark.slow)
    for name, changes in SHAPES.items()
]


def one_step(run: RunConfig, device: str) -> tuple[Any, nn.Module, Any, Ema]:
    layers = with_drop_path(network(run.model, 4), run.train.drop_path)
    module = build(layers).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer, ema = optimizer_of(module, run.train), Ema(module, run.train.ema_decay)
    side, batch = run.data.resolution, run.train.batch_size

    def step(number: int = 0) -> None:
        images = torch.randn(batch, 3, side, side, device=device)
        images = images.contiguous(memory_format=torch.channels_last)
        labels = torch.zeros(batch, dtype=torch.int64, device=device)
        with torch.autocast(device, torch.bfloat16, enabled=run.precision == "bf16"):
            loss = cross_entropy(module(images), labels, label_smoothing=0.1)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        ema.update(number)

    step()
    return step, module, optimizer, ema


@pytest.mark.slow
@pytest.mark.parametrize("changes", TRACKED)
def test_peak_is_that_of_torchs_tracker(changes: dict[str, Any]) -> None:
    # Here: it takes torch seconds to import, of every worker.
    from torch.distributed._tools.mem_tracker import MemTracker

    run = tiny(**changes)
    step, module, optimizer, ema = one_step(run, "cpu")
    tracker = MemTracker()
    tracker.track_external(module, optimizer, *ema.state_dict().values())
    with tracker:
        step(1)
    (peak,) = tracker.get_tracker_snapshot("peak").values()
    counted = next(size for kind, size in peak.items() if str(kind) == "Total")
    assert run_cost(run).memory_bytes == pytest.approx(counted, rel=0.02)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU: torch.cuda's count is not there")
@pytest.mark.parametrize("changes", SHAPES.values(), ids=SHAPES)
def test_peak_is_that_of_the_gpus_allocator(changes: dict[str, Any]) -> None:
    run = tiny(**{"train.batch_size": 128, "device": "cuda"} | changes)
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step, *_kept = one_step(run, "cuda")
    torch.cuda.reset_peak_memory_stats()
    step(1)
    peak = torch.cuda.max_memory_allocated() - before
    assert run_cost(run).memory_bytes == pytest.approx(peak, rel=TOLERANCE)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adamw", "lamb"])
def test_bytes_on_disk(tmp_path: Path, execution: ExecutionConfig, optimizer: str) -> None:
    run = tiny(**{"model.width": 0.5, "train.epochs": 2, "train.optimizer": optimizer})
    train(run, tmp_path, replace(execution, checkpoint_every_s=0))
    kept = sum(path.stat().st_size for path in tmp_path.iterdir() if path.name != NAMES[1])
    assert run_cost(run).disk_bytes == pytest.approx(kept, rel=0.05)
    assert run_cost(run).checkpoint_bytes > run_cost(run).disk_bytes * 1.4


WEIGHTS_OR_ACTIVATIONS = pytest.mark.parametrize(
    "changes",
    [
        {"model.depth": 26, "model.width": 0.25, "data.resolution": 32},
        {"model.width": 1.0},
        {"model.width": 0.5, "precision": "bf16"},
    ],
    ids=["activations weigh more", "weights weigh more", "bf16"],
)


@pytest.mark.parametrize("passes", [2, 4])
@WEIGHTS_OR_ACTIVATIONS
def test_a_step_of_several_passes(changes: dict[str, Any], passes: int) -> None:
    """Gradients add up, and the images of all passes are there."""
    run = tiny(**{"train.batch_size": 64, "train.accumulation": passes} | changes)
    module = build(network(run.model, 4))
    peak = peak_bytes(module, 64, run.data.resolution, run.precision, passes)
    found = run_cost(run).memory_bytes - lasting(run, module)
    assert found == pytest.approx(peak, rel=TOLERANCE)


@pytest.mark.parametrize("share", [8, 64])
@WEIGHTS_OR_ACTIVATIONS
@pytest.mark.filterwarnings("ignore:`broadcast_buffers` is deprecated:FutureWarning")
def test_a_step_of_several_processes(changes: dict[str, Any], share: int) -> None:
    """DDP's buckets hold all gradients, also while no backward pass has begun."""
    run = tiny(**{"train.batch_size": 4 * share} | changes)
    module = build(network(run.model, 4))
    module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    with group_of_one():
        joint = parallel(module, World(0, 4, 0, "", 0), "cpu", sync_batch_norm=False)
        peak = peak_bytes(joint, share, run.data.resolution, run.precision)
    buckets = sum(weight.numel() * weight.element_size() for weight in module.parameters())
    there = peak + buckets + lasting(run, module)
    assert memory_bytes(run, 4) == pytest.approx(there, rel=TOLERANCE)


def lasting(run: RunConfig, module: nn.Module) -> int:
    """Bytes of the optimizer and the average, which are not in a peak of `peak_bytes`."""
    weights, buffers = (
        sum(tensor.numel() * tensor.element_size() for tensor in kind)
        for kind in (module.parameters(), module.buffers())
    )
    return (1 + run.train.optimizer_tensors[0]) * weights + buffers


def test_images_and_accumulation() -> None:
    assert run_cost(tiny()).data_bytes == 4 * (32 + 16) * 16 * 16
    whole, parts = (tiny(**{"train.batch_size": 64, "train.accumulation": n}) for n in (1, 4))
    assert run_cost(whole).memory_bytes > run_cost(parts).memory_bytes


def test_memory_where_several_processes_train_a_run() -> None:
    run = tiny(**{"train.batch_size": 64, "train.accumulation": 2})
    assert memory_bytes(run, 1) == run_cost(run).memory_bytes
    share = tiny(**{"train.batch_size": 16, "train.accumulation": 2})
    assert memory_bytes(run, 4) == run_cost(share).memory_bytes
    assert devices_needed(run) == 1


def test_the_fewest_devices_that_hold_a_step() -> None:
    run = tiny(**{"train.batch_size": 64, "device": "cuda"})
    for devices in (2, 8):
        assert devices_needed(run, memory_bytes(run, devices) / USABLE) == devices
    assert devices_needed(run, 1000.0) is None
