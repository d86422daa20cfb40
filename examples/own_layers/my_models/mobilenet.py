# my_models/mobilenet.py
"""MobileNet (Howard et al. 2017): depthwise-separable convolutions, no shortcuts."""

from dataclasses import dataclass

from scaling_study.common.errors import InputError
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import (
    FREE,
    BatchNorm,
    Conv,
    Cost,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    Network,
    Shape,
)


@dataclass(frozen=True, kw_only=True)
class MobileNetConfig(ModelConfig):
    """`depth` counts convolutions and the classifier: 28 is the paper's."""

    depth: int
    dropout: float


@dataclass(frozen=True)
class ReLU6:
    """A layer of the family's own knows its cost, and makes its torch module when asked to."""

    def cost(self, shape: Shape) -> tuple[Shape, Cost]:
        return shape, FREE

    def module(self):
        from torch import nn  # here and not above: planning does without torch

        return nn.ReLU6(inplace=True)


def network(model: MobileNetConfig, n_classes: int) -> Network:
    middle, odd = divmod(model.depth - 18, 2)
    if middle < 0 or odd:
        raise InputError(f"model.depth={model.depth}: must be 18, 20, 22, …; the paper's is 28")
    if model.width < 1 / 32:
        raise InputError(f"model.width={model.width:g}: the smallest is {1 / 32:g}")

    def filters(count: int) -> int:
        return int(count * model.width)

    def conv(c_in: int, c_out: int, kernel: int, stride: int = 1, groups: int = 1) -> list[Layer]:
        return [Conv(c_in, c_out, kernel, stride, groups), BatchNorm(c_out), ReLU6()]

    blocks = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2)]
    blocks += [(512, 1)] * middle + [(1024, 2), (1024, 1)]
    channels = filters(32)
    layers = conv(3, channels, 3, stride=2)
    for count, stride in blocks:
        layers += conv(channels, channels, 3, stride, groups=channels)
        layers += conv(channels, filters(count), 1)
        channels = filters(count)
    layers += [GlobalPool(), Dropout(model.dropout), Linear(channels, n_classes)]
    return Network(tuple(layers), stride=32)


FAMILY = Family(
    config=MobileNetConfig,
    network=network,
    depths=lambda model: range(18, 61, 2),
    width_step=1 / 32,
    smallest_width=lambda model: 1 / 32,
)
