"""Stochastic depth (Huang et al. 2016) for the residual blocks of any family."""

from dataclasses import replace
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.models.family import ModelConfig
from scaling_study.models.layers import Layer, Network, Residual

TWICE = "the model drops blocks itself; give 0, or model.stochastic_depth=0"


def dropping(model: ModelConfig, rate: float) -> ModelConfig:
    """The config of a family of modules whose last block is dropped at `rate`.

    Such a family has these rates as its own setting `stochastic_depth`, which a run's config
    requires of it. InputError if that is set too.
    """
    if not rate:
        return model
    own: Any = model
    if own.stochastic_depth:
        raise InputError(f"train.drop_path={rate}: {TWICE}")
    changed: ModelConfig = replace(own, stochastic_depth=rate)
    return changed


def with_drop_path(network: Network, rate: float) -> Network:
    """The network whose residual block i of n, from 0, is dropped at i / (n - 1) of `rate`.

    A rate of 0 leaves the network as its family makes it. InputError if the network has no
    residual blocks, or drop rates of its own.
    """
    if not rate:
        return network
    rows = [layer for layer in network.layers if isinstance(layer, Residual)]
    if not rows:
        raise InputError(f"train.drop_path={rate}: this network has no residual blocks; give 0")
    if any(any(row.drop_rates) for row in rows):
        raise InputError(f"train.drop_path={rate}: {TWICE}")
    last = max(1, sum(len(row.drop_rates) for row in rows) - 1)
    layers: list[Layer] = []
    before = 0
    for layer in network.layers:
        if isinstance(layer, Residual):
            count = len(layer.drop_rates)
            rates = tuple(rate * (before + i) / last for i in range(count))
            layer, before = replace(layer, drop_rates=rates), before + count
        layers.append(layer)
    return replace(network, layers=tuple(layers))
