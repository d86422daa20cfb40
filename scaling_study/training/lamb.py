"""LAMB (You et al. 2019, arXiv 1904.00962): Adam whose step is scaled for each tensor."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Lamb(torch.optim.Optimizer):
    """With averages m of g and v of g^2, corrected for their start at zero, and weights w:

    u = m / (sqrt(v) + eps) + weight_decay w; w = w - lr |w| / |u| u. The ratio of norms is 1 where
    one of them is 0, and for tensors without weight decay (biases and norms as a rule), as in
    timm's and NVIDIA's.
    """

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, betas: tuple[float, float], eps: float
    ) -> None:
        super().__init__(groups, {"lr": lr, "betas": betas, "eps": eps, "step": 0})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update from the gradients."""
        assert closure is None
        for group in self.param_groups:
            group["step"] += 1
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if not weights:
                continue
            updates = self._adam(group, weights)
            if group["weight_decay"]:
                torch._foreach_add_(updates, weights, alpha=group["weight_decay"])
                torch._foreach_mul_(updates, _ratios(weights, updates))
            torch._foreach_add_(weights, updates, alpha=-group["lr"])

    def _adam(self, group: dict[str, Any], weights: list[Tensor]) -> list[Tensor]:
        """The updates of Adam, before learning rate and weight decay."""
        for weight in weights:
            if not self.state[weight]:
                self.state[weight]["mean"] = torch.zeros_like(weight)
                self.state[weight]["square"] = torch.zeros_like(weight)
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        means = [self.state[weight]["mean"] for weight in weights]
        squares = [self.state[weight]["square"] for weight in weights]
        (beta1, beta2), step = group["betas"], group["step"]
        torch._foreach_lerp_(means, gradients, 1 - beta1)
        torch._foreach_mul_(squares, beta2)
        torch._foreach_addcmul_(squares, gradients, gradients, 1 - beta2)
        roots = torch._foreach_sqrt(squares)
        torch._foreach_div_(roots, (1 - beta2**step) ** 0.5)
        torch._foreach_add_(roots, group["eps"])
        updates: list[Tensor] = list(torch._foreach_div(means, roots))
        torch._foreach_div_(updates, 1 - beta1**step)
        return updates


def _ratios(weights: list[Tensor], updates: list[Tensor]) -> list[Tensor]:
    sizes, steps = torch._foreach_norm(weights), torch._foreach_norm(updates)
    one = torch.ones_like(sizes[0])
    return [
        torch.where((size > 0) & (step > 0), size / step, one)
        for size, step in zip(sizes, steps, strict=True)
    ]
