"""The format of result.json, one per run and the only source of results, and tables of them.

A study is a folder `results/GRID` whose `plan.csv` lists run ids; the runs themselves live in one
store, `results/runs/RUN_ID`, shared by all grids.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

from scaling_study.common.files import replace_file
from scaling_study.common.reading import json_in
from scaling_study.common.validation import is_number

# 3: `train_flops` counts the images that are trained, without an epoch's incomplete last batch, and
# the columns of ADDED are there.
SCHEMA, READABLE = 3, (2, 3)

COLUMNS: dict[str, str] = {
    "schema": "version of this list of columns",
    "run_id": "name of the run's folder: readable prefix and hash of the whole run config",
    "config_id": "the same without the seed: runs that share it are replicates",
    "status": "ok, diverged (non-finite loss: an observation, kept) or failed (retried)",
    "data": "data set",
    "family": "model family",
    "depth": "nominal number of layers, or the depth multiplier of a family that has one",
    "width": "width multiplier",
    "resolution": "training and evaluation image side, px",
    "epochs": "passes over the training images",
    "seed": "replicate number",
    "recipe": "name of the training recipe",
    "batch_size": "images per optimizer step, over all processes",
    "lr": "peak learning rate, after scaling by batch size / 256",
    "threads": "CPU threads of the process",
    "world_size": "processes that trained together",
    "params": "trainable parameters",
    "flops": "forward FLOPs per image, 2 x multiply-adds of convolutions and linear layers",
    "activations": "output elements of all convolutions, per image; blank if there are none",
    "train_flops": "3 x flops x images trained (whole batches), each at its resolution",
    "eval_flops": "flops x images of all planned evaluations, while training and at its end",
    "shared_flops": "of train_flops, those that another run has trained: its trunk",
    "val_error": "top-1 error on the evaluation split, EMA weights, fraction",
    "train_error": "top-1 error on clean training images, EMA weights, fraction",
    "val_loss": "cross-entropy on the evaluation split, EMA weights, nats",
    "step_time_s": "median time of a training step without warm-up steps, s",
    "step_time_mean_s": "mean of the same step times, s",
    "step_time_cv": "standard deviation / mean of the same step times; on a GPU of 20-step means",
    "images_per_s": "batch_size / step_time_s",
    "bound": "data or compute: what the steps waited for",
    "workers_needed": "where bound is data: loader.workers with which steps would not wait",
    "core_images_per_s": "training images that one CPU core read and augmented in a second of work",
    "peak_memory_bytes": "largest resident set of the process (CPU) or allocation (GPU), bytes",
    "wall_s": "training and evaluation over all attempts, without start-up (imports, images), s",
    "device": "device class and model, as in 'cpu: AMD EPYC'",
    "precision": "fp32, or bf16 or fp16 (autocast)",
    "n_train": "training images",
    "n_val": "evaluation images",
    "eval_split": "which images val_error is about",
    "micro_batch_size": "images per forward pass of one process; batch norm sees no more",
    "memory_halvings": "times the micro-batch was halved because memory ran out",
    "corrupt_images": "images of the data set that could not be read or decoded and were left out",
    "stopped_epoch": "epoch after which early stopping ended the run; blank if it trained all",
    "outcome": "what a program of the user's own reported, in the unit that its task declares",
    "measures": "other numbers that such a program reported, and costs without a column",
    "cause": "what kind of failure: one of result.CAUSES",
    "error": "why a run failed",
    "git_commit": "commit of the code that ran, if it ran from a checkout",
    "git_dirty": "whether that checkout had uncommitted changes",
    "versions": "versions of python, torch and scaling_study",
}
# What results of schema 2 lack; and what only some runs have, which is blank elsewhere and not in
# all results of schema 3.
ADDED = ("eval_flops", "stopped_epoch")
OPTIONAL = ("outcome", "measures", "workers_needed", "core_images_per_s", "shared_flops")
# A run that ended in one of these is never trained again.
FINISHED = ("ok", "diverged")
STATUSES = (*FINISHED, "failed")
# The GPU or the host ran out of memory, a time limit was reached, the scheduler preempted the job,
# the node failed, a person stopped the run, or the run itself raised an error.
CAUSES = ("gpu_memory", "host_memory", "timeout", "preempted", "node", "cancelled", "error")
FRACTIONS = ("val_error", "train_error")
POSITIVE = (
    *("depth", "width", "resolution", "epochs", "batch_size", "lr", "params", "flops"),
    *("activations", "train_flops", "eval_flops", "n_train", "n_val", "step_time_s"),
    *("step_time_mean_s", "stopped_epoch", "shared_flops"),
    *("images_per_s", "workers_needed", "core_images_per_s", "threads", "world_size"),
    *("peak_memory_bytes", "micro_batch_size"),
)


@dataclass(frozen=True, kw_only=True)
class Result:
    """The result of one run. Units are in `COLUMNS`; None is a value that was never measured."""

    run_id: str
    config_id: str
    status: str
    data: str
    family: str
    depth: float
    width: float
    resolution: int
    epochs: int
    seed: int
    recipe: str
    batch_size: int | None
    lr: float | None
    params: int | None
    flops: int | None
    activations: int | None
    train_flops: int | None
    precision: str
    n_train: int | None
    n_val: int | None
    eval_split: str
    schema: int = SCHEMA
    threads: int | None = None
    world_size: int | None = None
    val_error: float | None = None
    train_error: float | None = None
    val_loss: float | None = None
    step_time_s: float | None = None
    step_time_mean_s: float | None = None
    step_time_cv: float | None = None
    images_per_s: float | None = None
    bound: str | None = None
    workers_needed: int | None = None
    core_images_per_s: float | None = None
    peak_memory_bytes: int | None = None
    wall_s: float | None = None
    micro_batch_size: int | None = None
    memory_halvings: int | None = None
    corrupt_images: int | None = None
    eval_flops: int | None = None
    shared_flops: int | None = None
    stopped_epoch: int | None = None
    outcome: float | None = None
    measures: Mapping[str, float] | None = None
    cause: str | None = None
    device: str | None = None
    error: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: Mapping[str, str] | None = None

    @property
    def own_train_flops(self) -> int | None:
        """The training FLOPs that the run has taken itself: all but `shared_flops`."""
        return None if self.train_flops is None else self.train_flops - (self.shared_flops or 0)


class OtherSchemaError(ValueError):
    """A result that another version of this program wrote; the message says what reads it."""

    def __init__(self, schema: int) -> None:
        known = " and ".join(map(str, READABLE))
        advice = "update scaling-study" if schema > SCHEMA else "use the version that wrote it"
        super().__init__(
            f"schema {schema}, this version reads {known}; {advice}, or give another results_dir"
        )


def write_result(run_dir: Path, result: Result) -> None:
    """Write `result` to RUN_DIR/result.json, atomically.

    ValueError for a value that `read_result` would not take: nothing is written then.
    """
    _check(asdict(result))
    replace_file(run_dir / "result.json", json.dumps(asdict(result), indent=1) + "\n")


def read_result(path: Path) -> Result:
    """The result in one result.json.

    Raises:
        ValueError: the file is not JSON, lacks a column, has an unknown one, a value that the
            column cannot have, or the result of another run than its folder's.
        OtherSchemaError: another version wrote it.
        FileNotFoundError: there is no such file.
    """
    record = json_in(path)
    if not isinstance(record, dict):
        raise ValueError(f"it holds {type(record).__name__}, not an object")
    return result_in(record, path.parent.name)


def result_in(record: Mapping[str, Any], run_id: str) -> Result:
    """The result that columns and values are of this run; raises as `read_result`."""
    if (schema := record.get("schema")) not in READABLE:
        if isinstance(schema, int) and {"run_id", "config_id", "status"} <= record.keys():
            raise OtherSchemaError(schema)
        raise ValueError("not a result of this program")
    record = {**dict.fromkeys(OPTIONAL), **record}
    lacking = set() if record["schema"] == SCHEMA else set(ADDED)
    if odd := sorted(set(column_types()).symmetric_difference(record) - lacking):
        raise ValueError(f"columns missing or unknown: {', '.join(odd)}")
    if type(record["activations"]) is int and record["activations"] == 0:
        record["activations"] = None  # as earlier versions wrote of networks without convolutions
    _check(record)
    if record["run_id"] != run_id:
        raise ValueError(f"the result of another run, {record['run_id']}")
    return Result(**(record if record["schema"] == SCHEMA else _from_schema_2(record)))


def _from_schema_2(record: dict[str, Any]) -> dict[str, Any]:
    """A result as this version would have written it: its training FLOPs by whole batches."""
    batch, n_train = record["batch_size"], record["n_train"]
    flops = record["flops"]
    images = record["epochs"] * (n_train // batch * batch or n_train)
    return record | {"schema": SCHEMA, "train_flops": 3 * flops * images if flops else None}


def _check(record: Mapping[str, Any]) -> None:
    """ValueError for a value that its column cannot have."""
    for name, value in record.items():
        if not _possible(name, value, column_types()[name]):
            raise ValueError(f"{name}={value!r} is not possible")


@cache
def column_types() -> dict[str, set[Any]]:
    """The types that each column allows; cached, because sweeps read thousands of results."""
    return {
        name: {get_origin(part) or part for part in get_args(kind) or (kind,)}
        for name, kind in get_type_hints(Result).items()
    }


def _possible(name: str, value: object, kinds: set[Any]) -> bool:
    """Whether a column allows this value: its type, and for numbers its range."""
    if name == "status":
        return value in STATUSES
    if name == "cause":
        return value is None or value in CAUSES
    if isinstance(value, dict):
        return Mapping in kinds
    # Where a fraction may be, a whole number may.
    if type(value) not in kinds and not (type(value) is int and float in kinds):
        return False
    if not is_number(value):
        return True
    if name in FRACTIONS:
        return 0 <= value <= 1
    if name == "outcome":
        return math.isfinite(value)
    return math.isfinite(value) and (value > 0 if name in POSITIVE else value >= 0)
