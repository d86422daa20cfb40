"""Whole trainings with the switches of modern recipes."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from helpers.tiny import tiny
from helpers.trained_runs import lines, same, stopped, trained, weights
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import forward, run_cost, train_flops
from scaling_study.cost.time_model import amounts
from scaling_study.data import load
from scaling_study.training import loop
from scaling_study.training.input_pipeline.batches import TrainingData

SILENT = {"model.dropout": 0.0, "model.stochastic_depth": 0.0}
MODERN = SILENT | {
    "train.optimizer": "lamb",
    "train.clip_norm": 1.0,
    "train.mixup": 0.2,
    "train.cutmix": 1.0,
    "train.loss": "bce",
    "train.bce_threshold": 0.2,
    "train.repeats": 3,
    "train.drop_path": 0.1,
    "train.ghost_batch": 4,
    "train.layer_decay": 0.9,
    "train.schedule": "wsd",
    "train.resolutions": [12, 16],
    "data.augment_policy": "trivialaugment",
    "data.erasing": 0.5,
}


def data_of(run: RunConfig, execution: ExecutionConfig, folder: Path) -> TrainingData:
    return TrainingData.of(run, execution, folder)


@pytest.mark.slow
def test_a_modern_run_resumes_bit_by_bit(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny(**MODERN)
    whole, folder = trained(run, execution, "whole")
    other = Path(execution.results_dir) / "other"
    other.mkdir()
    with monkeypatch.context() as patch:
        stopped(run, other, execution, patch, 9)
    again = loop.train(run, other, execution)
    assert same(weights(folder), weights(other))
    assert again["val_loss"] == whole["val_loss"]


def test_clipping_bounds_the_norm_of_all_gradients(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, float]] = []
    make = loop.optimizer_of

    def spied(module: nn.Module, recipe: Any, undecayed: Any) -> Any:
        optimizer = make(module, recipe, undecayed)
        step = optimizer.step

        def spy(*a: Any, **k: Any) -> Any:
            norms = [p.grad.double().norm() ** 2 for p in module.parameters()]
            seen.append((float(sum(norms)) ** 0.5, recipe.clip_norm))
            return step(*a, **k)

        optimizer.step = spy
        return optimizer

    monkeypatch.setattr(loop, "optimizer_of", spied)
    for clip in (0.0, 0.05):
        trained(tiny(**SILENT, **{"train.clip_norm": clip}), execution, f"clip{clip}")
    free = [norm for norm, clip in seen if not clip]
    clipped = [norm for norm, clip in seen if clip]
    assert min(free) > 0.1
    assert clipped == pytest.approx([0.05] * len(clipped), rel=1e-3)


@pytest.mark.parametrize("repeats", [1, 2, 3])
def test_repeated_images_are_together_in_a_batch_and_not_side_by_side(
    execution: ExecutionConfig, tmp_path: Path, repeats: int
) -> None:
    run = tiny(**{"train.repeats": repeats, "data.shift": 0.0, "data.flip": False})
    data = data_of(run, execution, tmp_path)
    steps = data.steps_per_epoch
    batches = [images for images, _ in data.batches(0, steps)]
    names = [[image.numpy().tobytes() for image in batch] for batch in batches]
    counts = Counter(name for batch in names for name in batch)
    assert len(counts) == -(-steps * 16 // repeats)  # the epoch is as long as without
    assert max(counts.values()) == repeats
    for batch in names:
        assert len(set(batch)) <= -(-16 // repeats) + 1
        if repeats > 1:
            assert all(a != b for a, b in zip(batch[::2], batch[1::2], strict=True))
    # The order is that of a run without repeats: the same generator, and its first images.
    first = data_of(tiny(**{"data.shift": 0.0, "data.flip": False}), execution, tmp_path)
    assert len({i.numpy().tobytes() for b, _ in first.batches(0, steps) for i in b}) == 128


def test_copies_of_an_image_are_augmented_each_anew(
    execution: ExecutionConfig, tmp_path: Path
) -> None:
    run = tiny(**{"train.repeats": 2, "data.erasing": 1.0})
    images, _ = next(data_of(run, execution, tmp_path).batches(0, 1))
    assert len({image.numpy().tobytes() for image in images}) == 16


PROGRESSIVE = {"data.resolution": 32, "train.resolutions": [16, 24, 32], "train.epochs": 6}


@pytest.mark.parametrize("crop", ["none", "random_resized"])
def test_stages_show_images_of_their_resolution_and_cost_what_they_cost(
    execution: ExecutionConfig, tmp_path: Path, crop: str
) -> None:
    run = tiny(**PROGRESSIVE, **{"data.crop": crop})
    data = data_of(run, execution, tmp_path)
    steps = data.steps_per_epoch
    sides = [images.shape[-1] for images, _ in data.batches(0, 6 * steps)]
    assert sides == [16] * 2 * steps + [24] * 2 * steps + [32] * 2 * steps
    of = {side: forward(tiny(**{"data.resolution": side})).flops for side in dict.fromkeys(sides)}
    cost = run_cost(run)
    assert cost.train_flops == train_flops(run) == 3 * 16 * sum(of[side] for side in sides)
    assert cost.flops == of[32]
    # Forecasts count steps by their FLOPs.
    columns = {"batch_size": 16, "n_train": 128, "n_val": 64, **vars(cost)}
    assert amounts(columns)[0] == pytest.approx(sum(of[s] / of[32] for s in sides))
    plain = vars(run_cost(tiny(**{"train.epochs": 6})))
    assert amounts(columns | plain)[0] == 6 * steps


def test_smaller_images_are_the_larger_ones_resized(
    execution: ExecutionConfig, tmp_path: Path
) -> None:
    run = tiny(**PROGRESSIVE, **{"data.shift": 0.0, "data.flip": False})
    small, _ = next(data_of(run, execution, tmp_path).batches(0, 1))
    pool = load(run.data, tmp_path).train.pixels
    halves = pool.reshape(len(pool), 16, 2, 16, 2).mean((2, 4))  # means of 2 x 2 pixels
    found = []
    for image in small[:, 0].numpy().astype(float):
        off = np.sort(np.abs(halves - image).mean((1, 2)))
        assert off[0] < 0.5 * off[1]  # bicubic is not the mean, but no other image is as near
        found.append(int(np.abs(halves - image).mean((1, 2)).argmin()))
    assert len(set(found)) == 16


@pytest.mark.slow
def test_evaluation_at_another_resolution(execution: ExecutionConfig, tmp_path: Path) -> None:
    run = tiny(**{"data.test_resolution": 24})
    data = data_of(run, execution, tmp_path)
    assert next(data.batches(0, 1))[0].shape[-1] == 16
    expected = load(replace(run.data, resolution=24, test_resolution=0), tmp_path)
    for split, images in (("val", expected.val), ("train", expected.train)):
        shown = torch.cat([pixels for pixels, _ in data.evaluation(split)])
        assert torch.equal(shown[:, 0], torch.from_numpy(images.pixels))
    measured, folder = trained(run, execution, "fixres")
    plain, _ = trained(tiny(), execution, "plain")
    assert measured["status"] == "ok"
    assert measured["val_loss"] != plain["val_loss"]
    assert lines(folder)


@pytest.mark.slow
def test_step_times_are_those_of_the_last_resolution(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[bool] = []
    end = loop.StepTimes.end_step

    def spy(self: Any, step: int, last: bool, disturbed: bool) -> bool:
        kept.append(not disturbed)
        return end(self, step, last, disturbed)

    monkeypatch.setattr(loop.StepTimes, "end_step", spy)
    trained(tiny(**PROGRESSIVE), replace(execution, checkpoint_every_s=1e9), "progressive")
    assert kept == [False] * 32 + [True] * 16
