"""When a run is evaluated while it trains, on how many images, and what that costs. No torch."""

from dataclasses import dataclass

from scaling_study.config.recipe import TrainConfig
from scaling_study.data.base import MAX_TRAIN_IMAGES

# `auto`: this share of the training FLOPs at most, at so many points in training at most.
AUTO_SHARE, AUTO_POINTS = 0.03, 10
# Forward and backward: the gradients by weights and by inputs cost one forward pass each.
TRAINING_PASSES = 3


@dataclass(frozen=True)
class EvaluationPlan:
    """Evaluations at the ends of `epochs`, each of `val` and `train` images, an even selection.

    Each is done with `weights` sets of weights: the raw ones and, where there are any, the averaged
    ones. The evaluation at the end of the run is not among them.
    """

    epochs: tuple[int, ...]
    val: int
    train: int
    weights: int

    @property
    def images(self) -> int:
        """Forward passes of single images, all evaluations together."""
        return len(self.epochs) * self.weights * (self.val + self.train)


def evaluation_plan(recipe: TrainConfig, n_train: int, n_val: int) -> EvaluationPlan:
    """The evaluations that `train.evaluate_every` asks for, of so many images in the data set.

    All validation images, and at most as many of the training images, which over-fitting curves
    need. `auto`: at up to AUTO_POINTS epochs, evenly spaced, the same selection each time, such
    that all of it costs at most AUTO_SHARE of the training's FLOPs. No epochs with `end`.
    """
    every, last = recipe.evaluate_every, recipe.epochs
    weights = 2 if recipe.ema_decay else 1
    if every == "end":
        return EvaluationPlan((), 0, 0, weights)
    if every == "auto":
        points = min(AUTO_POINTS, last)
        epochs = tuple(-(-last * (k + 1) // points) for k in range(points))
        passes = AUTO_SHARE * TRAINING_PASSES * last * n_train
        share = int(passes / (points * weights * 2))
        if not share:  # too few images for even one of each split
            return EvaluationPlan((), 0, 0, weights)
        return EvaluationPlan(epochs, min(n_val, share), min(n_train, share), weights)
    if isinstance(every, int):
        epochs = (*range(every, last, every), last)
    else:
        assert isinstance(every, tuple)
        epochs = tuple(epoch for epoch in every if epoch <= last)
    return EvaluationPlan(epochs, n_val, min(n_train, n_val), weights)


def final_images(n_train: int, n_val: int) -> int:
    """Forward passes of single images for the evaluation at the end of a run."""
    return n_val + min(n_train, MAX_TRAIN_IMAGES)
