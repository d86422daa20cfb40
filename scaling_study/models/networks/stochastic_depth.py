"""Stochastic depth (Huang et al. 2016) of a residual branch."""

import torch
from torch import Tensor, nn


class StochasticDepth(nn.Module):
    """In training drops an image's branch at `rate`, and scales the others by 1 / (1 - rate)."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0:
            return x
        keep = 1 - self.rate
        shape = (len(x), *[1] * (x.ndim - 1))
        return x * (torch.rand(shape, device=x.device) < keep).to(x.dtype).div_(keep)


def rates(largest: float, blocks: int) -> list[float]:
    """Drop rates that rise linearly from 0 at the first block to `largest` at the last."""
    return [largest * i / max(1, blocks - 1) for i in range(blocks)]
