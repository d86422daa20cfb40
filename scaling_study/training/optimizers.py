"""Optimizers of the recipe, and which parameters are decayed."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from scaling_study.config.recipe import TrainConfig


def optimizer_of(module: nn.Module, recipe: TrainConfig) -> torch.optim.Optimizer:
    """SGD with Nesterov momentum, fused, or `RMSProp`; weight decay is added to the gradient."""
    groups = parameter_groups(module, recipe)
    if recipe.optimizer == "rmsprop":
        return RMSProp(groups, recipe.lr, recipe.rms_decay, recipe.momentum, recipe.rms_eps)
    return SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
    )


def parameter_groups(module: nn.Module, recipe: TrainConfig) -> list[dict[str, Any]]:
    """The parameters with weight decay, and those without."""
    decayed: list[Tensor] = []
    not_decayed: list[Tensor] = []
    for part in module.modules():
        norm = isinstance(part, _BatchNorm)
        for name, parameter in part.named_parameters(recurse=False):
            bias = name == "bias" and not norm
            exempt = (norm and not recipe.decay_batch_norm) or (bias and not recipe.decay_biases)
            (not_decayed if exempt else decayed).append(parameter)
    groups = (decayed, recipe.weight_decay), (not_decayed, 0.0)
    return [{"params": params, "weight_decay": decay} for params, decay in groups if params]


# Optimizers import torch's compiler, a second of CPU at the start of each run, only to be left out
# of what it compiles. Nothing here compiles them: their step is taken without the wrapper that
# imports it, and of the other methods is noted what torch/_compile.py notes after the import.
for _method in vars(torch.optim.Optimizer).values():
    if (_original := getattr(_method, "__wrapped__", None)) is not None:
        _original.__dict__.setdefault("__dynamo_disable", _original)


class SGD(torch.optim.SGD):
    """torch.optim.SGD."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


class RMSProp(torch.optim.Optimizer):
    """RMSProp as TensorFlow computes it, which EfficientNet's settings were chosen for.

    v = decay v + (1 - decay) g^2, m = momentum m + lr g / sqrt(v + eps), w = w - m, with v from 1.
    torch.optim.RMSprop differs in all three: eps is outside the root, v starts at 0, and the
    learning rate of a step scales the momentum of all earlier ones.
    """

    def __init__(
        self, groups: list[dict[str, Any]], lr: float, decay: float, momentum: float, eps: float
    ) -> None:
        super().__init__(groups, {"lr": lr, "decay": decay, "momentum": momentum, "eps": eps})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One update from the gradients."""
        assert closure is None
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            gradients: list[Tensor] = [weight.grad for weight in weights]
            for weight in weights:
                if not self.state[weight]:
                    self.state[weight]["square"] = torch.ones_like(weight)
                    self.state[weight]["momentum"] = torch.zeros_like(weight)
            squares = [self.state[weight]["square"] for weight in weights]
            momenta = [self.state[weight]["momentum"] for weight in weights]
            if group["weight_decay"]:
                gradients = torch._foreach_add(gradients, weights, alpha=group["weight_decay"])  # type: ignore[assignment]
            torch._foreach_mul_(squares, group["decay"])
            torch._foreach_addcmul_(squares, gradients, gradients, 1 - group["decay"])
            roots = torch._foreach_add(squares, group["eps"])
            torch._foreach_sqrt_(roots)
            torch._foreach_mul_(momenta, group["momentum"])
            torch._foreach_addcdiv_(momenta, gradients, roots, group["lr"])
            torch._foreach_sub_(weights, momenta)
