"""Closed forms of what changes with the step."""

import math

from scaling_study.config.recipe import TrainConfig


def learning_rate(step: int, steps_per_epoch: int, recipe: TrainConfig) -> float:
    """Learning rate of 0-based `step`: linear from peak / warm-up to the peak, then its schedule.

    The cosine falls to 0 over the steps after the warm-up, evaluated at the middle of each, so
    neither the first nor the last is wasted on the peak or on zero. Step and exponential decay
    count epochs from the start of training, and are constant between their epochs.
    """
    warmup_steps = recipe.warmup_epochs * steps_per_epoch
    if step < warmup_steps:
        return recipe.lr * min(1.0, (step + 1) / warmup_steps)
    if recipe.schedule == "cosine":
        progress = (step + 0.5 - warmup_steps) / (recipe.epochs * steps_per_epoch - warmup_steps)
        return recipe.lr * 0.5 * (1 + math.cos(math.pi * progress))
    epoch = step / steps_per_epoch
    if recipe.schedule == "step":
        decays = sum(epoch >= boundary for boundary in recipe.decay_epochs)
    else:
        decays = int(epoch / recipe.decay_epochs[0])
    return recipe.lr * recipe.decay_factor**decays


def ema_decay(update: int, limit: float) -> float:
    """Decay of 0-based `update`: min(limit, (1 + n) / (10 + n)), the released code's ramp."""
    return min(limit, (1 + update) / (10 + update))
