"""Cost of a run before it is trained: closed forms of its config, or counted. No torch.

Networks of layer values are summed here; modules are counted by `models.counting`, once.
Parameters, FLOPs, activations and images are exact; `cost.step_memory` says what memory is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from scaling_study.common.validation import require
from scaling_study.config.evaluation import (
    TRAINING_PASSES,
    evaluation_plan,
    final_images,
    outputs,
)
from scaling_study.config.recipe import TrainConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.program_cost import columns_of, program_costs
from scaling_study.cost.step_memory import network_memory, step_bytes
from scaling_study.data import data_info
from scaling_study.data.base import as_evaluated
from scaling_study.data.splits import DataInfo
from scaling_study.models.family import ModelConfig
from scaling_study.models.forward_cost import NetworkCost, forward_cost
from scaling_study.study.axes import AXES

# Two times of every step are in a checkpoint; a line of metrics.jsonl is about this long.
STEP_ENTRY, METRICS_LINE = 18, 100
COST_COLUMNS = ("params", "flops", "activations", "train_flops", "eval_flops")
# config.yaml, result.json, job.json and log.txt of a run that went well.
RECORDS = 4000
# How far off, relative, bytes on disk are: what torch writes beside tensors is estimated.
DISK_TOLERANCE = 0.05


@dataclass(frozen=True)
class RunCost:
    """`params`, `flops`, `activations` and `missing` are a `NetworkCost`; the rest is per run.

    `eval_flops` is what all evaluations take, `curve_flops` those while training alone;
    `shared_flops` of `train_flops` are those of the trunk that another run trains, if there is one.
    `memory_bytes` is the most that a training step has allocated, by default in one process;
    `checkpoint_bytes` the checkpoint of a run in work, `disk_bytes` what a finished run keeps;
    `data_bytes` all decoded images. None is what a program of the user's own does not say.
    """

    params: int | None = None
    flops: int | None = None
    activations: int | None = None
    train_flops: int | None = None
    eval_flops: int | None = None
    curve_flops: int | None = None
    shared_flops: int | None = None
    steps: int | None = None
    memory_bytes: int | None = None
    checkpoint_bytes: int | None = None
    disk_bytes: int | None = None
    data_bytes: int | None = None
    missing: str = ""

    @property
    def own_train_flops(self) -> int | None:
        """What the run trains itself: the length of its training costs `train_flops`."""
        return None if self.train_flops is None else self.train_flops - (self.shared_flops or 0)


def run_cost(run: RunConfig) -> RunCost:
    """Cost of training `run`; InputError if its network, images and batch do not fit together."""
    if run.program is not None:
        known: Mapping[str, Any] = columns_of(program_costs(run))
        return RunCost(**{name: known[name] for name in COST_COLUMNS})
    data = data_info(run.data)
    if run.teacher is None:
        data = replace(data, n_pool=0)  # nobody reads it
    sides = run.data.resolution, as_evaluated(run.data).resolution
    advice = f"labels images without labels, of which there are none; {run.data.POOL_ADVICE}"
    require(run.teacher is None or data.n_pool > 0, "teacher", run.teacher, advice)
    curve = evaluation_plan(run, data).images
    cost = _run_cost(run.model, sides, data, outputs(run), run.train, run.precision, curve)
    return _on_trunk(cost, run.shared_steps(data.n_train))


def _on_trunk(cost: RunCost, shared_steps: int) -> RunCost:
    """The cost of a run of which another trains so many steps; all steps cost the same."""
    if not shared_steps or cost.train_flops is None or not cost.steps:
        return cost
    return replace(cost, shared_flops=cost.train_flops // cost.steps * shared_steps)


def forward(run: RunConfig) -> NetworkCost:
    """What `run`'s network costs for one image; InputError if it cannot be built for its images."""
    return forward_cost(run.model, run.data.resolution, outputs(run), run.precision)


