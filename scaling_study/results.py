"""One JSON file per run is the truth; this module says what is in it and reads tables of it.

A study is a folder `results/GRID` whose `plan.csv` lists run ids; the runs themselves live in one
store, `results/runs/RUN_ID`, shared by all grids.
"""

import csv
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1

COLUMNS: dict[str, str] = {
    "schema": "version of this list of columns",
    "run_id": "name of the run's folder: readable prefix and hash of the whole run config",
    "config_id": "the same without the seed: runs that share it are replicates",
    "status": "ok, diverged (non-finite loss: an observation, kept) or failed (retried)",
    "data": "data set",
    "family": "model family",
    "depth": "nominal number of layers",
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
    "activations": "output elements of all convolutions, per image",
    "train_flops": "3 x flops x epochs x n_train",
    "val_error": "top-1 error on the evaluation split, EMA weights, fraction",
    "train_error": "top-1 error on clean training images, EMA weights, fraction",
    "val_loss": "cross-entropy on the evaluation split, EMA weights, nats",
    "step_time_s": "median time of a training step without warm-up steps, s",
    "step_time_cv": "standard deviation / mean of the same step times",
    "images_per_s": "batch_size / step_time_s",
    "bound": "data or compute: what the steps waited for",
    "peak_memory_bytes": "largest resident set of the process (CPU) or allocation (GPU), bytes",
    "wall_s": "training and evaluation time over all attempts, s",
    "device": "device class and model, as in 'cpu: AMD EPYC'",
    "precision": "fp32 or bf16 (autocast)",
    "n_train": "training images",
    "n_val": "evaluation images",
    "eval_split": "which images val_error is about",
    "error": "why a run failed",
    "git_commit": "commit of the code that ran, if it ran from a checkout",
    "git_dirty": "whether that checkout had uncommitted changes",
    "versions": "versions of python, torch and scaling_study",
}


@dataclass(frozen=True, kw_only=True)
class Result:
    """What one run left behind. Units are in `COLUMNS`; None is a value that was never measured."""

    run_id: str
    config_id: str
    status: str
    data: str
    family: str
    depth: int
    width: float
    resolution: int
    epochs: int
    seed: int
    recipe: str
    batch_size: int
    lr: float
    params: int
    flops: int
    activations: int
    train_flops: int
    precision: str
    n_train: int
    n_val: int
    eval_split: str
    schema: int = SCHEMA
    threads: int | None = None
    world_size: int | None = None
    val_error: float | None = None
    train_error: float | None = None
    val_loss: float | None = None
    step_time_s: float | None = None
    step_time_cv: float | None = None
    images_per_s: float | None = None
    bound: str | None = None
    peak_memory_bytes: int | None = None
    wall_s: float | None = None
    device: str | None = None
    error: str | None = None
    git_commit: str | None = None
    git_dirty: bool | None = None
    versions: Mapping[str, str] | None = None


def replace_file(path: Path, text: str) -> None:
    """Write `text` so that a reader sees the old file or the whole new one, also after a crash."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)


def write_result(run_dir: Path, result: Result) -> None:
    """Store `result` as RUN_DIR/result.json, whole or not at all."""
    replace_file(run_dir / "result.json", json.dumps(asdict(result), indent=1) + "\n")


def read_result(path: Path) -> Result:
    """The result in one result.json.

    Raises:
        ValueError: the file is not JSON, lacks a column, has an unknown one or another schema.
        FileNotFoundError: there is no such file.
    """
    record = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(record, dict):
        raise ValueError(f"not a result: {path} holds {type(record).__name__}, not an object")
    if record.get("schema") != SCHEMA:
        raise ValueError(f"schema {record.get('schema')!r}, this version reads {SCHEMA}")
    names = {field.name for field in fields(Result)}
    if odd := sorted(names.symmetric_difference(record)):
        raise ValueError(f"columns missing or unknown: {', '.join(odd)}")
    return Result(**record)


@dataclass(frozen=True)
class Study:
    """A grid's results: a row per finished run, and why planned runs are not among them."""

    name: str
    path: Path
    grid: Mapping[str, Any]
    runs: "pd.DataFrame"
    left_out: Mapping[str, str]


def table(results: Iterable[Result]) -> "pd.DataFrame":
    """A frame with `COLUMNS`, a row per result, in the order given."""
    import pandas as pd

    return pd.DataFrame([asdict(result) for result in results], columns=list(COLUMNS))


def read_plan(study_dir: Path) -> list[dict[str, str]]:
    """The rows of a study's plan.csv.

    Raises:
        InputError: the folder holds no plan, so it is no study.
    """
    path = study_dir / "plan.csv"
    if not path.is_file():
        raise InputError(
            f"no study in {study_dir} (no plan.csv there); give a folder that "
            "`python -m scaling_study.sweep +grid=NAME` made, such as results/depth_vs_width"
        )
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_study(study_dir: Path) -> Study:
    """The results of every run in a study's plan; nothing on disk is changed.

    Rows are the runs with status ok or diverged. Runs that are missing, failed or unreadable are
    in `left_out` with the reason.

    Raises:
        InputError: `study_dir` is no study.
    """
    from omegaconf import OmegaConf

    rows, left_out = [], {}
    for planned in read_plan(study_dir):
        run_id = planned["run_id"]
        try:
            result = read_result(study_dir.parent / "runs" / run_id / "result.json")
        except FileNotFoundError:
            left_out[run_id] = "no result yet"
        except (ValueError, OSError) as error:
            left_out[run_id] = f"unreadable result.json: {error}"
        else:
            if result.status == "failed":
                left_out[run_id] = f"failed: {result.error}"
            else:
                rows.append(result)
    grid_file = study_dir / "grid.yaml"
    loaded = OmegaConf.to_container(OmegaConf.load(grid_file)) if grid_file.is_file() else {}
    assert isinstance(loaded, dict)
    grid = {str(key): value for key, value in loaded.items()}
    return Study(study_dir.name, study_dir, grid, table(rows), left_out)
