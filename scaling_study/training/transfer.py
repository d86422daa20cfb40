"""Training of a part of a network: layers that are frozen, and learning rates of their own."""

from collections import defaultdict

import torch
from torch import Tensor, nn

from scaling_study.config.run import RunConfig
from scaling_study.models.layer_patterns import matching


def freeze(module: nn.Module, run: RunConfig) -> None:
    """Take the layers that `train.freeze` names out of training: no gradients for them."""
    for pattern in run.train.freeze:
        for layer in matching(run.model, pattern):
            module.get_submodule(layer).requires_grad_(False)


def keep_frozen(module: nn.Module) -> None:
    """Evaluation mode for every part whose parameters are all frozen.

    Its batch norm normalises by the statistics it came with and does not change them, and its
    blocks are never dropped: what a frozen part computes stays what it was.
    """
    for part in module.modules():
        parameters = list(part.parameters())
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            part.eval()


def scale_learning_rates(
    optimizer: torch.optim.Optimizer, module: nn.Module, run: RunConfig
) -> None:
    """Split the optimizer's groups by the factor that `train.lr_multipliers` gives each layer.

    A group has it as `lr_multiplier`; of several patterns that match a layer the last counts.
    """
    if not run.train.lr_multipliers:
        return
    factors: dict[int, float] = {}
    for pattern, factor in run.train.multipliers:
        for layer in matching(run.model, pattern):
            factors |= {id(p): factor for p in module.get_submodule(layer).parameters()}
    groups = []
    for group in optimizer.param_groups:
        own = group.get("lr_multiplier", 1.0)
        by_factor: dict[float, list[Tensor]] = defaultdict(list)
        for parameter in group["params"]:
            by_factor[factors.get(id(parameter), 1.0)].append(parameter)
        groups += [
            {**group, "params": parameters, "lr_multiplier": own * factor}
            for factor, parameters in by_factor.items()
        ]
    optimizer.param_groups[:] = groups
