"""When a run is evaluated while it trains, on how many images, and what that costs. No torch."""

from dataclasses import dataclass, replace

from scaling_study.config.run import RunConfig
from scaling_study.data import data_info
from scaling_study.data.base import MAX_TRAIN_IMAGES, as_evaluated
from scaling_study.data.splits import DataInfo
from scaling_study.models.forward_cost import forward_cost
from scaling_study.tasks import task_of

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


def evaluation_plan(run: RunConfig, data: DataInfo) -> EvaluationPlan:
    """The evaluations that `train.evaluate_every` asks for.

    All validation images, and at most as many of the training images, which over-fitting curves
    need. `auto`: at up to AUTO_POINTS epochs, evenly spaced, the same selection each time, such
    that all of it costs at most AUTO_SHARE of the training's FLOPs. No epochs with `end`, and none
    that the run of its trunk has trained.
    """
    found = _evaluations(run, data)
    if not (shared := run.shared_steps(data.n_train)):
        return found
    per_epoch = run.train.steps_per_epoch(data.n_train)
    return replace(found, epochs=tuple(e for e in found.epochs if e * per_epoch > shared))


def _evaluations(run: RunConfig, data: DataInfo) -> EvaluationPlan:
    """Those of a run that trains its whole length."""
    recipe, n_train, n_val = run.train, data.n_train, data.n_val
    every, last = recipe.evaluate_every, recipe.epochs
    weights = 2 if recipe.ema_decay else 1
    if every == "end":
        return EvaluationPlan((), 0, 0, weights)
    if every == "auto":
        points = min(AUTO_POINTS, last)
        epochs = tuple(-(-last * (k + 1) // points) for k in range(points))
        passes = AUTO_SHARE * TRAINING_PASSES * _trained(run, data)
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


def _trained(run: RunConfig, data: DataInfo) -> float:
    """Images of the whole training, each as many as its forward pass costs of evaluation's.

    Where FLOPs cannot be counted, images of all sides cost the same.
    """
    side, tested = run.data.resolution, as_evaluated(run.data).resolution
    epochs = run.train.epochs_by_side(side)
    flops = {
        side: forward_cost(run.model, side, outputs(run), run.precision).flops
        for side in {*epochs, tested}
    }
    known = {side: count for side, count in flops.items() if count}
    counted = known.keys() == flops.keys()
    costs = {side: known[side] / known[tested] if counted else 1.0 for side in epochs}
    return run.train.trained(data.n_train) * sum(n * costs[side] for side, n in epochs.items())


def final_images(n_train: int, n_val: int) -> int:
    """Forward passes of single images for the evaluation at the end of a run."""
    return n_val + min(n_train, MAX_TRAIN_IMAGES)


def labelling_flops(run: RunConfig, teacher: RunConfig) -> int | None:
    """FLOPs of the forward passes in which a teacher labels the pool of a run; None if unknown."""
    side = as_evaluated(teacher.data).resolution
    flops = forward_cost(teacher.model, side, outputs(teacher), teacher.precision).flops
    return None if flops is None else data_info(run.data).n_pool * flops


def outputs(run: RunConfig) -> int:
    """Numbers that the network gives an image."""
    return task_of(run.task).outputs(data_info(run.data).n_classes)
