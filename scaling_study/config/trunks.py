"""One trunk, many lengths: what runs share that differ in the length of a WSD schedule alone.

Their warm-up and their constant part are the same, step by step, until the decay of the shorter
run begins; the longer one may go on from there.
"""

import math
from dataclasses import dataclass

from scaling_study.config.recipe import TrainConfig


@dataclass(frozen=True, kw_only=True)
class Trunk:
    """The shorter run from whose constant part another goes on: its id, its length in epochs."""

    run: str
    epochs: int


def decay_begin(recipe: TrainConfig, epochs: int, steps_per_epoch: int) -> float:
    """The step, with its fraction, at which wsd begins to fall in a training of so many epochs.

    It is `decay_share` of all steps before the end, and never within the warm-up.
    """
    before = epochs * steps_per_epoch * (1 - recipe.decay_share)
    return max(recipe.warmup_epochs * steps_per_epoch, before)


def constant_steps(recipe: TrainConfig, epochs: int, steps_per_epoch: int) -> int:
    """Steps of so many epochs of wsd that a longer training has too: their middle is not behind
    `decay_begin`.
    """
    return math.floor(decay_begin(recipe, epochs, steps_per_epoch) + 0.5)
