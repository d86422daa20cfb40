"""Closed forms of what changes with the step."""

import math
from collections.abc import Callable

from scaling_study.config.recipe import TrainConfig
from scaling_study.config.trunks import decay_begin

# From 1 to 0 while training goes on from 0 to 1.
FALLS: dict[str, Callable[[float, TrainConfig], float]] = {
    "cosine": lambda progress, recipe: 0.5 * (1 + math.cos(math.pi * progress)),
    "polynomial": lambda progress, recipe: (1 - progress) ** recipe.polynomial_power,
    "wsd": lambda progress, recipe: 1 - math.sqrt(progress),
}


def learning_rate(step: int, steps_per_epoch: int, recipe: TrainConfig) -> float:
    """Learning rate of 0-based `step`: linear from peak / warm-up to the peak, then its schedule.

    Cosine and polynomial fall over the steps after the warm-up, evaluated at the middle of each,
    so neither the first nor the last is wasted on the peak or on the end. wsd (warm-up, stable,
    decay) stays at the peak and falls as 1 - sqrt over the last `decay_share` of all steps
    (Hägele et al. 2024, arXiv 2405.18392). Step and exponential decay count epochs from the start
    of training, and are constant between their epochs.
    """
    warmup_steps = recipe.warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return recipe.lr * min(1.0, (step + 1) / warmup_steps)
    steps = recipe.epochs * steps_per_epoch
    if recipe.schedule in FALLS:
        begin = warmup_steps
        if recipe.schedule == "wsd":
            begin = decay_begin(recipe, recipe.epochs, steps_per_epoch)
        progress = max(0.0, (step + 0.5 - begin) / (steps - begin))
        fall = FALLS[recipe.schedule](progress, recipe)
        return recipe.end_lr + (recipe.lr - recipe.end_lr) * fall
    epoch = step / steps_per_epoch
    if recipe.schedule == "step":
        decays = sum(epoch >= boundary for boundary in recipe.decay_epochs)
    else:
        decays = int(epoch / recipe.decay_epochs[0])
    return recipe.lr * recipe.decay_factor**decays


def ema_decay(update: int, limit: float) -> float:
    """Decay of 0-based `update`: min(limit, (1 + n) / (10 + n)), the released code's ramp."""
    return min(limit, (1 + update) / (10 + update))
