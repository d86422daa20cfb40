"""Batch norm over a few images at a time (Hoffer et al. 2017, arXiv 1705.08741), as on a machine
whose cores see few images each: the paper's see 32 to 128."""

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm


class GhostBatchNorm2d(nn.BatchNorm2d):
    """In training each `ghost_batch` images of a pass are normalised by their own statistics.

    The running statistics take one step towards the mean of those statistics.
    """

    def __init__(self, norm: nn.BatchNorm2d, ghost_batch: int) -> None:
        super().__init__(norm.num_features, norm.eps, norm.momentum, norm.affine)
        if norm.running_mean is not None:
            self.to(norm.running_mean.dtype)
        self.load_state_dict(norm.state_dict())
        self.ghost_batch = ghost_batch

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or len(x) <= self.ghost_batch:
            return super().forward(x)
        mean, variance, seen = self.running_mean, self.running_var, self.num_batches_tracked
        assert mean is not None
        assert variance is not None
        assert seen is not None
        assert self.momentum is not None
        parts, means, variances = [], [], []
        for part in torch.split(x, self.ghost_batch):
            # With a momentum of one the buffers become the part's own statistics.
            means.append(torch.zeros_like(mean))
            variances.append(torch.zeros_like(variance))
            own = means[-1], variances[-1], self.weight, self.bias
            parts.append(batch_norm(part, *own, training=True, momentum=1.0, eps=self.eps))
        with torch.no_grad():
            seen.add_(1)
            mean.lerp_(torch.stack(means).mean(0), self.momentum)
            variance.lerp_(torch.stack(variances).mean(0), self.momentum)
        return torch.cat(parts)


def use_ghost_batches(module: nn.Module, images: int) -> None:
    """Replace every batch norm of `module` by one over `images` images; 0 leaves them."""
    for parent in list(module.modules()) if images else []:
        for name, part in list(parent.named_children()):
            if type(part) is nn.BatchNorm2d:
                setattr(parent, name, GhostBatchNorm2d(part, images))


def running_statistics(module: nn.Module) -> list[Tensor]:
    """The running means and variances of the ghost batch norms of `module`.

    Each step moves them linearly, so that their mean over ranks, which have seen other groups of
    the batch, is what one process that has seen all groups has.
    """
    norms = [part for part in module.modules() if isinstance(part, GhostBatchNorm2d)]
    both = [(norm.running_mean, norm.running_var) for norm in norms]
    return [tensor for pair in both for tensor in pair if tensor is not None]