def train_flops(run: RunConfig) -> int | None:
    """FLOPs of the whole training; the incomplete last batch of an epoch is not trained."""
    data = run.data
    n_train, precision = data_info(data).n_train, run.precision
    return _train_flops(run.model, data.resolution, outputs(run), run.train, n_train, precision)


def _train_flops(
    model: ModelConfig,
    resolution: int,
    outputs: int,
    train: TrainConfig,
    n_train: int,
    precision: str,
) -> int | None:
    """Forward and backward of all trained images, each at its stage's resolution."""
    sides = train.epochs_by_side(resolution).items()
    found = [(n, forward_cost(model, side, outputs, precision).flops) for side, n in sides]
    known = [n * flops for n, flops in found if flops is not None]
    images = train.trained(n_train)
    return TRAINING_PASSES * sum(known) * images if len(known) == len(found) else None


def _times(images: int, flops: int | None) -> int | None:
    """FLOPs of so many images; None if those of one are blank."""
    return None if flops is None else images * flops


@cache
def _run_cost(
    model: ModelConfig,
    sides: tuple[int, int],
    data: DataInfo,
    outputs: int,
    train: TrainConfig,
    precision: str,
    curve: int,
) -> RunCost:
    """`sides` (px) are of training and evaluation; `curve` images are evaluated in training."""
    resolution, tested = sides
    scored = forward_cost(model, tested, outputs, precision).flops
    labelled = train.labelled_batch
    own = f"{labelled} of them have labels of their own, " if train.pseudo_share else ""
    most = f"{own}more than the {data.n_train} training images"
    require(labelled <= data.n_train, "train.batch_size", train.batch_size, most)
    cost = forward_cost(model, resolution, outputs, precision)
    require(cost.params > 0, "model.family", model.family, "its network has nothing to train")
    memory = network_memory(model, resolution, outputs, precision, train.drop_path)
    steps = train.steps(data.n_train)
    kept, _ = train.optimizer_tensors
    times = STEP_ENTRY * steps
    trunk = memory.checkpoint_bytes(kept) if train.one_trunk else 0
    records = METRICS_LINE * train.epochs + RECORDS
    return RunCost(
        params=cost.params,
        flops=cost.flops,
        activations=cost.activations,
        train_flops=_train_flops(model, resolution, outputs, train, data.n_train, precision),
        eval_flops=_times(curve + final_images(data.n_train, data.n_val), scored),
        curve_flops=_times(curve, scored),
        steps=steps,
        memory_bytes=step_bytes(memory, train, resolution, train.batch_size),
        checkpoint_bytes=memory.checkpoint_bytes(kept) + times,
        disk_bytes=memory.checkpoint_bytes(0) + trunk + times + records,
        data_bytes=(data.n_train + data.n_val + data.n_pool) * resolution**2 * data.channels,
        missing=cost.missing,
    )


def describe(run: RunConfig) -> dict[str, Any]:
    """The result columns that are known before training; what a program does not say is blank."""
    known = _of_our_training(run) if run.program is None else _of_program(run)
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        "data": run.data.name,
        "family": run.model.family,
        **{axis.name: axis.of(run) for axis in AXES},
        "recipe": run.train.recipe,
        **{name: known[name] for name in ("batch_size", "lr", *COST_COLUMNS)},
        "shared_flops": known.get("shared_flops"),
        "precision": run.precision,
        **{name: known[name] for name in ("n_train", "n_val", "eval_split")},
    }


def _of_our_training(run: RunConfig) -> dict[str, Any]:
    data, cost = data_info(run.data), run_cost(run)
    return {
        "batch_size": run.train.batch_size,
        "lr": run.train.lr,
        **{name: getattr(cost, name) for name in (*COST_COLUMNS, "shared_flops")},
        **{name: getattr(data, name) for name in ("n_train", "n_val", "eval_split")},
    }


def _of_program(run: RunConfig) -> dict[str, Any]:
    return {**columns_of(program_costs(run)), "lr": None, "eval_split": run.data.name}
