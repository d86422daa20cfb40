"""Image classification: top-1 error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from scaling_study.tasks.base import Task

if TYPE_CHECKING:
    from torch import Tensor

LEARNED_SHARE = 0.1


def learned_error(n_classes: int) -> float:
    """The error (a fraction) above which a run has learned nothing.

    A guesser gets 1/K right. A run must get twice that; with few classes, where twice that is much
    (everything, of two), a tenth of what is left above a guess.
    """
    guessed = 1 / n_classes
    return 1 - guessed - min(guessed, LEARNED_SHARE * (1 - guessed))


def prior_sd(error: float, n_val: int) -> float:
    """Seed SD of an error rate by a formula: sqrt(e / (2 n)), as a fraction.

    Short training scatters more (`analysis/study/noise_prior.py`). If two runs disagree
    independently on each of n images the variance of one run's error is
    half their disagreement over n; for calibrated runs the disagreement equals the error
    (Jordan 2023, arXiv 2304.01910).
    """
    return math.sqrt(error / (2 * n_val))


def loss(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    """Mean cross-entropy, in nats (Szegedy et al. 2016 for the smoothing)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, labels, label_smoothing=label_smoothing)


def soft_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Mean cross-entropy, in nats, with the shares (n, classes) of each class as labels."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, shares.to(logits.dtype))


def binary_loss(logits: Tensor, shares: Tensor) -> Tensor:
    """Mean over images and classes of the binary cross-entropy, in nats: each class by itself
    (Wightman et al. 2021, arXiv 2110.00476)."""
    from torch.nn.functional import binary_cross_entropy_with_logits

    return binary_cross_entropy_with_logits(logits, shares.to(logits.dtype))


def right(logits: Tensor, labels: Tensor) -> Tensor:
    """Of each image whether its class has the largest logit."""
    return logits.argmax(1) == labels


def wrong(logits: Tensor, labels: Tensor) -> Tensor:
    """How many images have another class as their largest logit."""
    return (~right(logits, labels)).sum()


def nats(logits: Tensor, labels: Tensor) -> Tensor:
    """Sum of the cross-entropies."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(logits, labels, reduction="sum")


TASK = Task(
    outcome="val_error",
    unit="fraction",
    direction="lower",
    columns={
        "val_error": ("val", "error"),
        "val_loss": ("val", "loss"),
        "train_error": ("train", "error"),
    },
    chance=lambda n_classes: 1 - 1 / n_classes,
    worst_learned=learned_error,
    noise_prior=prior_sd,
    outputs=lambda n_classes: n_classes,  # a logit for each class
    loss=loss,
    metrics={"error": wrong, "loss": nats},
    soft_losses={"task": soft_loss, "bce": binary_loss},
    right=right,
)
