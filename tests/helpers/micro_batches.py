"""A step in passes, and a device that holds only so many images."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from scaling_study.training.gradient_accumulation import MicroBatches
from scaling_study.training.out_of_memory import HalvingsFile


def loss_of(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    return cross_entropy(network(images), labels)


def micro_of(module: nn.Module, share: int, passes: int, run_dir: Path) -> MicroBatches:
    return MicroBatches(module, loss_of, share, passes, HalvingsFile(run_dir, 1))


def linear() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).double()


def gradients(module: nn.Module) -> list[Tensor]:
    return [p.grad.clone() for p in module.parameters() if p.grad is not None]


def batch(n: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(n, 3, 2, 2).double(), torch.randint(3, (n,))


def limit(
    monkeypatch: pytest.MonkeyPatch,
    fits: int,
    layer: type[nn.Module],
    error: Exception | None = None,
    training: bool = True,
) -> list[int]:
    """A `layer` raises as CUDA does above `fits` images, in training or in evaluation.

    Returns the sizes that it saw then.
    """
    seen: list[int] = []
    forward = layer.forward

    def limited(self: Any, x: Tensor) -> Tensor:
        if self.training == training:
            seen.append(len(x))
            if len(x) > fits:
                raise error or torch.OutOfMemoryError("CUDA out of memory (simulated)")
        return forward(self, x)

    monkeypatch.setattr(layer, "forward", limited)
    return seen
