"""Cost of a run before it is trained: closed forms of its config. No torch.

Parameters, FLOPs, activations and images are exact. Memory is torch's allocations (not the resident
set of a CPU process) and lies within `models.memory.TOLERANCE` of the estimate.
"""

from collections import Counter
from dataclasses import dataclass
from functools import cache
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.config.evaluation import TRAINING_PASSES, evaluation_plan, final_images
from scaling_study.config.recipe import TrainConfig
from scaling_study.config.run import RunConfig
from scaling_study.data import data_info
from scaling_study.data.base import as_evaluated
from scaling_study.data.splits import DataInfo
from scaling_study.models import network
from scaling_study.models.drop_path import with_drop_path
from scaling_study.models.family import ModelConfig
from scaling_study.models.layers import Cost, Shape, total
from scaling_study.models.memory import TOLERANCE, Footprint, footprint
from scaling_study.study.axes import AXES
from scaling_study.tasks import task_of

_network = cache(network)
# Two times of every step are in a checkpoint; a line of metrics.jsonl is about this long.
STEP_ENTRY, METRICS_LINE = 18, 100
COST_COLUMNS = ("params", "flops", "activations", "train_flops", "eval_flops")
# The device that `devices_needed` counts in: bytes of memory, of which a step may take all but a
# share for kernels' work space.
LARGE_DEVICE_BYTES, USABLE = 80e9, 1 - TOLERANCE
# config.yaml, result.json, job.json and log.txt of a run that went well.
RECORDS = 4000
# How far off, relative, bytes on disk are: what torch writes beside tensors is estimated.
DISK_TOLERANCE = 0.05


@dataclass(frozen=True)
class RunCost:
    """What `params`, `flops` and `activations` mean is in `models.layers`; the rest is per run.

    `eval_flops` is what all evaluations take, `curve_flops` those while training alone.
    `memory_bytes` is the most that a training step has allocated, by default in one process;
    `checkpoint_bytes` the checkpoint of a run in work, `disk_bytes` what a finished run keeps;
    `data_bytes` all decoded images.
    """

    params: int
    flops: int
    activations: int
    train_flops: int
    eval_flops: int
    curve_flops: int
    steps: int
    memory_bytes: int
    checkpoint_bytes: int
    disk_bytes: int
    data_bytes: int


def run_cost(run: RunConfig) -> RunCost:
    """Cost of training `run`; InputError if its network, images and batch do not fit together."""
    data = data_info(run.data)
    sides = run.data.resolution, as_evaluated(run.data).resolution
    return _run_cost(run.model, sides, data, outputs(run), run.train, run.precision)


def forward(run: RunConfig) -> Cost:
    """What `run`'s network costs for one image; InputError if it cannot be built for its images."""
    return _forward(run.model, run.data.resolution, outputs(run))


def outputs(run: RunConfig) -> int:
    """Numbers that the network gives an image."""
    return task_of(run.task).outputs(data_info(run.data).n_classes)


def train_flops(run: RunConfig) -> int:
    """FLOPs of the whole training; the incomplete last batch of an epoch is not trained."""
    n_train, data = data_info(run.data).n_train, run.data
    return _train_flops(run.model, data.resolution, outputs(run), run.train, n_train)


def _train_flops(
    model: ModelConfig, resolution: int, outputs: int, train: TrainConfig, n_train: int
) -> int:
    """Forward and backward of all trained images, each at its stage's resolution."""
    sides = Counter(train.side(epoch, resolution) for epoch in range(train.epochs))
    forward = sum(n * _forward(model, side, outputs).flops for side, n in sides.items())
    return TRAINING_PASSES * forward * (n_train // train.batch_size) * train.batch_size


def memory_bytes(run: RunConfig, processes: int) -> int:
    """Most bytes that a training step has allocated on each device where `processes` share it."""
    kept, passing = run.train.optimizer_tensors
    resolution, rate = run.data.resolution, run.train.drop_path
    memory = _memory(run.model, resolution, outputs(run), run.precision, rate)
    images = -(-run.train.batch_size // (processes * run.train.accumulation))
    return memory.peak_bytes(images, kept, passing)


def devices_needed(run: RunConfig) -> int | None:
    """The least number of 80-GB devices, 1, 2, 4, …, that hold a step as the recipe has it.

    None if two images, the least that batch norm takes, are too many for one.
    """
    most, devices = run.train.batch_size // (2 * run.train.accumulation), 1
    while memory_bytes(run, devices) > USABLE * LARGE_DEVICE_BYTES:
        devices *= 2
        if devices > most:
            return None
    return devices


@cache
def _run_cost(
    model: ModelConfig,
    sides: tuple[int, int],
    data: DataInfo,
    outputs: int,
    train: TrainConfig,
    precision: str,
) -> RunCost:
    resolution, tested = sides  # of training and evaluation
    scored = _forward(model, tested, outputs).flops
    most = f"more than the {data.n_train} training images"
    require(train.batch_size <= data.n_train, "train.batch_size", train.batch_size, most)
    cost = _forward(model, resolution, outputs)
    memory = _memory(model, resolution, outputs, precision, train.drop_path)
    steps = train.steps(data.n_train)
    kept, passing = train.optimizer_tensors
    times = STEP_ENTRY * steps
    curve = evaluation_plan(train, data.n_train, data.n_val).images
    return RunCost(
        params=cost.params,
        flops=cost.flops,
        activations=cost.activations,
        train_flops=_train_flops(model, resolution, outputs, train, data.n_train),
        eval_flops=scored * (curve + final_images(data.n_train, data.n_val)),
        curve_flops=scored * curve,
        steps=steps,
        memory_bytes=memory.peak_bytes(train.batch_size // train.accumulation, kept, passing),
        checkpoint_bytes=memory.checkpoint_bytes(kept) + times,
        disk_bytes=memory.checkpoint_bytes(0) + times + METRICS_LINE * train.epochs + RECORDS,
        data_bytes=(data.n_train + data.n_val) * resolution**2 * data.channels,
    )


@cache
def _forward(model: ModelConfig, resolution: int, outputs: int) -> Cost:
    net = _network(model, outputs)
    if resolution < net.stride:
        small = net.stride > 16 and hasattr(model, "stem")
        raise InputError(
            f"data.resolution={resolution}: too small for a network that halves the image to "
            f"1/{net.stride}; the smallest side is {net.stride} px"
            f"{' (model.stem=small takes 16 px)' if small else ''}"
        )
    return total(net.layers, Shape(3, resolution))[1]


@cache
def _memory(
    model: ModelConfig, resolution: int, outputs: int, precision: str, drop_path: float
) -> Footprint:
    dropped = with_drop_path(_network(model, outputs), drop_path)
    return footprint(dropped.layers, Shape(3, resolution), precision)


def describe(run: RunConfig) -> dict[str, Any]:
    """The result columns that are known before training."""
    data, cost = data_info(run.data), run_cost(run)
    return {
        "run_id": run.run_id,
        "config_id": run.config_id,
        "data": run.data.name,
        "family": run.model.family,
        **{axis.name: axis.of(run) for axis in AXES},
        "recipe": run.train.recipe,
        "batch_size": run.train.batch_size,
        "lr": run.train.lr,
        **{name: getattr(cost, name) for name in COST_COLUMNS},
        "precision": run.precision,
        **{name: getattr(data, name) for name in ("n_train", "n_val", "eval_split")},
    }
