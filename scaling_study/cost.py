"""Closed-form cost of a run: parameters, FLOPs, activations, training FLOPs. No torch."""

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from scaling_study.config import RunConfig
from scaling_study.data import facts
from scaling_study.errors import InputError
from scaling_study.models import network
from scaling_study.models.family import ModelConfig
from scaling_study.models.layers import Cost, Shape, total

# Forward and backward: the gradients by weights and by inputs cost one forward pass each.
TRAINING_PASSES = 3


@dataclass(frozen=True)
class RunCost:
    """What `params`, `flops` and `activations` mean is in `models.layers`; the rest is per run."""

    params: int
    flops: int
    activations: int
    train_flops: int
    steps: int


def run_cost(run: RunConfig) -> RunCost:
    """Cost of training `run`.

    Raises:
        InputError: the network cannot be built, or the images or the batch do not fit it.
    """
    data = facts(run.data)
    cost = _forward(run.model, run.data.resolution, data.n_classes)
    if run.train.batch_size > data.n_train:
        raise InputError(
            f"train.batch_size={run.train.batch_size}: more than the {data.n_train} training images"
        )
    return RunCost(
        params=cost.params,
        flops=cost.flops,
        activations=cost.activations,
        train_flops=TRAINING_PASSES * cost.flops * run.train.epochs * data.n_train,
        steps=run.train.epochs * (data.n_train // run.train.batch_size),
    )


# A plan asks for few networks at many resolutions, epochs and seeds.
_network = lru_cache(maxsize=1024)(network)


@cache
def _forward(model: ModelConfig, resolution: int, n_classes: int) -> Cost:
    net = _network(model, n_classes)
    if resolution < net.stride:
        raise InputError(
            f"data.resolution={resolution}: too small for a network that halves the image to "
            f"1/{net.stride}; the smallest side is {net.stride} px"
            + (
                " (model.stem=small takes 16 px)"
                if net.stride > 16 and hasattr(model, "stem")
                else ""
            )
        )
    _, cost = total(net.layers, Shape(3, resolution))
    return cost


def describe(run: RunConfig) -> dict[str, Any]:
    """The result columns that are known before training."""
    data, cost = facts(run.data), run_cost(run)
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        "data": run.data.name,
        "family": run.model.family,
        "depth": run.model.depth,
        "width": run.model.width,
        "resolution": run.data.resolution,
        "epochs": run.train.epochs,
        "seed": run.seed,
        "recipe": run.train.recipe,
        "batch_size": run.train.batch_size,
        "lr": run.train.lr,
        "params": cost.params,
        "flops": cost.flops,
        "activations": cost.activations,
        "train_flops": cost.train_flops,
        "precision": run.precision,
        "n_train": data.n_train,
        "n_val": data.n_val,
        "eval_split": data.eval_split,
    }
