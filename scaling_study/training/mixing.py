"""Mixup (Zhang et al. 2018) and CutMix (Yun et al. 2019), and labels as a number for each class.

A batch has one of the two, with one share for all of its images. Images are mixed in pairs of
neighbours, which lie in one process's share of the batch however many processes there are. The
draws depend on the run and the step alone.
"""

import math

import numpy as np
from torch import Tensor
from torch.nn.functional import one_hot

from scaling_study.config.recipe import TrainConfig

# Of batches with CutMix where both are on (timm's switch_prob).
CUTMIX_SHARE = 0.5


def mixed(
    images: Tensor, labels: Tensor, outputs: int, recipe: TrainConfig, seed: int
) -> tuple[Tensor, Tensor]:
    """Mixed images (n, 3, side, side), and labels (n, outputs) that say how much of each class.

    `labels` (n,) are classes. `seed` is the step's, the same in all processes.
    """
    shares = one_hot(labels, outputs).to(images.dtype)
    if recipe.mixes:
        images, kept = _mixed(images, recipe, np.random.default_rng(seed))
        shares = kept * shares + (1 - kept) * _partners(shares)
    shares = shares * (1 - recipe.label_smoothing) + recipe.label_smoothing / outputs
    if recipe.bce_threshold:
        shares = (shares > recipe.bce_threshold).to(images.dtype)
    return images, shares


def _mixed(images: Tensor, recipe: TrainConfig, rng: np.random.Generator) -> tuple[Tensor, float]:
    """The images, and the share of each that is its own."""
    if rng.random() >= recipe.mix_probability:
        return images, 1.0
    both = recipe.mixup > 0 and recipe.cutmix > 0
    cut = rng.random() < CUTMIX_SHARE if both else recipe.cutmix > 0
    alpha = recipe.cutmix if cut else recipe.mixup
    own = float(rng.beta(alpha, alpha))
    if not cut:
        return own * images + (1 - own) * _partners(images), own
    height, width = images.shape[-2:]
    (top, bottom), (left, right) = (_cut(length, own, rng) for length in (height, width))
    images = images.clone()
    images[..., top:bottom, left:right] = _partners(images[..., top:bottom, left:right].clone())
    # Where the box was cut off at the border less is replaced than was drawn.
    return images, 1 - (bottom - top) * (right - left) / (height * width)


def _cut(length: int, own: float, rng: np.random.Generator) -> tuple[int, int]:
    """First and last of the replaced pixels along one side, around a uniform centre."""
    half, centre = int(length * math.sqrt(1 - own)) // 2, int(rng.integers(length))
    return max(0, centre - half), min(length, centre + half)


def _partners(batch: Tensor) -> Tensor:
    """Each image's neighbour: 1, 0, 3, 2, …"""
    return batch.reshape(len(batch) // 2, 2, *batch.shape[1:]).flip(1).reshape(batch.shape)
