"""A run that trains in a second, where it executes, and runs as the YAML files describe them."""

import csv
from copy import deepcopy
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import analysis
from scaling_study.common.paths import data_dir
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig, run_config
from scaling_study.config.tracking import Tracking

CONF = data_dir("conf").resolve()
PAPER = Path(analysis.__file__).with_name("paper")

TINY: dict[str, Any] = {
    "task": "classification",
    "model": {
        "family": "resnet",
        "depth": 14,
        "width": 0.125,
        "block": "bottleneck",
        "stem": "small",
        "shortcut": "average",
        "stride_in": "conv2",
        "se_ratio": 0.25,
        "zero_gamma": True,
        "init": "he",
        "bn_momentum": 0.1,
        "dropout": 0.1,
        "stochastic_depth": 0.1,
        "stochastic_depth_mode": "per_stage",
    },
    "data": {
        "name": "fractals",
        "resolution": 16,
        "split": "test",
        "minival": 0.1,
        "flip": True,
        "shift": 0.1,
        "crop": "none",
        "crop_min_area": 0.08,
        "randaugment_layers": 0,
        "randaugment_magnitude": 10,
        "classes": 4,
        "train_per_class": 32,
        "val_per_class": 16,
        "perturbation": 0.2,
        "label_noise": 0.0,
        "seed": 0,
    },
    "train": {
        "recipe": "fixed",
        "epochs": 2,
        "batch_size": 16,
        "accumulation": 1,
        "lr_per_256": 0.4,
        "warmup_epochs": 1,
        "schedule": "cosine",
        "decay_factor": 0.1,
        "decay_epochs": [1, 2],
        "optimizer": "sgd",
        "momentum": 0.9,
        "rms_decay": 0.9,
        "rms_eps": 1e-3,
        "weight_decay": 5e-4,
        "decay_batch_norm": False,
        "decay_biases": True,
        "label_smoothing": 0.1,
        "ema_decay": 0.9999,
        "sync_batch_norm": False,
        "channels_last": True,
        "compile": False,
    },
    "init": "none",
    "teacher": "none",
    "seed": 0,
    "device": "cpu",
    "precision": "fp32",
}


def tiny(**changes: Any) -> RunConfig:
    """The tiny run with dotted keys changed: tiny(**{"model.depth": 26})."""
    values = deepcopy(TINY)
    for key, value in changes.items():
        *path, name = key.split(".")
        group = values
        for part in path:
            group = group[part]
        group[name] = value
    return run_config(values)


NOT_TRACKED = Tracking(
    name="none", project="p", entity=None, tags=(), finish_timeout_s=5, study=None
)


def plain_execution(results_dir: Path, cache_dir: Path) -> ExecutionConfig:
    """One thread, every checkpoint written, nothing tracked."""
    return ExecutionConfig(
        results_dir=str(results_dir),
        cache_dir=str(cache_dir),
        threads=1,
        loader_workers=0,
        checkpoint_every_s=0,
        checkpoint_keep="final",
        metrics_every_s=1e9,  # lines within an epoch would depend on speed
        tracking=NOT_TRACKED,
        git_commit=None,
        git_dirty=None,
    )


def composed(*overrides: str) -> RunConfig:
    """The run that the YAML files and these overrides describe."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        values: Any = OmegaConf.to_container(compose("run", [*overrides, "precision=fp32"]))
    return run_config(values)


def printed(name: str) -> list[dict[str, str]]:
    with (PAPER / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))
