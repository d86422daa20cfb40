"""A run that trains in a second."""

from copy import deepcopy
from typing import Any

from scaling_study.config.run import RunConfig, run_config

TINY: dict[str, Any] = {
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
