"""Runs of equal seed that draw the same: images, augmentation, and weights where shapes agree."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.tiny import tiny
from helpers.trained_runs import same, stopped, trained, weights
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.models import network
from scaling_study.models.modules import build
from scaling_study.training.common_weights import draw_by_shape
from scaling_study.training.input_pipeline.batches import TrainingData
from scaling_study.training.loop import train

COMMON = {"train.common_random_numbers": True}
DEEPER = {"model.depth": 26}
AUGMENTED = {"data.crop": "random_resized", "data.randaugment_layers": 1}


def batches(run: RunConfig, execution: ExecutionConfig, run_dir: Path) -> list[Tensor]:
    """Images and labels of the run's first ten steps, which are more than an epoch."""
    data = TrainingData.of(run, execution, run_dir)
    return [tensor for batch in data.batches(0, 10) for tensor in batch]


def equal(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def drawn(run: RunConfig) -> dict[str, Tensor]:
    layers = network(run.model, 4)
    with torch.random.fork_rng([]):
        module = build(layers)
        draw_by_shape(module, layers, run.random_key)
    return module.state_dict()


@pytest.mark.parametrize("more", [{}, AUGMENTED])
def test_cells_of_equal_seed_see_the_same_images(
    execution: ExecutionConfig, tmp_path: Path, more: dict[str, Any]
) -> None:
    one = batches(tiny(**COMMON, **more), execution, tmp_path)
    assert equal(one, batches(tiny(**COMMON, **DEEPER, **more), execution, tmp_path))
    assert not equal(one, batches(tiny(seed=1, **COMMON, **more), execution, tmp_path))
    assert not equal(
        batches(tiny(**more), execution, tmp_path),
        batches(tiny(**DEEPER, **more), execution, tmp_path),
    )


def test_the_ids_of_independent_cells_stay() -> None:
    assert tiny(**{"train.common_random_numbers": False}).run_id == tiny().run_id
    assert tiny(**COMMON).run_id != tiny().run_id
    assert tiny(**COMMON).random_key == tiny(**COMMON, **DEEPER).random_key
    assert tiny().random_key == tiny().run_id


def test_layers_of_equal_shape_have_equal_weights() -> None:
    """A deeper network begins with the shallow one's."""
    shallow, deeper = drawn(tiny(**COMMON)), drawn(tiny(**COMMON, **DEEPER))
    for shape in {t.shape for t in shallow.values() if t.ndim == 4}:
        ours = [t for t in shallow.values() if t.shape == shape]
        theirs = [t for t in deeper.values() if t.shape == shape]
        assert len(theirs) >= len(ours)
        assert equal(ours, theirs[: len(ours)])
        # Layers of one network differ.
        assert len({float(t.sum()) for t in theirs}) == len(theirs)
    other = drawn(tiny(seed=1, **COMMON))
    assert not any(torch.equal(t, other[k]) for k, t in shallow.items() if t.ndim == 4)


def test_weights_are_drawn_from_the_same_distribution() -> None:
    layers = network(tiny(**COMMON, **{"model.width": 1.0}).model, 4)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        plain = build(layers).state_dict()
    common = drawn(tiny(**COMMON, **{"model.width": 1.0}))
    assert common.keys() == plain.keys()
    for name, tensor in plain.items():
        if tensor.numel() > 10_000:
            assert float(common[name].std()) == pytest.approx(float(tensor.std()), rel=0.05)
        elif tensor.ndim == 1:  # norms and biases are not drawn
            assert torch.equal(common[name], tensor)


@pytest.mark.slow
def test_a_stopped_run_ends_with_the_same_bits(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny(**COMMON)
    whole, whole_dir = trained(run, execution, "whole")
    run_dir = Path(execution.results_dir) / "resumed"
    run_dir.mkdir()
    stopped(run, run_dir, execution, monkeypatch, 10)
    assert train(run, run_dir, execution)["val_loss"] == whole["val_loss"]
    assert same(weights(run_dir), weights(whole_dir))
