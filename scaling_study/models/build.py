"""Turns layer values into torch modules with the paper's initialisation."""

from collections.abc import Sequence
from functools import singledispatch

import torch
from torch import Tensor, nn

from scaling_study.models import layers as spec

BATCH_NORM_EPS = 1e-5
# The classifier starts almost silent, as in the released code.
LINEAR_STD = 0.01


def build(network: spec.Network) -> nn.Sequential:
    """A module from images (N, 3, side, side) to logits (N, classes), drawn from torch's RNG."""
    return _sequence(network.layers)


def _sequence(parts: Sequence[spec.Layer]) -> nn.Sequential:
    return nn.Sequential(*(module(part) for part in parts))


@singledispatch
def module(layer: spec.Layer) -> nn.Module:
    """The torch module of one layer value."""
    raise AssertionError(f"no module for {layer!r}")


@module.register
def _(layer: spec.Conv) -> nn.Module:
    conv = nn.Conv2d(
        layer.c_in,
        layer.c_out,
        layer.kernel,
        layer.stride,
        layer.kernel // 2,
        groups=layer.groups,
        bias=False,
    )
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return conv


@module.register
def _(layer: spec.BatchNorm) -> nn.Module:
    norm = nn.BatchNorm2d(layer.channels, eps=BATCH_NORM_EPS)
    if layer.zero_gamma:
        nn.init.zeros_(norm.weight)
    return norm


@module.register
def _(layer: spec.ReLU) -> nn.Module:
    return nn.ReLU(inplace=True)


@module.register
def _(layer: spec.AvgPool) -> nn.Module:
    return nn.AvgPool2d(layer.stride, ceil_mode=True, count_include_pad=False)


@module.register
def _(layer: spec.GlobalPool) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())


@module.register
def _(layer: spec.Dropout) -> nn.Module:
    return nn.Dropout(layer.rate)


@module.register
def _(layer: spec.Linear) -> nn.Module:
    linear = nn.Linear(layer.c_in, layer.c_out)
    nn.init.normal_(linear.weight, std=LINEAR_STD)
    nn.init.zeros_(linear.bias)
    return linear


class SqueezeExcite(nn.Module):
    """Multiplies each channel by a gate in (0, 1) computed from all channels' means."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)
        for conv in (self.reduce, self.expand):
            nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.expand(torch.relu(self.reduce(x.mean((2, 3), keepdim=True))))
        return x * torch.sigmoid(gate)


@module.register
def _(layer: spec.SqueezeExcite) -> nn.Module:
    return SqueezeExcite(layer.channels, layer.hidden)


class Residual(nn.Module):
    """relu(shortcut(x) + body(x)) with stochastic depth (Huang et al. 2016) on the body."""

    def __init__(self, body: nn.Sequential, shortcut: nn.Sequential, drop_rate: float) -> None:
        super().__init__()
        self.body = body
        self.shortcut = shortcut
        self.drop_rate = drop_rate

    def forward(self, x: Tensor) -> Tensor:
        y = self.body(x)
        if self.training and self.drop_rate > 0:
            keep = 1 - self.drop_rate
            # Scaled by 1 / keep, so that the expectation is the one of evaluation.
            y = y * (y.new_empty(len(y), 1, 1, 1).bernoulli_(keep) / keep)
        return torch.relu_(self.shortcut(x) + y)


@module.register
def _(layer: spec.Residual) -> nn.Module:
    return Residual(_sequence(layer.body), _sequence(layer.shortcut), layer.drop_rate)
