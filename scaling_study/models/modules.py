"""Torch's side of the layer values: a network's module, its initial weights, blocks of our own."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scaling_study.models import family
from scaling_study.models import layers as spec
from scaling_study.models.drop_path import dropping, with_drop_path
from scaling_study.models.family import ModelConfig

# A ResNet's classifier starts almost silent, as in the released code.
LINEAR_STD = 0.01
# Standard deviation of a standard normal variable that is cut off at -2 and 2.
CUT_OFF_STD = 0.87962566103423978


def module_for(
    model: ModelConfig, outputs: int, resolution: int, drop_path: float = 0
) -> nn.Module:
    """A module from images (N, 3, side, side) to (N, outputs), drawn from torch's RNG.

    `resolution` is the side, px, of the images of a run, `drop_path` the stochastic depth of its
    last block; InputError as the family has.
    """
    found = family(model.family)
    if found.build is not None:
        return found.build(dropping(model, drop_path), outputs, resolution)
    assert found.network is not None
    return build(with_drop_path(found.network(model, outputs), drop_path))


def build(network: spec.Network) -> nn.Sequential:
    """A module from images (N, 3, side, side) to logits (N, classes), drawn from torch's RNG."""
    return _sequence(network.layers)


def _sequence(parts: Sequence[spec.Layer]) -> nn.Sequential:
    return nn.Sequential(*map(module_of, parts))


def module_of(layer: spec.Layer) -> nn.Module:
    """The torch module of a layer, its weights drawn from torch's RNG; a family's own makes its."""
    match layer:
        case spec.Conv(c_in, c_out, kernel, stride, groups, init):
            conv = nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, groups=groups, bias=False)
            initialise(conv, init)
            return conv
        case spec.BatchNorm(channels, zero_gamma, eps, momentum):
            norm = nn.BatchNorm2d(channels, eps, momentum)
            if zero_gamma:
                nn.init.zeros_(norm.weight)
            return norm
        case spec.ReLU():
            return nn.ReLU(inplace=True)
        case spec.SiLU():
            return nn.SiLU()
        case spec.AvgPool(stride):
            return nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False)
        case spec.MaxPool():
            return nn.MaxPool2d(3, 2, 1)
        case spec.GlobalPool():
            return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        case spec.Dropout(rate):
            return nn.Dropout(rate) if rate > 0 else nn.Identity()
        case spec.Linear(c_in, c_out, init):
            module = nn.Linear(c_in, c_out)
            if init == "uniform":
                nn.init.uniform_(module.weight, -1 / math.sqrt(c_out), 1 / math.sqrt(c_out))
            else:
                assert init == "normal", init
                nn.init.normal_(module.weight, std=LINEAR_STD)
            nn.init.zeros_(module.bias)
            return module
        case spec.SqueezeExcite(channels, hidden, silu, init):
            return SqueezeExcite(channels, hidden, silu, init)
        case spec.Residual(body, shortcut, rates, relu, silu):
            blocks = (Residual(_sequence(body), _sequence(shortcut), r, relu, silu) for r in rates)
            return nn.Sequential(*blocks)
        case spec.LayerWithModule():
            return layer.module()
    raise AssertionError(layer)


def initialise(conv: nn.Conv2d, scheme: str) -> None:
    """Draw the weights by `scheme` (see `layers.Conv`), and set the biases to zero.

    torch's own schemes count all groups' outputs as one fan-out, which would start a depthwise
    convolution sqrt(channels) times too small; here a fan is that of one group.
    """
    receptive = conv.kernel_size[0] * conv.kernel_size[1]
    fan_in = receptive * conv.in_channels // conv.groups
    fan_out = receptive * conv.out_channels // conv.groups
    if scheme == "xavier":
        bound = math.sqrt(6 / (fan_in + fan_out))
        nn.init.uniform_(conv.weight, -bound, bound)
    elif scheme == "lecun":
        std = math.sqrt(1 / fan_in) / CUT_OFF_STD
        nn.init.trunc_normal_(conv.weight, std=std, a=-2 * std, b=2 * std)
    else:
        assert scheme == "he", scheme
        nn.init.normal_(conv.weight, std=math.sqrt(2 / fan_out))
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


class SqueezeExcite(nn.Module):
    """Multiplies each channel by a gate in (0, 1) computed from all channels' means."""

    def __init__(self, channels: int, hidden: int, silu: bool, init: str) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)
        self.activation = nn.SiLU() if silu else nn.ReLU(inplace=True)
        for conv in (self.reduce, self.expand):
            initialise(conv, init)

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.expand(self.activation(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * gate.sigmoid()


class Residual(nn.Module):
    """shortcut(x) + body(x), then ReLU or SiLU, with stochastic depth (Huang et al. 2016)."""

    def __init__(
        self,
        body: nn.Sequential,
        shortcut: nn.Sequential,
        drop_rate: float,
        relu: bool = True,
        silu: bool = False,
    ) -> None:
        super().__init__()
        self.body, self.shortcut = body, shortcut
        self.drop_rate, self.relu, self.silu = drop_rate, relu, silu
        # The sum may take the place of an output that backward does not need.
        self.in_place = len(body) > 0 and isinstance(body[-1], nn.BatchNorm2d | SqueezeExcite)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        if self.training and self.drop_rate > 0:
            keep = 1 - self.drop_rate
            # Scaled by 1 / keep, so that the expectation is the one of evaluation.
            y = y * (y.new_empty(len(y), 1, 1, 1).bernoulli_(keep) / keep)
        shortcut = self.shortcut(x)
        y = y.add_(shortcut) if self.in_place else y + shortcut
        if self.silu:
            return nn.functional.silu(y)
        return torch.relu_(y) if self.relu else y
