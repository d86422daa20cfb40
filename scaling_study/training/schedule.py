"""Closed forms of what changes with the step."""

import math


def learning_rate(step: int, steps: int, warmup_steps: float, peak: float) -> float:
    """Learning rate of 0-based `step`: linear from `peak` / warm-up to `peak`, then cosine to 0.

    The cosine is evaluated at the middle of the step, so neither the first nor the last step of it
    is wasted on a zero or repeats the peak.
    """
    if step < warmup_steps:
        return peak * min(1.0, (step + 1) / warmup_steps)
    progress = (step + 0.5 - warmup_steps) / (steps - warmup_steps)
    return peak * 0.5 * (1 + math.cos(math.pi * progress))


def ema_decay(update: int, limit: float) -> float:
    """Decay of 0-based `update`: min(limit, (1 + n) / (10 + n)), the released code's ramp."""
    return min(limit, (1 + update) / (10 + update))
