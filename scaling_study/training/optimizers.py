"""Optimizers of the recipe, and which parameters are decayed."""

import inspect
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from typing import Any

import torch
from torch import Tensor, nn

from scaling_study.config.recipe import TrainConfig
from scaling_study.training.lamb import Lamb
from scaling_study.training.layer_depths import distances
from scaling_study.training.parameter_kinds import decayed_kinds, kinds


def optimizer_of(
    module: nn.Module, recipe: TrainConfig, undecayed: Sequence[str] = ()
) -> torch.optim.Optimizer:
    """The recipe's optimizer of all parameters.

    SGD with Nesterov momentum and `RMSProp` add weight decay to the gradient, AdamW and `Lamb`
    apply it beside. torch's own are fused.
    """
    groups = parameter_groups(module, recipe, undecayed)
    betas = recipe.momentum, recipe.beta2
    if recipe.optimizer == "rmsprop":
        return RMSProp(groups, recipe.lr, recipe.rms_decay, recipe.momentum, recipe.rms_eps)
    if recipe.optimizer == "adamw":
        return AdamW(groups, lr=recipe.lr, betas=betas, eps=recipe.adam_eps, fused=True)
    if recipe.optimizer == "lamb":
        return Lamb(groups, recipe.lr, betas, recipe.adam_eps)
    return SGD(
        groups, lr=recipe.lr, momentum=recipe.momentum, nesterov=recipe.momentum > 0, fused=True
    )


def parameter_groups(
    module: nn.Module, recipe: TrainConfig, undecayed: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """Groups of parameters with one weight decay and one `lr_multiplier` each.

    Decayed ones come first; with `layer_decay` every distance from the output has groups of its
    own, whose learning rate is that power of it. Parameters whose names match a pattern of
    `undecayed` are spared, whatever their kind.
    """
    decayed = decayed_kinds(recipe)
    far = distances(module) if recipe.layer_decay < 1 else {}
    groups: dict[tuple[bool, int], list[Tensor]] = {}
    for name, kind, parameter in kinds(module):
        spared = kind not in decayed or any(fnmatchcase(name, pattern) for pattern in undecayed)
        place = spared, far.get(id(parameter), 0)
        groups.setdefault(place, []).append(parameter)
    return [
        {
            "params": groups[spared, distance],
            "weight_decay": 0.0 if spared else recipe.weight_decay,
            "lr_multiplier": recipe.layer_decay**distance,
        }
        for spared, distance in sorted(groups)
    ]


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """The rate of a step, times the multiplier of each group."""
    for group in optimizer.param_groups:
        # Groups of a checkpoint from before there were multipliers have none.
        group["lr"] = rate * group.get("lr_multiplier", 1.0)


def update(
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    clip_norm: float,
) -> None:
    """One update from the gradients, which are gone then; their norm together is at most
    `clip_norm`, if that is not 0."""
    if clip_norm:
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(module.parameters(), clip_norm)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad(set_to_none=True)


# Optimizers import torch's compiler, a second of CPU at the start of each run, only to be left out
# of what it compiles. Nothing here compiles them: their step is taken without the wrapper that
# imports it, and of the other methods is noted what torch/_compile.py notes after the import.
for _method in vars(torch.optim.Optimizer).values():
    if (_original := getattr(_method, "__wrapped__", None)) is not None:
        _original.__dict__.setdefault("__dynamo_disable", _original)


class SGD(torch.optim.SGD):
    """torch.optim.SGD."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))


class AdamW(torch.optim.AdamW):
    """torch.optim.AdamW."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


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
