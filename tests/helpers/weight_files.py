"""Files of weights of a small network that timm has."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from scaling_study.config.run import RunConfig
from scaling_study.models import network, timm_names
from scaling_study.models.modules import build

# As small as its data lets it be, but with a stem that timm has.
ONE_EPOCH = {"train.epochs": 1, "train.warmup_epochs": 0}
SMALL = ONE_EPOCH | {"model.stem": "rs", "data.resolution": 32}


def weights(run: RunConfig, classes: int, seed: int = 0) -> dict[str, Tensor]:
    """A state dict by timm's names for the run's network, of numbers that nothing else has."""
    torch.manual_seed(seed)
    state = build(network(run.model, classes)).state_dict()
    table = timm_names.names(run.model)
    return {
        f"{table[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": torch.rand_like(t)
        if t.is_floating_point()
        else t + 7
        for key, t in state.items()
    }


def written(file: Path, state: dict[str, Any]) -> Path:
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)
    return file
