"""First weights that networks of different depth and width have in common."""

from collections import Counter

import torch
from torch import nn

from scaling_study.models.layer_names import named_layers
from scaling_study.models.layers import Network
from scaling_study.models.modules import module_of
from scaling_study.training.seeds import seed_of


def draw_by_shape(module: nn.Module, layers: Network, key: str) -> None:
    """Draw each layer's weights of `module`, which was built from `layers`, anew.

    The k-th layer of the same kind and shapes has the same weights in every network with this
    `key`, so that a deeper network begins with those of a shallower one where these agree.
    """
    seen: Counter[str] = Counter()
    for name, layer in named_layers(layers.layers):
        part = module.get_submodule(name)
        shapes = [tuple(parameter.shape) for parameter in part.parameters()]
        what = f"{type(layer).__name__} {shapes}"
        torch.manual_seed(seed_of(key, f"init {what}", seen[what]))
        part.load_state_dict(module_of(layer).state_dict())
        seen[what] += 1
