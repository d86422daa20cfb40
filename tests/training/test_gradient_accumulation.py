"""Passes of a step: gradients of the whole batch, also after a halving."""

import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers.micro_batches import batch, gradients, limit, linear, loss_of, micro_of
from helpers.tiny import tiny
from scaling_study.common.ranks import ALONE
from scaling_study.config.execution import ExecutionConfig
from scaling_study.launch import inline
from scaling_study.launch.job import Job
from scaling_study.training.gradient_accumulation import MicroBatches
from scaling_study.training.loop import train


@pytest.mark.parametrize("passes", [1, 2, 3, 6])
def test_accumulated_gradients_are_those_of_the_whole_batch(passes: int, tmp_path: Path) -> None:
    images, labels = batch(12)
    module = linear()
    loss_of(module, images, labels).backward()
    expected = gradients(module)
    module.zero_grad()
    micro = micro_of(module, 12, passes, tmp_path)
    loss = micro.backward(module, images, labels, 0, lambda loss: loss)
    torch.testing.assert_close(gradients(module), expected)
    torch.testing.assert_close(loss, loss_of(module, images, labels).detach())
    assert (micro.passes, micro.size, micro.halvings) == (passes, 12 // passes, 0)


def test_running_out_of_memory_halves_until_it_fits(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    images, labels = batch(26)
    module = linear()
    loss_of(module, images, labels).backward()
    expected = gradients(module)
    module.zero_grad()
    seen = limit(monkeypatch, 7, nn.Linear)
    micro = micro_of(module, 26, 1, tmp_path)
    micro.backward(module, images, labels, 0, lambda loss: loss)
    torch.testing.assert_close(gradients(module), expected)
    assert seen == [26, 13, 7, 7, 6, 6]
    assert (micro.size, micro.halvings) == (7, 2)
    micro.backward(module, images, labels, 0, lambda loss: loss)
    assert seen[6:] == [7, 7, 6, 6]  # it does not try the larger ones again


def test_a_step_that_ran_out_of_memory_starts_again_cleanly(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def module() -> nn.Module:
        torch.manual_seed(0)
        # The statistics are updated, and a mask is drawn, before the layer that fails.
        return nn.Sequential(
            nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(16, 3)
        )

    images, labels = (part.float() if part.dtype == torch.float64 else part for part in batch(16))
    known, halved = module(), module()
    micro_of(known, 16, 4, tmp_path).backward(known, images, labels, 5, lambda loss: loss)
    calls = limit(monkeypatch, 4, nn.Linear)
    micro = micro_of(halved, 16, 1, tmp_path)
    micro.backward(halved, images, labels, 5, lambda loss: loss)
    assert calls == [16, 8, 4, 4, 4, 4]
    torch.testing.assert_close(gradients(halved), gradients(known), rtol=0, atol=0)
    for name, tensor in known.state_dict().items():
        if tensor.is_floating_point():
            assert torch.equal(halved.state_dict()[name], tensor), name


def test_two_images_that_do_not_fit_are_an_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    limit(monkeypatch, 1, nn.Linear)
    module, (images, labels) = linear(), batch(8)
    micro = micro_of(module, 8, 1, tmp_path)
    with pytest.raises(torch.OutOfMemoryError):
        micro.backward(module, images, labels, 0, lambda loss: loss)
    assert micro.size == 2
    with pytest.raises(torch.OutOfMemoryError, match="no memory for 2 images"):
        micro.find_size(images, labels, ALONE, kept=1)


def test_a_run_with_too_little_memory_is_the_run_with_smaller_micro_batches(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    job = Job(tiny(), execution)
    limit(monkeypatch, 5, nn.Conv2d)
    (outcome,) = inline.launch([job])
    assert outcome.status == "ok"
    result = job.store.result(job.run.run_id)
    assert result is not None
    assert (result.batch_size, result.micro_batch_size, result.memory_halvings) == (16, 4, 2)
    assert "memory ran out; 4 forward passes a step of at most 4 images" in capsys.readouterr().out
    assert result.world_size == 1


def test_a_resumed_run_keeps_its_halved_micro_batch(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_dir = Path(execution.results_dir) / "one"
    run_dir.mkdir(parents=True)
    seen = limit(monkeypatch, 8, nn.Conv2d)
    first = train(tiny(), run_dir, replace(execution, checkpoint_every_s=1e9))
    assert first["memory_halvings"] == 1
    tries = seen.count(16)
    again = train(tiny(), run_dir, execution)
    assert again["memory_halvings"] == 1
    assert seen.count(16) == tries == 1


def test_a_probe_leaves_room_for_what_the_optimizer_will_hold(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module, (images, labels) = linear(), batch(8)
    micro, rooms, weights = micro_of(module, 8, 1, tmp_path), [], []
    make, passes = torch.empty_like, MicroBatches._passes

    def reserved(like: Tensor) -> Tensor:
        room = make(like)
        rooms.append(weakref.ref(room))
        return room

    def watched(self: Any, *arguments: Any) -> Tensor:
        weights.append(sum(r().nbytes for r in rooms if r() is not None))  # type: ignore[union-attr]
        return passes(self, *arguments)

    monkeypatch.setattr(torch, "empty_like", reserved)
    monkeypatch.setattr(MicroBatches, "_passes", watched)
    micro.find_size(images, labels, ALONE, kept=2)
    assert weights == [2 * sum(p.nbytes for p in module.parameters())]
    assert not [room for room in rooms if room() is not None]
    assert not gradients(module)
