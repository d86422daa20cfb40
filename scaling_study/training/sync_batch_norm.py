"""Batch norm over the batches of all processes, on CPUs; torch has it for GPUs alone."""

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.nn.functional import all_reduce  # the one whose sum has a gradient


class SyncBatchNorm(nn.BatchNorm2d):
    """`nn.BatchNorm2d` over the images of all ranks, which pass equally many of one size."""

    @classmethod
    def convert(cls, module: nn.Module) -> None:
        """Make every BatchNorm2d in `module` one of this class; names and tensors stay."""
        for part in module.modules():
            if type(part) is nn.BatchNorm2d:
                part.__class__ = cls

    def forward(self, x: Tensor) -> Tensor:
        """Images (n, channels, height, width), normalised per channel."""
        if not self.training:
            return super().forward(x)
        ranks = dist.get_world_size()
        y = x.to(torch.promote_types(x.dtype, torch.float32))  # half precision is too coarse
        mean: Tensor = all_reduce(y.mean((0, 2, 3))) / ranks  # type: ignore[no-untyped-call]
        centred = y - mean[:, None, None]
        variance: Tensor = all_reduce(centred.square().mean((0, 2, 3))) / ranks  # type: ignore[no-untyped-call]
        self._update_running(mean.detach(), variance.detach(), ranks * x.numel() // x.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics; torch, too, keeps the unbiased variance there."""
        assert self.momentum is not None
        assert self.num_batches_tracked is not None
        assert self.running_mean is not None
        assert self.running_var is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked += 1
